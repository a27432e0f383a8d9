"""One future at several frame rates, and what that costs: the Euler view of y put to use (paper, sections 3.1 and 4).

y moves in continuous time, so frames can be decoded at any instant. The residual function was trained with steps of
one size, though, and other steps are another map: how much another is measured here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from srvp_lite import metrics
from srvp_lite.evaluation.drawing import Scoring
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.metrics.intervals import mean_and_interval
from srvp_lite.model.srvp import SRVP


def at_rates(
    model: SRVP,
    x_cond: Float[Tensor, "b t c h w"],
    n_frames: int,
    rates: Sequence[float] = (0.5, 1, 2, 4, 8),
    method: str = "euler",
    steps_per_frame: int | None = None,
    n_samples: int = 1,
    generator: torch.Generator | None = None,
) -> dict[float, Float[Tensor, "s b _ c h w"]]:
    """The same futures of the conditioning frames, seen through cameras of several speeds.

    `n_frames` counts the frame intervals of the data, which all rates cover. Frame number i of rate r, counted from 1,
    shows the time i / r after the last conditioning frame: rate 0.5 shows every second frame, rate 2 one between each
    two. Rates are any positive fractions (taken to the nearest with a denominator up to 10,000). All are cut from one
    run, so they have the same y_1 and z, drawn by `generator` (left out, they are the same at each call), and frames
    that show one instant are equal. `method` and `steps_per_frame` are those of `srvp_lite.model.ode.predict`: the
    model's own number of Euler steps by default, whatever the rate, so a frame between two states lies on the straight
    line between them; more steps bend it.

    Returns, for each rate, (n_samples, B, floor(n_frames * rate), C, H, W) in (0, 1). Raises ValueError for rates and
    counts that show nothing. Needs torchdiffeq: pip install "srvp-lite[ode]".
    """
    from srvp_lite.model import ode  # an extra of the package

    if n_frames < 1:
        raise ValueError(f"n_frames must be at least 1 frame interval, got {n_frames}")
    shown = {rate: instants(rate, math.floor(n_frames * as_fraction(rate))) for rate in rates}
    for rate, times in shown.items():
        if not times:
            raise ValueError(
                f"rate {rate} shows a first frame after {1 / rate:g} intervals, n_frames={n_frames} ends before: "
                "predict more frames, or choose a higher rate"
            )
    if not shown:
        raise ValueError("rates is empty: name at least one frame rate, 1 being that of the data")
    every = sorted(set().union(*shown.values()))
    if generator is None:
        generator = torch.Generator(x_cond.device).manual_seed(0)
    times = [float(t) for t in every]
    frames = ode.predict(model, x_cond, times, n_samples, method, steps_per_frame, generator=generator)
    number = {t: i for i, t in enumerate(every)}
    return {rate: frames[:, :, [number[t] for t in times]] for rate, times in shown.items()}


def roughness(sequence: Float[Tensor, "*n"], time: int = 1) -> Float[Tensor, "*clips"]:
    """How jerky a sequence is: the root mean square of its second differences over that of its first ones.

    `sequence` has its frames along dimension `time`: (B, T, ny) and (B, T, C, H, W) by default, (S, B, T, ...) with
    time=2. Dimensions after it are one frame's coordinates; the result has those before it, one number per clip. It is
    0 for uniform straight motion in that space (and for none), 2 for a jump to and fro at each frame, and does not
    change with the unit or the origin. Of smooth motion it halves when the frame rate doubles; of straight pieces with
    kinks it falls by the square root of 2 only. Raises ValueError for fewer than 3 frames.
    """
    if not 0 <= time < sequence.ndim - 1:
        raise ValueError(
            f"time={time} must name the dimension of the frames, followed by at least one of coordinates; "
            f"got a sequence {tuple(sequence.shape)}"
        )
    if sequence.shape[time] < 3:
        raise ValueError(f"roughness compares steps, so it needs at least 3 frames, got {sequence.shape[time]}")
    path = sequence.flatten(time + 1)
    first = path.diff(dim=time)
    speed, change = (d.square().sum(-1).mean(-1).sqrt() for d in (first, first.diff(dim=time)))
    return torch.where(speed > 0, change / speed, 0.0)


def agreement(
    a: Float[Tensor, "*b t_a c h w"], b: Float[Tensor, "*b t_b c h w"], rate_a: float, rate_b: float
) -> Float[Tensor, "*b shared"]:
    """PSNR between two showings of one future, in dB (at most 100), at the instants both show.

    `a` and `b` begin at the same time and show it at `rate_a` and `rate_b` frames per interval, as from `at_rates` or
    `SRVP.predict`. Raises ValueError if they share no instant.
    """
    index = [{t: i for i, t in enumerate(instants(rate, v.shape[-4]))} for rate, v in ((rate_a, a), (rate_b, b))]
    shared = sorted(index[0].keys() & index[1].keys())
    if not shared:
        raise ValueError(
            f"{a.shape[-4]} frames at rate {rate_a} and {b.shape[-4]} at rate {rate_b} share no instant to compare"
        )
    at_a, at_b = ([of[t] for t in shared] for of in index)
    return metrics.psnr(a[..., at_a, :, :, :], b[..., at_b, :, :, :])


def steps_sweep(
    model: SRVP,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    steps: Sequence[int] = (1, 2, 4, 8),
    n_samples: int = 20,
    generator: torch.Generator | None = None,
) -> dict[int, dict[str, dict[str, float]]]:
    """What the number of Euler steps per predicted frame does to the scores, the noise being the same.

    For each number, the PSNR in dB of the best of `n_samples` (`best`), of one sample (`expected`), and how far the
    latter is from that of the first number in `steps` (`difference`, clip by clip, so its interval is narrow); each
    with the half width of its 95 % interval over clips, as in `metrics.mean_and_interval`. The noise comes from the
    seed that `generator` started from, 0 without one.
    """
    if not steps:
        raise ValueError("steps is empty: name at least one number of Euler steps per frame")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    found, reference = {}, None
    for k in steps:
        scoring = Scoring(metrics=("psnr",), steps_per_frame=k)
        scores = score_samples(model, clips, n_cond, n_samples, generator, scoring)
        per_clip = scores.metrics["psnr"].mean(dim=2)
        expected = per_clip.mean(dim=0)
        reference = expected if reference is None else reference
        numbers = {"best": per_clip.amax(dim=0), "expected": expected, "difference": expected - reference}
        found[k] = {name: mean_and_interval(values) for name, values in numbers.items()}
    return found


def as_fraction(rate: float) -> Fraction:
    """A rate as an exact fraction, since frames are counted, never summed; ValueError unless positive and finite."""
    if not 0 < rate < math.inf:
        raise ValueError(f"a frame rate is a positive number, 1 being that of the data, got {rate}")
    return Fraction(rate).limit_denominator(10_000)


def instants(rate: float, n: int) -> list[Fraction]:
    """The times that the first n frames of a rate show, in frame intervals of the data."""
    return [i / as_fraction(rate) for i in range(1, n + 1)]
