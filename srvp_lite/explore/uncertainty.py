"""Does the model know what it does not know? Where its futures differ, when it is surprised, and whether it is right.

A model that is calibrated strays from the truth as far as its own futures stray from each other. The KL of a step is
what the frame told the posterior beyond what the prior expected (paper, section 3.3): surprise, in nats.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from srvp_lite.metrics.intervals import bootstrap
from srvp_lite.model.clips import evaluation_mode
from srvp_lite.model.srvp import SRVP
from srvp_lite.utils.device import precise_dtype


def variance_map(futures: Float[Tensor, "s b t c h w"]) -> Float[Tensor, "b t h w"]:
    """Where the futures differ: the variance of each pixel over the samples (unbiased), averaged over channels."""
    if futures.ndim != 6 or len(futures) < 2:
        raise ValueError(
            f"expected at least two futures, (S, B, T, C, H, W), as SRVP.predict gives for n_samples > 1; got "
            f"{tuple(futures.shape)}"
        )
    return futures.var(dim=0).mean(dim=2)


def disagreement(futures: Float[Tensor, "s b t c h w"]) -> Float[Tensor, "b t"]:
    """How much the futures differ in each frame: the mean of `variance_map` over the pixels."""
    return variance_map(futures).mean(dim=(-2, -1))


@torch.no_grad()
def kl_per_step(
    model: SRVP, clips: Float[Tensor, "b t c h w"], generator: torch.Generator | None = None
) -> Float[Tensor, "b t_minus_1"]:
    """KL(q(z_t | x_{1:t}) || p(z_t | y_{t-1})) of frames t = 2..T, in nats, the states being drawn by `generator`."""
    with evaluation_mode(model):
        out = model(clips, generator)
    return out.q_z.kl(out.p_z).sum(dim=-1)


def surprise_auc(
    kl: Float[Tensor, "b t_minus_1"],
    bounces: Bool[Tensor, "b t"],
    lag: int = 0,
    n_draws: int = 500,
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """How well the KL tells steps with a bounce from those without: the area under the ROC curve.

    That is the probability that a step with a bounce has the higher KL of the two, ties counting half: 1/2 is chance.
    `bounces` are those of `Clips` (frame 1, which no step leads to, is left out). With `lag` a bounce counts for as
    many later steps too, since the first frame after it shows only a part of the new velocity. `value` with its 95 %
    interval over clips, `low` to `high`; NaN where all steps are of one kind.
    """
    if kl.ndim != 2 or bounces.shape != (len(kl), kl.shape[1] + 1):
        raise ValueError(
            f"kl is (B, T - 1) and bounces (B, T), frame 1 included; got {tuple(kl.shape)} and {tuple(bounces.shape)}"
        )
    if lag < 0:
        raise ValueError(f"lag counts later steps, so it must be at least 0, got {lag}")
    hit = bounces.clone()
    for shift in range(1, min(lag, bounces.shape[1] - 1) + 1):
        hit[:, shift:] |= bounces[:, :-shift]
    return bootstrap(auc, kl, hit[:, 1:], n_draws=n_draws, generator=generator)


def auc(scores: Float[Tensor, "*n"], positive: Bool[Tensor, "*n"]) -> float:
    """The probability that a positive scores higher than a negative, from the mean ranks (Mann and Whitney)."""
    scores, positive = scores.flatten(), positive.flatten()
    _, place, count = scores.unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2)[place]  # equal scores share the mean of their ranks
    rank = rank.to(precise_dtype(scores.device))
    p, n = positive.sum().item(), (~positive).sum().item()
    return (rank[positive].sum().item() - p * (p + 1) / 2) / (p * n) if p and n else float("nan")


def reliability(
    futures: Float[Tensor, " s *n"], truth: Float[Tensor, "*n"], bins: int = 10
) -> dict[str, Num[Tensor, " bins"]]:
    """Predicted variance against observed squared error, in bins of equal count: on the diagonal is calibrated.

    Every entry of `truth` (a pixel of a frame, say) has S samples. The first half of them sorts the entries into bins
    by their variance; the second half is judged. One and the same estimate for both would turn its own noise into a
    slope, so that even a perfect model would look wrong at both ends. `predicted`: the mean variance of the second
    half times 1 + 1/n, n being their number, since a mean of n samples is a little off itself (as in
    `evaluate.evaluate`); `observed`: the mean squared distance of their mean from the truth; `count`.
    """
    if futures.shape[1:] != truth.shape or len(futures) < 4:
        raise ValueError(
            f"futures are at least 4 samples (S, ...) of what truth is one of, got {tuple(futures.shape)} and "
            f"{tuple(truth.shape)}"
        )
    if not 1 <= bins <= truth.numel():
        raise ValueError(f"bins must be from 1 to the number of entries, {truth.numel()}, got {bins}")
    sorting, judged = futures[: len(futures) // 2], futures[len(futures) // 2 :]
    predicted = judged.var(dim=0) * (1 + 1 / len(judged))
    observed = (judged.mean(dim=0) - truth).square()
    groups = sorting.var(dim=0).flatten().argsort(stable=True).tensor_split(bins)
    in_bins = {"predicted": predicted.flatten(), "observed": observed.flatten()}
    precise = precise_dtype(truth.device)
    found = {name: torch.stack([v[g].to(precise).mean() for g in groups]) for name, v in in_bins.items()}
    return found | {"count": torch.tensor([len(g) for g in groups])}


def ranks(
    samples: Float[Tensor, " s *n"], truth: Float[Tensor, "*n"], generator: torch.Generator | None = None
) -> Int[Tensor, "*n"]:
    """The place of the truth among its S samples, 0 (below all) to S (above all); ties are broken by chance.

    Of a calibrated model all places are equally likely. Samples too close together put the truth at both ends,
    samples too far apart in the middle. Anything with one number per sample will do: a row of `centre`, say.
    """
    if samples.shape[1:] != truth.shape:
        raise ValueError(
            f"samples are (S, ...) of what truth is one of, got {tuple(samples.shape)} and {tuple(truth.shape)}"
        )
    below, ties = (samples < truth).sum(dim=0), (samples == truth).sum(dim=0)
    chance = torch.rand(truth.shape, generator=generator, device=truth.device)
    return below + (chance * (ties + 1)).long().clamp(max=ties)


def rank_histogram(rank: Int[Tensor, "*n"], n_samples: int) -> Int[Tensor, " places"]:
    """How often each of the n_samples + 1 places occurs."""
    if rank.numel() and not (rank.amin() >= 0 and rank.amax() <= n_samples):
        raise ValueError(f"ranks among {n_samples} samples are 0 to {n_samples}, got {rank.amin()} to {rank.amax()}")
    return rank.flatten().bincount(minlength=n_samples + 1)
