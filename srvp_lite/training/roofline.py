"""What a training step must do, counted; what a device can do, measured; and the floor that follows.

Read in chapter 7. The step runs on PyTorch's "meta" device, where tensors have shapes but no numbers: every operation
passes by and is counted, and nothing is computed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from srvp_lite.config import Experiment, SRVPConfig, SVGConfig
from srvp_lite.model.build import build_model
from srvp_lite.utils.device import best_time


@dataclass
class Work:
    """The work of one training step."""

    flop: float = 0.0
    """Floating-point operations of convolutions and matrix products, a multiplication and an addition being two."""
    least_bytes: float = 0.0
    """Bytes that those operations alone read and write: all that is moved if everything else is fused into them."""
    eager_bytes: float = 0.0
    """Bytes that all operations read and write, each on its own."""


class Counter(TorchDispatchMode):
    """Adds up the work of every operation that passes by. Views and empty tensors move nothing."""

    def __init__(self):
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        moved = 0
        if not (func.is_view or func._schema.name in ("aten::empty", "aten::empty_strided", "aten::empty_like")):
            tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
            moved = sum(t.numel() * t.element_size() for t in {id(t): t for t in tensors}.values())
        self.work.eager_bytes += moved
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.work.flop += formula(*args, **(kwargs or {}), out_val=out)
            self.work.least_bytes += moved
        return out


def step_work(experiment: Experiment, bf16: bool = False) -> Work:
    """Counts one training step on the experiment's whole batch, in bf16 with the networks' tensors at half the bytes.

    On the meta device the LSTM is spelled out as matrix products, so it is counted as well.
    """
    m, t = experiment.model, experiment.train
    model = build_model(m).to("meta")
    x = torch.empty(t.batch_size, t.n_frames, m.nc, m.nx, m.nx, device="meta")
    optimizer = torch.optim.Adam(model.parameters(), foreach=True)
    with Counter() as counter:
        loss, _ = model.loss(model(x), x, t.loss_weights)
        loss.backward()
        optimizer.step()
    work = counter.work
    if bf16:  # autocast does not exist on the meta device
        work = dataclasses.replace(work, least_bytes=work.least_bytes / 2, eager_bytes=work.eager_bytes / 2)
    return work


@torch.no_grad()
def frame_flop(config: SRVPConfig | SVGConfig, n_cond: int) -> float:
    """Counts the operations of one predicted frame of one future; those on the conditioning frames are left out."""
    model = build_model(config).to("meta").eval()
    x = torch.empty(1, n_cond, config.nc, config.nx, config.nx, device="meta")
    counted = []
    for n_frames in (1, 2):
        with Counter() as counter:
            model.predict(x, n_frames)
        counted.append(counter.work.flop)
    return counted[1] - counted[0]


@dataclass(frozen=True)
class Limits:
    """What a device manages at best, measured."""

    flop_per_second: float
    """Of one large matrix product, in the precision asked for."""
    bytes_per_second: float
    """Read and written by a large copy."""

    def floor(self, work: Work) -> float:
        """Seconds below which the work cannot be done: its operations at full rate, or its bytes, whichever takes
        longer. Nothing reaches it; a good implementation comes within a factor of two or three."""
        return max(work.flop / self.flop_per_second, work.least_bytes / self.bytes_per_second)


def limits(device: torch.device, bf16: bool = False, seconds: float = 0.2) -> Limits:
    """Measures both limits, the best of the repetitions that fit into `seconds` each."""
    n = 8192 if device.type == "cuda" else 1024
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    out, source = torch.empty_like(a), torch.empty(2**28 if device.type == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    product = best_time(lambda: torch.mm(a, a, out=out), device, seconds)
    copy = best_time(lambda: target.copy_(source), device, seconds)
    return Limits(2 * n**3 / product, 2 * source.numel() * source.element_size() / copy)
