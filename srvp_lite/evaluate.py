"""The paper's protocol: many futures per test clip, the best one counts, per metric.

Read in chapter 8. Conditioning frames never count. The best of many samples says whether the true future is among
those the model imagines; it flatters a model whose samples are merely spread out, so the expected score of one
sample is reported beside it, and whether the samples are as far apart as the truth is from them.

Clips are worked through in groups; the noise of each comes from (seed, number of its first clip). So an evaluation
can be stopped and gone on with, and any group's samples can be drawn again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from srvp_lite import checkpoint, metrics
from srvp_lite.metrics.fvd import FVD, Moments, frechet_distance
from srvp_lite.models import VideoModel
from srvp_lite.rearranged import rearranged
from srvp_lite.step import seed_of

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped, UInt8
    from torch import Tensor

METRICS: dict[str, Callable] = {"psnr": metrics.psnr, "ssim": metrics.ssim}
LOWER_IS_BETTER = {"lpips"}
FVD_DRAWS = 5
COUNTS = (1, 5, 20, 100)
PIXELS_AT_ONCE = 2**18  # of a metric on a CPU


@dataclass(frozen=True)
class Scores:
    """What `score_samples` finds out."""

    metrics: dict[str, Float[Tensor, "s n t"]]
    """Of each metric, the score of each sample, clip and predicted frame."""
    spread: Float[Tensor, "n t"]
    """Variance of the samples about their mean, averaged over the pixels of each frame (unbiased)."""
    error: Float[Tensor, "n t"]
    """Squared distance of the samples' mean from the truth, averaged likewise."""
    fvd: list[float]
    """Frechet distances to the true videos, one for each of a few draws of a sample per clip; empty without FVD."""


@torch.no_grad()
def score_samples(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int = 100,
    seed: int = 42,
    metric_names: tuple[str, ...] = ("psnr", "ssim"),
    frames_per_call: int = 8000,
    progress: bool = False,
    lpips: Callable | None = None,
    fvd: FVD | None = None,
    partial: str | Path | None = None,
    steps_per_frame: int | None = None,
    bf16: bool = False,
) -> Scores:
    """Scores `n_samples` futures of each clip, frame by frame.

    `clips` are floats in [0, 1] or bytes. The first `n_cond` frames of the clips condition, the rest is the truth.
    Clips are worked through in order, in groups of at most `frames_per_call` predicted frames; the noise depends on
    `seed` and on that number, not on the device's memory. `lpips` and `fvd` are the loaded metrics, where those are
    wanted. `partial` is a file in which the scores so far are kept, once a minute, and from which an interrupted call
    with the same arguments goes on. With `bf16` the networks compute in 16 bits, the scores in 32 as ever.
    """
    known = {**METRICS, **({"lpips": lpips} if lpips is not None else {})}
    unknown = set(metric_names) - known.keys()
    if unknown:
        raise ValueError(f"unknown metric(s) {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    n_clips, n_frames = clips.shape[0], clips.shape[1] - n_cond
    if n_frames < 1:
        raise ValueError(f"clips of {clips.shape[1]} frames leave nothing to predict after n_cond={n_cond}")
    names = (*metric_names, "lpips") if lpips is not None and "lpips" not in metric_names else metric_names
    draws = min(FVD_DRAWS, n_samples) if fvd is not None else 0
    device = next(model.parameters()).device
    samples_per_call = max(1, min(n_samples, frames_per_call // n_frames))
    clips_per_call = max(1, frames_per_call // (samples_per_call * n_frames))
    state = {
        "of": [n_clips, n_cond, n_frames, n_samples, seed, frames_per_call, *names, draws, steps_per_frame, bf16],
        "done": 0,
        "scores": {name: torch.empty(n_samples, n_clips, n_frames) for name in names},
        "spread": torch.zeros(n_clips, n_frames),
        "error": torch.zeros(n_clips, n_frames),
        "moments": [vars(Moments()) for _ in range(draws + 1)],  # of the true videos, then of each draw
    }
    if partial is not None:
        state["of"] += [digest(model.state_dict().values()), digest([clips])]
    if partial is not None and Path(partial).is_file():
        before = checkpoint.read_tensors(partial)
        if before["of"] != state["of"]:
            raise ValueError(f"{partial} holds part of another evaluation; delete it to start over")
        state = before
    saved = time.perf_counter()
    bar = tqdm(total=n_clips, initial=state["done"], disable=not progress, desc="evaluate", unit="clip")
    with rearranged(model, bf16):
        for first in range(state["done"], n_clips, clips_per_call):
            group = as_floats(clips[first : first + clips_per_call].to(device))
            truth, where = group[None, :, n_cond:], slice(first, first + len(group))
            generator = torch.Generator(device).manual_seed(seed_of(seed, first, 0, "evaluate"))
            pixels = PixelMoments()
            if draws:
                add_features(fvd, state["moments"][0], group)
            for start in range(0, n_samples, samples_per_call):
                n = min(samples_per_call, n_samples - start)
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):  # the model's; scores are float32
                    futures = model.predict(
                        group[:, :n_cond], n_frames, n, steps_per_frame, generator=generator
                    ).float()
                for name in names:
                    score = in_parts(known[name], futures, truth) if name in METRICS else known[name](futures, truth)
                    state["scores"][name][start : start + n, where] = score.cpu()
                for future in futures:
                    pixels.add(future)
                for draw in range(start, min(draws, start + n)):
                    add_features(
                        fvd, state["moments"][1 + draw], torch.cat([group[:, :n_cond], futures[draw - start]], 1)
                    )
            state["spread"][where] = pixels.variance().mean(dim=(2, 3, 4)).cpu()
            state["error"][where] = (pixels.mean() - truth[0]).square().mean(dim=(2, 3, 4)).cpu()
            state["done"] = where.stop
            bar.update(len(group))
            if partial is not None and time.perf_counter() - saved > 60:
                checkpoint.write_tensors(partial, state)
                saved = time.perf_counter()
    bar.close()
    if partial is not None:
        checkpoint.write_tensors(partial, state)
    truth_moments, *drawn = (restored(m) for m in state["moments"]) if draws else (None,)
    distances = [frechet_distance(truth_moments, m) for m in drawn]
    return Scores(state["scores"], state["spread"], state["error"], distances)


class PixelMoments:
    """Mean and variance of a clip's samples, pixel by pixel, from sums over one sample after the other."""

    def __init__(self):
        self.n = 0

    def add(self, future: Float[Tensor, "*n"]) -> None:
        if self.n == 0:
            self.first = future.clone()  # sums of distances from a sample keep the digits of a small variance
            self.total, self.squares = torch.zeros_like(future), torch.zeros_like(future)
        distance = future - self.first
        self.total += distance
        self.squares.addcmul_(distance, distance)
        self.n += 1

    def mean(self) -> Float[Tensor, "*n"]:
        return self.first + self.total / self.n

    def variance(self) -> Float[Tensor, "*n"]:
        """Unbiased; 0 for one sample."""
        biased = (self.squares / self.n - (self.total / self.n).square()).clamp(min=0)
        return biased * self.n / max(1, self.n - 1)


def in_parts(metric: Callable, futures: Float[Tensor, "s n t c h w"], truth: Float[Tensor, "1 n t c h w"]) -> Tensor:
    """A metric of every sample, a few clips at a time on a CPU: what it computes on the way then fits into memory that
    the allocator keeps (see `model.frames_at_once`)."""
    if futures.device.type != "cpu":
        return metric(futures, truth.expand_as(futures))
    clips = max(1, PIXELS_AT_ONCE // futures[0, 0].numel())
    scores = [
        torch.cat([metric(*some) for some in zip(future.split(clips), truth[0].split(clips))]) for future in futures
    ]
    return torch.stack(scores)


def as_floats(clips: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Clips as floats in [0, 1], whether they came as such or as bytes."""
    return clips if clips.is_floating_point() else clips.float() / 255


def to_bytes(clips: Float[Tensor, "*n"]) -> UInt8[Tensor, "*n"]:
    """Frames as a file would hold them, cut off at whole numbers as in the official script."""
    return (clips * 255).to(torch.uint8)


def digest(tensors: Iterable[Tensor]) -> str:
    """A hash of what tensors hold."""
    h = hashlib.sha256()
    for t in tensors:
        h.update(t.detach().cpu().contiguous().numpy())
    return h.hexdigest()


def add_features(fvd: FVD, moments: dict, videos: Float[Tensor, "n t c h w"]) -> None:
    m = restored(moments)
    m.add(fvd.features(to_bytes(videos)))
    moments.update(vars(m))


def restored(moments: dict) -> Moments:
    m = Moments()
    vars(m).update(moments)
    return m


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


def pick_best(name: str, per_clip: Float[Tensor, "s n"]) -> Shaped[Tensor, n]:
    """Number of the best sample of each clip."""
    return per_clip.argmin(dim=0) if name in LOWER_IS_BETTER else per_clip.argmax(dim=0)


def mean_and_interval(values: Float[Tensor, n]) -> dict[str, float]:
    """Mean over clips and half width of its 95 % interval, 1.96 std / sqrt(n)."""
    spread = values.std(correction=0).item() if len(values) > 1 else 0.0
    return {"mean": values.mean().item(), "interval": 1.96 * spread / len(values) ** 0.5}


@torch.no_grad()
def best_worst_random(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int,
    seed: int = 42,
    metric: str = "psnr",
    n_clips: int = 8,
    steps_per_frame: int | None = None,
) -> dict[str, UInt8[Tensor, "first t c h w"]]:
    """For the first clips: the truth, the best and the worst of as many samples by a metric, and the first one drawn.

    The samples are drawn for the pictures, eight at a time. Bytes (n, T, C, H, W), conditioning frames included.
    """
    clips = as_floats(clips[:n_clips].to(next(model.parameters()).device))
    generator = torch.Generator(clips.device).manual_seed(seed_of(seed, 0, 0, "pictures"))
    given, truth = clips[:, :n_cond], clips[:, n_cond:]
    chosen, best, worst = {"truth": truth}, None, None
    for start in range(0, n_samples, 8):
        n = min(8, n_samples - start)
        futures = model.predict(given, truth.shape[1], n, steps_per_frame, generator=generator).float()
        scores = METRICS[metric](futures, truth[None].expand_as(futures)).mean(dim=2)
        for future, score in zip(futures, scores):
            if best is None:
                best = worst = score
                chosen |= {"best": future, "worst": future, "random": future}
            better, worse = ((m)[:, None, None, None, None] for m in (score > best, score < worst))
            chosen["best"] = torch.where(better, future, chosen["best"])
            chosen["worst"] = torch.where(worse, future, chosen["worst"])
            best, worst = torch.maximum(best, score), torch.minimum(worst, score)
    return {name: to_bytes(torch.cat([given, future], 1)).cpu() for name, future in chosen.items()}


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
