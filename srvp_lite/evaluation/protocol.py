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

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor
from tqdm.auto import tqdm

from srvp_lite import checkpoint, metrics
from srvp_lite.metrics.fvd import FVD, Moments, frechet_distance
from srvp_lite.model.build import VideoModel
from srvp_lite.model.fused import rearranged
from srvp_lite.utils.seeds import seed_of

METRICS: dict[str, Callable] = {"psnr": metrics.psnr, "ssim": metrics.ssim}
LOWER_IS_BETTER = {"lpips"}
FVD_DRAWS = 5
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


def pick_best(name: str, per_clip: Float[Tensor, "s n"]) -> Shaped[Tensor, " n"]:
    """Number of the best sample of each clip."""
    return per_clip.argmin(dim=0) if name in LOWER_IS_BETTER else per_clip.argmax(dim=0)
