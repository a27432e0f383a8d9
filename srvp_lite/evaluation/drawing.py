"""Futures of test clips, drawn group by group, each group from noise of its own.

Read in chapter 8. Clips are worked through in groups; the noise of each comes from (seed, number of its first clip). So
an evaluation can be stopped and gone on with, and any group's samples can be drawn again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from srvp_lite.metrics.table import METRICS
from srvp_lite.model.clips import VideoModel, prediction_options
from srvp_lite.utils.seeds import seed_of

SEED = 42  # of an evaluation whose caller gives no generator


@dataclass(frozen=True)
class Scoring:
    """What is scored, and how the futures are drawn."""

    metrics: tuple[str, ...] | None = None
    """Names of metrics (`metrics.METRICS`); by default all that need no weights."""
    loaded: Mapping[str, Any] = field(default_factory=dict)
    """Metrics that need weights, loaded, by name, as in {"lpips": LPIPS(device)}; they are scored beside `metrics`."""
    frames_per_call: int = 8000
    """Predicted frames at a time. The noise depends on it, since groups of clips are as large as it allows."""
    steps_per_frame: int | None = None
    """Euler steps per frame interval; by default the model's own."""
    bf16: bool = False
    """Compute the networks in 16 bits; scores are computed in 32 as ever."""

    def names(self) -> tuple[str, ...]:
        """The metrics to score. Raises ValueError for one that does not exist, or whose weights are not loaded."""
        plain = tuple(name for name, row in METRICS.items() if not row.needs_weights)
        names = tuple(dict.fromkeys([*(plain if self.metrics is None else self.metrics), *self.loaded]))
        if unknown := [name for name in names if name not in METRICS]:
            raise ValueError(f"unknown metric(s) {', '.join(unknown)}; there are {', '.join(METRICS)}")
        if absent := [name for name in names if METRICS[name].needs_weights and name not in self.loaded]:
            raise ValueError(f"{', '.join(absent)} need weights: load them and give them as Scoring(loaded=...)")
        return names


@dataclass(frozen=True)
class Futures:
    """Some of the futures of a group of clips."""

    clips: slice
    """Numbers of the clips."""
    samples: slice
    """Numbers of the futures, the same for each clip."""
    given: Float[Tensor, "n n_cond c h w"]
    """Conditioning frames."""
    truth: Float[Tensor, "n t c h w"]
    """What followed."""
    frames: Float[Tensor, "s n t c h w"]
    """What the model draws instead."""


@torch.no_grad()
def draw_futures(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int,
    scoring: Scoring,
    seed: int = SEED,
    first: int = 0,
) -> Iterator[Futures]:
    """`n_samples` futures of each clip from number `first` on, a part of a group's at a time, in order.

    `clips` are floats in [0, 1] or bytes, `n_cond` conditioning frames and the truth. `first` is where a group begins.
    """
    n_frames, device = clips.shape[1] - n_cond, next(model.parameters()).device
    samples_per_call = max(1, min(n_samples, scoring.frames_per_call // n_frames))
    clips_per_call = max(1, scoring.frames_per_call // (samples_per_call * n_frames))
    options = prediction_options(model, steps_per_frame=scoring.steps_per_frame)
    for begin in range(first, len(clips), clips_per_call):
        group = as_floats(clips[begin : begin + clips_per_call].to(device))
        given, truth = group[:, :n_cond], group[:, n_cond:]
        noise = torch.Generator(device).manual_seed(seed_of(seed, begin, 0, "evaluate"))
        for start in range(0, n_samples, samples_per_call):
            n = min(samples_per_call, n_samples - start)
            with torch.autocast(device.type, torch.bfloat16, enabled=scoring.bf16):
                frames = model.predict(given, n_frames, n, generator=noise, **options).float()
            yield Futures(slice(begin, begin + len(group)), slice(start, start + n), given, truth, frames)


def as_floats(clips: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Clips as floats in [0, 1], whether they came as such or as bytes."""
    return clips if clips.is_floating_point() else clips.float() / 255
