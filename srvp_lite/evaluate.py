"""The paper's protocol: many futures per test clip, the best one counts, per metric.

Read in chapter 8. Conditioning frames never count. The best of many samples says whether the true future is among
those the model imagines; it flatters a model whose samples are merely spread out, so the expected score of one
sample is reported beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from srvp_lite import metrics
from srvp_lite.model import SRVP

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

METRICS = {"psnr": metrics.psnr, "ssim": metrics.ssim}


@torch.no_grad()
def score_samples(
    model: SRVP,
    clips: Float[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int = 100,
    seed: int = 42,
    metric_names: tuple[str, ...] = ("psnr", "ssim"),
    frames_per_call: int = 8000,
    progress: bool = False,
) -> dict[str, Float[Tensor, "s n t_pred"]]:
    """Scores `n_samples` futures of each clip, frame by frame.

    The first `n_cond` frames of the clips condition, the rest is the truth. Returns for each metric a tensor
    (n_samples, N, T - n_cond) on the CPU. Clips are worked through in order, in groups of at most `frames_per_call`
    predicted frames; the noise depends on `seed` and on that number, not on the device's memory.
    """
    unknown = set(metric_names) - METRICS.keys()
    if unknown:
        raise ValueError(f"unknown metric(s) {', '.join(sorted(unknown))}; there are {', '.join(METRICS)}")
    n_clips, n_frames = clips.shape[0], clips.shape[1] - n_cond
    if n_frames < 1:
        raise ValueError(f"clips of {clips.shape[1]} frames leave nothing to predict after n_cond={n_cond}")
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    samples_per_call = max(1, min(n_samples, frames_per_call // n_frames))
    clips_per_call = max(1, frames_per_call // (samples_per_call * n_frames))
    scores = {name: torch.empty(n_samples, n_clips, n_frames) for name in metric_names}
    for first in tqdm(range(0, n_clips, clips_per_call), disable=not progress, desc="evaluate", unit="group"):
        group = clips[first : first + clips_per_call].to(device)
        truth = group[None, :, n_cond:]
        for start in range(0, n_samples, samples_per_call):
            n = min(samples_per_call, n_samples - start)
            futures = model.predict(group[:, :n_cond], n_frames, n, generator=generator)
            for name in metric_names:
                score = METRICS[name](futures, truth.expand_as(futures))
                scores[name][start : start + n, first : first + len(group)] = score.cpu()
    return scores


def evaluate(
    model: SRVP,
    clips: Float[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int = 100,
    seed: int = 42,
    progress: bool = False,
) -> dict:
    """The scores of a model on test clips, as plain numbers: what goes into a results file.

    For each metric: the best sample of each clip by its mean over the predicted frames, then mean and 95 % interval
    over the clips, for 1, 5, 20, ... samples (`best_of`); the mean over all samples (`expected`); the best curve over
    predicted frames (`per_frame`); and the two baselines that need no model (`copy_last`, `mean_frame`).
    """
    scores = score_samples(model, clips, n_cond, n_samples, seed, progress=progress)
    n_frames = clips.shape[1] - n_cond
    baselines = {"copy_last": metrics.copy_last, "mean_frame": metrics.mean_frame}
    truth = clips[:, n_cond:]
    results = {}
    for name, score in scores.items():
        per_clip = score.mean(dim=2)
        counts = [n for n in (1, 5, 20, 100) if n <= n_samples]
        best = per_clip.argmax(dim=0)
        results[name] = {
            "best_of": {str(n): mean_and_interval(per_clip[:n].amax(dim=0)) for n in counts},
            "expected": mean_and_interval(per_clip.mean(dim=0)),
            "per_frame": score[best, torch.arange(len(clips))].mean(dim=0).tolist(),
        }
        for baseline, predict in baselines.items():
            prediction = predict(clips[:, :n_cond], n_frames)
            results[name][baseline] = mean_and_interval(METRICS[name](prediction, truth).mean(dim=1))
    return {
        "protocol": {
            "n_clips": len(clips),
            "n_cond": n_cond,
            "n_predicted": n_frames,
            "n_samples": n_samples,
            "seed": seed,
            "best": "per metric and clip, by the mean over predicted frames",
            "interval": "1.96 standard deviations over clips / sqrt(number of clips)",
        },
        **results,
    }


def mean_and_interval(values: Float[Tensor, n]) -> dict[str, float]:
    """Mean over clips and half width of its 95 % interval, 1.96 std / sqrt(n)."""
    spread = values.std(correction=0).item() if len(values) > 1 else 0.0
    return {"mean": values.mean().item(), "interval": 1.96 * spread / len(values) ** 0.5}


def table(results: dict) -> str:
    """The results of `evaluate` as a small table for a terminal."""
    p = results["protocol"]
    lines = [
        f"{p['n_clips']} clips, {p['n_cond']} frames given, {p['n_predicted']} predicted, {p['n_samples']} samples, "
        f"seed {p['seed']}; mean +- 95 %"
    ]
    rows = [(f"best of {n}", lambda m, n=n: m["best_of"][n]) for n in results["psnr"]["best_of"]]
    rows += [
        (label, lambda m, key=key: m[key])
        for label, key in [
            ("one sample, expected", "expected"),
            ("copy last frame", "copy_last"),
            ("mean frame", "mean_frame"),
        ]
    ]
    for label, pick in rows:
        psnr, ssim = pick(results["psnr"]), pick(results["ssim"])
        lines.append(
            f"  {label:<22} PSNR {psnr['mean']:6.2f} +- {psnr['interval']:.2f} dB   "
            f"SSIM {ssim['mean']:.4f} +- {ssim['interval']:.4f}"
        )
    return "\n".join(lines)
