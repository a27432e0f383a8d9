"""Many processes, one run: who I am among them, and the few things they must agree on.

Read in chapter 7. Started by torchrun, which tells each process its place in environment variables; started alone,
a process is a world of one and nothing here costs anything. Processes hold equal weights because they begin equal and
add up the same averaged gradients; what each knows alone (a signal, a clock, a share of a mean) has to be shared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class World:
    """The processes of a run."""

    rank: int = 0
    """Number of this process, from 0."""
    size: int = 1
    """How many there are."""
    restarted: bool = False
    """Whether torchrun started the processes again after one had died."""

    @property
    def is_main(self) -> bool:
        """Whether this process prints and writes the files."""
        return self.rank == 0

    def mean(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over the processes."""
        if self.size > 1:
            x = x.clone()
            dist.all_reduce(x)
            x /= self.size
        return x

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set anywhere."""
        return bool(flag) if self.size == 1 else self.mean(torch.tensor(float(flag), device=device)).item() > 0

    def from_main(self, value: Any) -> Any:
        """A small object as the main process has it."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def sync_buffers(self, model: torch.nn.Module) -> None:
        """Gives every process the main one's buffers: batch norms' statistics are each process's own on a CPU."""
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def share(self, n: int, what: str) -> int:
        """This process's share of n things, which must divide evenly."""
        if n % self.size:
            raise ValueError(f"{what}={n} cannot be shared evenly by {self.size} processes; choose a multiple")
        return n // self.size


@contextmanager
def join(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """Joins the processes torchrun started, if it did; gives the world and this process's own device."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield World(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    launcher_serves = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(*address, size, is_master=rank == 0 and not launcher_serves)
    # A launcher that restarts processes keeps its store, where the addresses of the dead are still to be found.
    store = dist.PrefixStore(f"restart {restarts}", store)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", store=store, rank=rank, world_size=size)
    yield World(rank, size, restarts > 0), device
    # Not after an error: taking the group down would wait for the others, who may wait for us.
    dist.destroy_process_group()
