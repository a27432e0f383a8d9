"""The best, the worst and a random future beside the truth."""

from __future__ import annotations

import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from srvp_lite.evaluation.drawing import SEED, as_floats
from srvp_lite.evaluation.scoring import to_bytes
from srvp_lite.metrics.table import METRICS
from srvp_lite.model.clips import VideoModel, prediction_options
from srvp_lite.utils.seeds import seed_of


@torch.no_grad()
def best_worst_random(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int,
    generator: torch.Generator | None = None,
    metric: str = "psnr",
    n_clips: int = 8,
    steps_per_frame: int | None = None,
) -> dict[str, UInt8[Tensor, "first t c h w"]]:
    """For the first clips: the truth, the best and the worst of as many samples by a metric, and the first one drawn.

    The samples are drawn for the pictures, eight at a time. Of `generator` the seed it started from is used (42 without
    one). `metric` is one that needs no weights. Bytes (n, T, C, H, W), conditioning frames included.
    """
    row = METRICS.get(metric)
    if row is None or row.needs_weights:
        known = ", ".join(name for name, r in METRICS.items() if not r.needs_weights)
        raise ValueError(f"samples are picked by a metric without weights, {known}; got {metric!r}")
    clips = as_floats(clips[:n_clips].to(next(model.parameters()).device))
    seed = SEED if generator is None else generator.initial_seed()
    noise = torch.Generator(clips.device).manual_seed(seed_of(seed, 0, 0, "pictures"))
    given, truth = clips[:, :n_cond], clips[:, n_cond:]
    options = prediction_options(model, steps_per_frame=steps_per_frame)
    sign = -1 if row.better == "lower" else 1
    chosen: dict[str, Tensor] = {"truth": truth}
    best = worst = torch.empty(0)
    for start in range(0, n_samples, 8):
        n = min(8, n_samples - start)
        futures = model.predict(given, truth.shape[1], n, generator=noise, **options).float()
        scores = sign * row.function(futures, truth[None].expand_as(futures)).mean(dim=2)
        for future, score in zip(futures, scores):
            if "random" not in chosen:
                best = worst = score
                chosen |= {"best": future, "worst": future, "random": future}
            better, worse = (m[:, None, None, None, None] for m in (score > best, score < worst))
            chosen["best"] = torch.where(better, future, chosen["best"])
            chosen["worst"] = torch.where(worse, future, chosen["worst"])
            best, worst = torch.maximum(best, score), torch.minimum(worst, score)
    return {name: to_bytes(torch.cat([given, future], 1)).cpu() for name, future in chosen.items()}
