"""The scores of a model as plain numbers: what goes into a results file, and what a terminal shows.

Read in chapter 8.
"""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor

from srvp_lite import metrics
from srvp_lite.evaluation.protocol import METRICS, Scores, as_floats, pick_best, score_samples
from srvp_lite.metrics.intervals import mean_and_interval
from srvp_lite.model.build import VideoModel

COUNTS = (1, 5, 20, 100)


def evaluate(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int = 100,
    seed: int = 42,
    progress: bool = False,
    **options,
) -> dict:
    """The scores of a model on test clips, as plain numbers: what goes into a results file.

    For each metric: the best sample of each clip by its mean over the predicted frames, then mean and 95 % interval
    over the clips, for 1, 5, 20, ... samples (`best_of`); the mean over all samples (`expected`); the best curve over
    predicted frames (`per_frame`); and the two baselines that need no model (`copy_last`, `mean_frame`). With several
    samples, `calibration`: per predicted frame the standard deviation of the samples, and the root mean square error
    of their mean, which it should equal. `options` are those of `score_samples`.
    """
    scores = score_samples(model, clips, n_cond, n_samples, seed, progress=progress, **options)
    n_frames = clips.shape[1] - n_cond
    results = {}
    for name, score in scores.metrics.items():
        per_clip = score.mean(dim=2)
        best = pick_best(name, per_clip)
        results[name] = {
            "best_of": {
                str(n): mean_and_interval(per_clip[:n].gather(0, pick_best(name, per_clip[:n])[None])[0])
                for n in sorted({c for c in COUNTS if c <= n_samples} | {n_samples})
            },
            "expected": mean_and_interval(per_clip.mean(dim=0)),
            "per_frame": score[best, torch.arange(len(clips))].mean(dim=0).tolist(),
        }
        if name in METRICS:
            for baseline in (metrics.copy_last, metrics.mean_frame):
                values = [
                    METRICS[name](baseline(some[:, :n_cond], n_frames), some[:, n_cond:]).mean(dim=1)
                    for some in map(as_floats, clips.split(250))
                ]
                results[name][baseline.__name__] = mean_and_interval(torch.cat(values))
    if scores.fvd:
        draws = torch.tensor(scores.fvd, dtype=torch.float64)
        results["fvd"] = {"draws": scores.fvd, "mean": draws.mean().item(), "std": draws.std(correction=0).item()}
    if n_samples > 1:
        results["calibration"] = calibration(scores, n_samples)
    return {
        "protocol": {
            "n_clips": len(clips),
            "n_cond": n_cond,
            "n_predicted": n_frames,
            "n_samples": n_samples,
            "seed": seed,
            "steps_per_frame": options.get("steps_per_frame"),
            "precision": "bf16" if options.get("bf16") else "float32",
            "best": "per metric and clip, by the mean over predicted frames",
            "interval": "1.96 standard deviations over clips / sqrt(number of clips)",
            "ssim": "11x11 Gaussian of 1.5 pixels, inside the frame",
            **({"lpips": options["lpips"].version} if options.get("lpips") is not None else {}),
            **(
                {"fvd": f"I3D (torch port), sha256 {options['fvd'].sha256}, conditioning and predicted frames"}
                if options.get("fvd") is not None
                else {}
            ),
        },
        **results,
    }


def calibration(scores: Scores, n_samples: int) -> dict[str, list[float] | float]:
    """Spread of the samples and error of their mean, frame by frame, and the ratio of the two over all frames."""
    # The mean of S samples is itself a little off: a calibrated truth is (1 + 1/S) variances away from it.
    spread = (scores.spread.mean(dim=0) * (1 + 1 / n_samples)).sqrt()
    error = scores.error.mean(dim=0).sqrt()
    ratio = (spread.square().mean() / error.square().mean()).sqrt().item()
    return {"spread": spread.tolist(), "error": error.tolist(), "ratio": ratio}


def table(results: dict) -> str:
    """The results of `evaluate` as a small table for a terminal."""
    p = results["protocol"]
    lines = [
        f"{p['n_clips']} clips, {p['n_cond']} frames given, {p['n_predicted']} predicted, {p['n_samples']} samples, "
        f"seed {p['seed']}; mean +- 95 %"
    ]
    rows = [(f"best of {n}", lambda m, n=n: m["best_of"][n]) for n in results["psnr"]["best_of"]]
    rows += [
        (label, lambda m, key=key: m.get(key))
        for label, key in [
            ("one sample, expected", "expected"),
            ("copy last frame", "copy_last"),
            ("mean frame", "mean_frame"),
        ]
    ]
    digits = {"psnr": ("PSNR", 2, " dB"), "ssim": ("SSIM", 4, ""), "lpips": ("LPIPS", 4, "")}
    for label, pick in rows:
        line = f"  {label:<22}"
        for name, (head, n, unit) in digits.items():
            value = pick(results[name]) if name in results else None
            if value is not None:
                line += f" {head} {value['mean']:{4 + n}.{n}f} +- {value['interval']:.{n}f}{unit}  "
        lines.append(line.rstrip())
    if "fvd" in results:
        f = results["fvd"]
        lines.append(
            f"  FVD (torch port) {f['mean']:.1f} +- {f['std']:.1f} over {len(f['draws'])} draws, n = {p['n_clips']}"
        )
    if "calibration" in results:
        lines.append(
            f"  spread of the samples / error of their mean: {results['calibration']['ratio']:.2f} (1 is calibrated)"
        )
    return "\n".join(lines)
