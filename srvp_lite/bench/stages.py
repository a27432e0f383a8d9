"""Where the time of a training step goes: the step taken apart into its stages, each timed forward and backward."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from srvp_lite.config import Experiment
from srvp_lite.data.open import open_data
from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.srvp import SRVP, Output
from srvp_lite.training.step import Step
from srvp_lite.utils.device import synchronize

STAGES = ("data", "encode", "infer", "rollout", "decode", "loss", "optimiser")


def stage_times(experiment: Experiment, device: torch.device, rounds: int) -> dict[str, float]:
    """Seconds of a step in each of its stages, forward and backward together; medians over the rounds.

    The graph is cut between the stages, so that each can go backward on its own. Waiting for the device at each cut
    makes the sum a little longer than a whole step.
    """
    step = Step(experiment, device)
    t, model = experiment.train, step.model.train()
    assert isinstance(model, SRVP)  # whose stages these are
    try:
        data = open_data(experiment.data, "train", device)
    except FileNotFoundError:  # the clock does not mind what the frames show
        data = None
    generator = torch.Generator(device)
    shape = (t.batch_size, t.n_frames, model.config.nc, model.config.nx, model.config.nx)
    spent: dict[str, list[float]] = {name: [] for name in STAGES}

    def timed(name: str, call: Callable):
        synchronize(device)
        start = time.perf_counter()
        result = call()
        synchronize(device)
        now[name] = now.get(name, 0.0) + time.perf_counter() - start
        return result

    def new_clips():
        return torch.rand(shape, device=device) if data is None else data.sample(*shape[:2], generator)

    def autocast():
        return torch.autocast(device.type, torch.bfloat16, enabled=step.bf16)

    def infer(h):
        with autocast():
            w, q_y, q_z, y_1, z = model.latents(h, generator=generator)
        return w, q_y.mean, q_y.std, q_z.mean, q_z.std, y_1, z

    def rollout(y_1, z):
        with autocast():
            y, residuals = model.dynamics.rollout(y_1, z, model.config.steps_per_frame)
            p_z = model.dynamics.p_z(y[:, :-1])
        return y, residuals, p_z.mean, p_z.std

    def encode(x):
        with autocast():
            h, skips = model.encode(x, generator)
        return (h, *(skips or ()))

    def decode(w, y, *skips):
        with autocast():
            return (model.decode(w, y, list(skips) or None),)

    def loss(frames, y, z, w, residuals, *moments):
        q_y, q_z, p_z = (Gaussian(*moments[i : i + 2]) for i in (0, 2, 4))
        return (model.loss(Output(frames, y, z, w, q_y, q_z, p_z, residuals), x, t.loss_weights)[0],)

    now: dict[str, float] = {}
    for number in range(-1, rounds):  # the first is a warm-up
        now.clear()
        x = timed("data", new_clips)
        encoded = StageCut(timed, "encode", encode, x)
        h, *skips = encoded.outputs
        inferred = StageCut(timed, "infer", infer, h)
        w, *moments, y_1, z = inferred.outputs
        rolled = StageCut(timed, "rollout", rollout, y_1, z)
        y, residuals, *prior = rolled.outputs
        decoded = StageCut(timed, "decode", decode, w, y, *skips)
        end = StageCut(timed, "loss", loss, decoded.outputs[0], y, z, w, residuals, *moments, *prior)
        end.outputs[0].grad = torch.ones_like(end.outputs[0])
        for stage in (end, decoded, rolled, inferred, encoded):
            stage.backward()
        timed("optimiser", lambda: (step.optimizer.step(), step.optimizer.zero_grad(set_to_none=True)))
        if number >= 0:
            for name in STAGES:
                spent[name].append(now.get(name, 0.0))
    return {name: statistics.median(values) for name, values in spent.items()}


class StageCut:
    """A stage run on detached inputs: its outputs are the beginnings of a new graph, its backward a call of its own."""

    def __init__(self, timed: Callable, name: str, call: Callable, *inputs: torch.Tensor):
        self.timed, self.name = timed, name
        self.ends = timed(name, lambda: call(*inputs))
        self.outputs = [end.detach().requires_grad_() for end in self.ends]

    def backward(self) -> None:
        pairs = [(end, out.grad) for end, out in zip(self.ends, self.outputs) if out.grad is not None]
        ends, gradients = zip(*pairs)
        self.timed(self.name, lambda: torch.autograd.backward(ends, gradients))
