"""Scores of futures, summed up as the futures come, so that none needs to be kept.

Read in chapter 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from srvp_lite.evaluation.drawing import Futures, Scoring
from srvp_lite.metrics.fvd import Moments, frechet_distance
from srvp_lite.metrics.table import METRICS

SET_DRAWS = 5  # futures of each clip, each of which makes a set of videos
PIXELS_AT_ONCE = 2**18  # of a metric on a CPU


@dataclass(frozen=True)
class Scores:
    """What `score_samples` finds out."""

    metrics: dict[str, Float[Tensor, "s n t"]]
    """Of each metric of frames, the score of each sample, clip and predicted frame."""
    spread: Float[Tensor, "n t"]
    """Variance of the samples about their mean, averaged over the pixels of each frame (unbiased)."""
    error: Float[Tensor, "n t"]
    """Squared distance of the samples' mean from the truth, averaged likewise."""
    distances: dict[str, list[float]]
    """Of each metric of sets (FVD), the distance from the true videos for each of a few draws of a sample per clip."""


class Scorer:
    """Takes in futures, group by group and in order, and knows their scores when all have come."""

    def __init__(self, n_clips: int, n_frames: int, n_samples: int, scoring: Scoring) -> None:
        rows = {name: METRICS[name] for name in scoring.names()}
        self.of_frames = {name: scoring.loaded.get(name, row.function) for name, row in rows.items() if not row.of_sets}
        self.of_sets = {name: scoring.loaded[name] for name, row in rows.items() if row.of_sets}
        self.n_samples, self.done = n_samples, 0
        self.scores = {name: torch.empty(n_samples, n_clips, n_frames) for name in self.of_frames}
        self.spread, self.error = torch.zeros(n_clips, n_frames), torch.zeros(n_clips, n_frames)
        n_sets = 1 + min(SET_DRAWS, n_samples)  # the true videos, then each draw
        self.moments = {name: [Moments() for _ in range(n_sets)] for name in self.of_sets}
        self.pixels = PixelMoments()

    def add(self, futures: Futures) -> None:
        """Scores some futures; after the last ones of a group, `done` is the number of clips that are finished."""
        clips, samples, truth = futures.clips, futures.samples, futures.truth
        for name, metric in self.of_frames.items():
            if METRICS[name].needs_weights:  # which compute what they need of the truth once for all samples
                score = metric(futures.frames, truth[None])
            else:
                score = in_parts(metric, futures.frames, truth[None])
            self.scores[name][samples, clips] = score.cpu()
        self.add_to_sets(futures)
        if samples.start == 0:
            self.pixels = PixelMoments()
        for future in futures.frames:
            self.pixels.add(future)
        if samples.stop == self.n_samples:
            self.spread[clips] = self.pixels.variance().mean(dim=(2, 3, 4)).cpu()
            self.error[clips] = (self.pixels.mean() - truth).square().mean(dim=(2, 3, 4)).cpu()
            self.done = clips.stop

    def add_to_sets(self, futures: Futures) -> None:
        for name, metric in self.of_sets.items():
            of_truth, *of_draws = self.moments[name]
            if futures.samples.start == 0:
                of_truth.add(metric.features(to_bytes(torch.cat([futures.given, futures.truth], 1))))
            for moments, future in zip(of_draws[futures.samples.start :], futures.frames):
                moments.add(metric.features(to_bytes(torch.cat([futures.given, future], 1))))

    def result(self) -> Scores:
        """The scores, once all clips are done."""
        distances = {
            name: [frechet_distance(of_truth, m) for m in of_draws]
            for name, (of_truth, *of_draws) in self.moments.items()
        }
        return Scores(self.scores, self.spread, self.error, distances)

    def state_dict(self) -> dict[str, Any]:
        """What is known after a whole group, to be saved and given to `load_state_dict`."""
        moments = {name: [m.state_dict() for m in some] for name, some in self.moments.items()}
        return {
            "done": self.done, "scores": self.scores, "spread": self.spread, "error": self.error, "moments": moments,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        self.done, self.scores, self.spread, self.error = (state[k] for k in ("done", "scores", "spread", "error"))
        for name, some in self.moments.items():
            for m, saved in zip(some, state["moments"][name]):
                m.load_state_dict(saved)


class PixelMoments:
    """Mean and variance of a clip's samples, pixel by pixel, from sums over one sample after the other."""

    def __init__(self) -> None:
        self.n = 0

    def add(self, future: Float[Tensor, "*n"]) -> None:
        """Takes in one sample of every clip."""
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


def in_parts(
    metric: Callable[..., Tensor], futures: Float[Tensor, "s n t c h w"], truth: Float[Tensor, "1 n t c h w"]
) -> Float[Tensor, "s n t"]:
    """A metric of every sample, a few clips at a time on a CPU: what it computes on the way then fits into memory that
    the allocator keeps (see `model.frames_at_once`)."""
    if futures.device.type != "cpu":
        return metric(futures, truth.expand_as(futures))
    clips = max(1, PIXELS_AT_ONCE // futures[0, 0].numel())
    scores = [
        torch.cat([metric(*some) for some in zip(future.split(clips), truth[0].split(clips))]) for future in futures
    ]
    return torch.stack(scores)


def to_bytes(clips: Float[Tensor, "*n"]) -> UInt8[Tensor, "*n"]:
    """Frames as a file would hold them, cut off at whole numbers as in the official script."""
    return (clips * 255).to(torch.uint8)


def pick_best(name: str, per_clip: Float[Tensor, "s n"]) -> Int[Tensor, " n"]:
    """Number of the best sample of each clip by the metric of this name."""
    return per_clip.argmin(dim=0) if METRICS[name].better == "lower" else per_clip.argmax(dim=0)


def best_scores(name: str, per_clip: Float[Tensor, "s n"]) -> Float[Tensor, " n"]:
    """Score of the best sample of each clip by the metric of this name."""
    return per_clip.gather(0, pick_best(name, per_clip)[None])[0]
