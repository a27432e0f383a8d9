"""Batches made one step ahead, on a GPU's second stream, while the present step runs on the first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch


def prefetched(make: Callable[[int], torch.Tensor], first: int, device: torch.device) -> Iterator[torch.Tensor]:
    """Endlessly `make(first)`, `make(first + 1)`, ...

    On a CUDA device, when the caller comes back for the next batch, its step on the present one is still running on
    the caller's stream: the next is then made on another, and waits for nothing. On a CPU there is nothing to overlap,
    and each is made when asked for.
    """
    if device.type != "cuda":
        for step in itertools.count(first):
            yield make(step)
    stream = torch.cuda.Stream(device)

    def start(step: int) -> torch.Tensor:
        with torch.cuda.stream(stream):
            return make(step)

    coming = start(first)
    for step in itertools.count(first + 1):
        user = torch.cuda.current_stream(device)
        user.wait_stream(stream)
        present = coming
        present.record_stream(user)  # its memory is not free for the second stream before the first has read it
        yield present  # the caller launches a step and comes back before the GPU is through with it
        coming = start(step)
