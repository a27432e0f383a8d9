"""Motion in y, identity in w? What a linear read-out finds in each, with controls (paper, sections 3.2 and 4).

A number alone says little. What counts is the difference: y against w, trained against untrained, all against chance.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.config import SRVPConfig
from srvp_lite.data.moving_mnist import Clips, MovingMNIST
from srvp_lite.explore.readout import explained, fit_readout, read_identity
from srvp_lite.metrics.intervals import bootstrap
from srvp_lite.model.clips import evaluation_mode
from srvp_lite.model.srvp import SRVP


@torch.no_grad()
def variables(model: SRVP, x: Float[Tensor, "b t c h w"]) -> dict[str, Float[Tensor, "b _"]]:
    """y at the last frame, w, and the encoding h of the last frame; y with all noise at its posterior mean, so that
    what is read is what the model is sure of."""
    parts = []
    with evaluation_mode(model):
        for some in x.split(200):
            seen = model.infer(some, draw="means")
            parts.append({"y": seen.y[:, -1], "w": seen.w, "h": seen.h[:, -1]})
    return {name: torch.cat([p[name] for p in parts]).cpu() for name in parts[0]}


def truths(clips: Clips) -> dict[str, Float[Tensor, "b _"]]:
    """What is to be read of the last frame, all of it blind to the order of the digits: `place`, their mean position;
    `velocity`, their mean velocity; `spread`, variances and covariance of rows and columns over the digits."""
    p, v = clips.positions[:, :, -1].cpu().double(), clips.velocities[:, :, -1].cpu().double()
    row, column = (p - p.mean(dim=1, keepdim=True)).unbind(dim=-1)
    spread = torch.stack([row.square(), column.square(), row * column], dim=-1).mean(dim=1)
    return {"place": p.mean(dim=1), "velocity": v.mean(dim=1), "spread": spread}


def untrained(config: SRVPConfig, x: Float[Tensor, "b t c h w"], generator: torch.Generator | None = None) -> SRVP:
    """A model of random weights, its batch norms set to the statistics of x: what the architecture gives for free.

    Weights and noise come from the seed that `generator` started from, 0 without one.
    """
    seed = 0 if generator is None else generator.initial_seed()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SRVP(config).to(x.device)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # plain averages
    with torch.no_grad():
        model.train()(x, torch.Generator(x.device).manual_seed(seed))
    return model.eval()


def disentangling(
    model: SRVP,
    fit_data: MovingMNIST,
    new_data: MovingMNIST,
    n_fit: int = 2000,
    n_new: int = 500,
    n_frames: int = 10,
    generator: torch.Generator | None = None,
) -> dict[str, dict[str, dict]]:
    """What can be read from each variable of the model, as a table: rows y, w, h, and y, w of an untrained model.

    Columns `place`, `velocity` and `spread` (R^2, see `truths`) and `identity` (see `read_identity`), on `n_new` clips
    of `new_data` after fitting on `n_fit` of `fit_data`; the digits of the training and of the test split, say. y
    should tell motion and w identity; each read from the other is the control. Intervals are 95 %, over new clips.
    Clips and noise come from the seed that `generator` started from, 0 without one.
    """
    seed = 0 if generator is None else generator.initial_seed()
    device = next(model.parameters()).device
    fit, new = (
        data.sample_with_truth(n, n_frames, torch.Generator(data.sprites.device).manual_seed(2 * seed + i))
        for i, (data, n) in enumerate([(fit_data, n_fit), (new_data, n_new)])
    )
    models = {"": model, ", untrained": untrained(model.config, fit.frames[:200].to(device), generator)}
    found = {}
    for kind, one in models.items():
        X_fit, X_new = variables(one, fit.frames.to(device)), variables(one, new.frames.to(device))
        for name in ("y", "w") if kind else ("y", "w", "h"):
            if not X_fit[name].shape[1]:  # a model made without w
                continue
            row = {}
            for target, Y in truths(fit).items():
                readout, Y_new = fit_readout(X_fit[name], Y), truths(new)[target]
                draws = torch.Generator().manual_seed(seed)
                row[target] = bootstrap(explained, readout(X_new[name]), Y_new, generator=draws)
            draws = torch.Generator().manual_seed(seed)
            row["identity"] = read_identity(X_fit[name], fit.labels.cpu(), X_new[name], new.labels.cpu(), draws)
            found[name + kind] = row
    return found
