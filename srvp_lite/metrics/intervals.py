"""Two small measures that the other rooms share: where a frame is bright, and how sure a number is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def bootstrap(
    statistic: Callable[..., float], *tensors: Tensor, n_draws: int = 500, generator: torch.Generator | None = None
) -> dict[str, float]:
    """A number computed from clips, with the interval that another choice of as many clips could have given.

    `statistic` takes the tensors, each with one row per clip, to one number. It is computed for the clips as they are
    (`value`) and for `n_draws` sets of as many clips drawn with replacement, whole clips at a time, since what happens
    within one clip is not independent; `low` and `high` cut off 2.5 % of those at each end. Draws without a number
    (NaN) are left out. `generator` is one of the CPU.
    """
    n = {len(t) for t in tensors}
    if len(n) != 1 or 0 in n:
        raise ValueError(f"all tensors must have one row per clip, as many clips each; got {[len(t) for t in tensors]}")
    (n,) = n
    draws = torch.empty(n_draws, dtype=torch.float64)
    for i in range(n_draws):
        chosen = torch.randint(n, (n,), generator=generator)
        draws[i] = float(statistic(*(t[chosen.to(t.device)] for t in tensors)))
    low, high = draws.nanquantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return {"value": float(statistic(*tensors)), "low": low, "high": high}


def mean_and_interval(values: Float[Tensor, " n"]) -> dict[str, float]:
    """Mean over clips and half width of its 95 % interval, 1.96 std / sqrt(n)."""
    spread = values.std(correction=0).item() if len(values) > 1 else 0.0
    return {"mean": values.mean().item(), "interval": 1.96 * spread / len(values) ** 0.5}
