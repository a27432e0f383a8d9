"""One training step: forward in the networks' precision, loss in float32, backward, update.

Read in chapter 7. Everything that makes a step fast without changing what it computes is here, each thing by a
switch of `TrainConfig`: channels-last convolutions and the fused Adam (always on), bf16, torch.compile, a CUDA graph.
"""

from __future__ import annotations

import copy
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn

from srvp_lite.checkpoint.weights import load_weights
from srvp_lite.config import Experiment
from srvp_lite.model.build import build_model
from srvp_lite.model.clips import VideoModel
from srvp_lite.model.srvp import SRVP
from srvp_lite.training.distributed import World
from srvp_lite.utils.device import allow_fast_float32, runs_in_bf16
from srvp_lite.utils.seeds import seed_of


class Step:
    """The model, its optimizer, and the step that trains it.

    `model` is the bare network, `average` the moving average of its weights (the model itself, unless ema_decay is
    set): what is validated and saved.
    """

    def __init__(self, experiment: Experiment, device: torch.device, world: World | None = None):
        self.config, self.device, self.world = experiment.train, device, world or World()
        t = self.config
        if t.cuda_graph and (device.type != "cuda" or self.world.size > 1):
            raise ValueError("cuda_graph records the step of one CUDA GPU; leave it out on a CPU and with torchrun")
        allow_fast_float32(device)
        torch.manual_seed(t.seed)
        model = build_model(experiment.model)
        model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: torch's types lack it
        if self.world.size > 1 and device.type == "cuda":  # batch statistics over the whole batch, as on one GPU
            model = cast(VideoModel, nn.SyncBatchNorm.convert_sync_batchnorm(model))
        self.model = model
        self.average = copy.deepcopy(model).requires_grad_(False) if t.ema_decay else model
        self.bf16 = runs_in_bf16(t.precision, device)
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=t.lr, fused=device.type in ("cpu", "cuda"), capturable=t.cuda_graph
        )
        if t.compile:
            compile_parts(model)
        self.wrapped = DistributedDataParallel(model) if self.world.size > 1 else model
        self.kl_share = torch.ones((), device=device)  # in memory, so that a recorded step can read it
        self.generator = torch.Generator(device)  # of all noise inside the model
        self.run = CudaGraphStep(self.update, self.generator) if t.cuda_graph else self.update

    def __call__(self, x: torch.Tensor, step: int, lr: float, kl_share: float = 1.0) -> dict[str, torch.Tensor]:
        """Trains on this process's clips of step number `step`; returns the means of the loss's terms, on the device.

        `kl_share` is the share of the KL terms' and the penalty's weights that counts (see `TrainConfig.kl_start`).
        All noise comes from (seed, step, rank), so a step can be repeated.
        """
        self.generator.manual_seed(seed_of(self.config.seed, step, self.world.rank, "noise"))
        for group in self.optimizer.param_groups:
            if self.config.cuda_graph:  # a graph reads the rate from the device's memory at each replay
                group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=self.device)
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        self.kl_share.fill_(kl_share)
        self.model.train()
        terms = self.run(x)
        if self.average is not self.model:
            self.update_average(step)
        return terms

    def update(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Forward, backward and update, in `accumulate` parts."""
        t, model, means = self.config, self.wrapped, {}
        for i, part in enumerate(x.chunk(t.accumulate)):
            # The gradients travel between processes once, with the last part.
            last = i == t.accumulate - 1
            with model.no_sync() if isinstance(model, DistributedDataParallel) and not last else nullcontext():
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                    out = model(part, self.generator)
                loss, terms = self.model.loss(out, part, t.loss_weights, self.kl_share)
                (loss / t.accumulate).backward()
            for name, values in terms.items():
                means[name] = means.get(name, 0.0) + values.detach().mean() / t.accumulate
        if t.clip_grad_norm is not None:
            means["grad_norm"] = nn.utils.clip_grad_norm_(self.model.parameters(), t.clip_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return means

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        # Young averages forget faster, or they would remember the initial weights for long.
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        averages, present = self.average.state_dict().values(), self.model.state_dict().values()
        pairs = list(zip(averages, present))
        # The batch norms' statistics are averaged too: those of the present weights would not fit the average's.
        numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        get_ema_multi_avg_fn(decay)([a for a, _ in numbers], [p for _, p in numbers], None)
        for average, counter in (pair for pair in pairs if not pair[0].is_floating_point()):
            average.copy_(counter)

    def state_dict(self) -> dict[str, dict | None]:
        """All that the next step depends on, besides its number: weights, their average if there is one, the
        optimizer's moments."""
        average = None if self.average is self.model else self.average.state_dict()
        return {"model": self.model.state_dict(), "average": average, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any], source: Path) -> None:
        """Puts back what `state_dict` gave. Raises CheckpointError for another model's state, naming its `source`."""
        load_weights(self.model, state["model"], source)
        if self.average is not self.model:
            load_weights(self.average, state["average"], source)
        self.optimizer.load_state_dict(state["optimizer"])


def compile_parts(model: Any) -> None:
    """Compiles what is worth it: both convolutional networks, where batch norm and activation then take one pass over
    memory, and the loop over time, whose hundreds of small operations become a few. The sampling in between stays
    as it is, since the compiler knows no generators."""
    model.encoder.compile()
    model.decoder.compile()
    if isinstance(model, SRVP):
        model.dynamics.rollout = torch.compile(model.dynamics.rollout)


class CudaGraphStep:
    """A step on clips, recorded as a CUDA graph on its fourth call and replayed from then on.

    The first three are ordinary steps, in which libraries choose their algorithms. A replay repeats the recorded
    operations on the recorded memory, so clips are copied into the place where the first ones were; the registered
    generator's seed is read anew at each replay.
    """

    def __init__(self, update, generator: torch.Generator):
        self.update, self.generator = update, generator
        self.warm_up, self.graph, self.stream = 3, None, torch.cuda.Stream()

    def __call__(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        current = torch.cuda.current_stream()
        if self.warm_up:
            self.warm_up -= 1
            self.stream.wait_stream(current)
            with torch.cuda.stream(self.stream):
                terms = self.update(x)
            current.wait_stream(self.stream)
            return terms
        if self.graph is None:
            self.x, self.graph = x.clone(), torch.cuda.CUDAGraph()
            self.graph.register_generator_state(self.generator)
            with torch.cuda.graph(self.graph):
                self.terms = self.update(self.x)
        self.x.copy_(x)
        self.graph.replay()
        return self.terms
