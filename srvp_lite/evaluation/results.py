"""The scores of a model as plain numbers: measured, written to a file, read back, shown in a terminal.

Read in chapter 8.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from srvp_lite.checkpoint.shipped import shipped_dir, shipped_results
from srvp_lite.evaluation.drawing import SEED, Scoring, as_floats
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.evaluation.scoring import Scores, best_scores, pick_best
from srvp_lite.metrics.intervals import mean_and_interval
from srvp_lite.metrics.naive import copy_last, mean_frame
from srvp_lite.metrics.table import METRICS
from srvp_lite.model.clips import VideoModel

FORMAT = 2  # of results files; those without a number are the first
COUNTS = (1, 5, 20, 100)
CLIPS_AT_ONCE = 250  # of a prediction that needs no model

Interval = dict[str, float]  # "mean" over clips, and "interval", half the width of its 95 % interval


@dataclass(frozen=True)
class Conditions:
    """What was asked of a model, and how its answers were scored."""

    n_clips: int
    """Test clips."""
    n_cond: int
    """Frames given."""
    n_predicted: int
    """Frames predicted and scored."""
    n_samples: int
    """Futures of each clip."""
    seed: int
    """Seed of their noise."""
    steps_per_frame: int | None = None
    """Euler steps per frame interval; None is the model's own number."""
    precision: str = "float32"
    """What the networks computed in."""
    notes: dict[str, str] = field(default_factory=dict)
    """What else there is to say: of metrics, of what is best, of intervals."""


@dataclass(frozen=True)
class MetricResults:
    """What a metric of frames says of a model."""

    best_of: dict[int, Interval]
    """By number of samples: the best one of each clip, by its mean over the predicted frames."""
    expected: Interval
    """All samples."""
    per_frame: list[float]
    """The best of all samples, for each predicted frame."""
    copy_last: Interval | None = None
    """The last given frame, repeated; None where a metric was not asked."""
    mean_frame: Interval | None = None
    """The mean of the given frames, repeated."""


@dataclass(frozen=True)
class SetResults:
    """What a metric of sets says: one number for each draw of a future per clip."""

    draws: list[float]
    mean: float
    std: float


@dataclass(frozen=True)
class Calibration:
    """Whether samples are as far apart as the truth is from them."""

    spread: list[float]
    """Standard deviation of the samples, per predicted frame."""
    error: list[float]
    """Root mean square error of their mean, which the spread should equal."""
    ratio: float
    """Spread by error, over all frames; 1 is calibrated, less is too sure."""


@dataclass(frozen=True)
class Results:
    """All that an evaluation finds, and how it was made: what goes into a results file."""

    protocol: Conditions
    metrics: dict[str, MetricResults]
    """By name, the metrics of frames."""
    sets: dict[str, SetResults] = field(default_factory=dict)
    """By name, the metrics of sets of videos (FVD)."""
    calibration: Calibration | None = None
    """With several samples."""
    made: dict[str, Any] = field(default_factory=dict)
    """The command, the machine, the versions; empty for results that were only computed."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"format": FORMAT, "made": self.made, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], source: str | Path = "these results") -> Results:
        """The results that `to_dict` gave, or an older version's. Raises ValueError, naming `source`, for anything
        else."""
        number = d.get("format", 1)
        if not isinstance(number, int) or number > FORMAT:
            raise ValueError(f"{source} has format {number!r}, this package reads up to {FORMAT}; update srvp-lite")
        try:
            if number == 1:
                d = from_first_format(d)
            metrics: dict[str, dict[str, Any]] = {
                name: {**m, "best_of": {int(n): value for n, value in m["best_of"].items()}}  # JSON's keys are strings
                for name, m in d["metrics"].items()
            }
            return cls(
                Conditions(**d["protocol"]),
                {name: MetricResults(**m) for name, m in metrics.items()},
                {name: SetResults(**m) for name, m in d["sets"].items()},
                None if d["calibration"] is None else Calibration(**d["calibration"]),
                d["made"],
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{source} is no results file of srvp-lite evaluate: {what}") from error

    @classmethod
    def load(cls, path_or_name: str | Path) -> Results:
        """Results from a file that `srvp-lite evaluate --out` wrote, or shipped under a name. Raises FileNotFoundError
        where there is neither and ValueError for a file of something else."""
        path = Path(path_or_name)
        if not path.is_file():
            name = str(path_or_name)
            return cls.from_dict(shipped_results(name), shipped_dir("results") / f"{name}.json")
        try:
            d = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no results file: it is not valid JSON ({error})") from error
        if not isinstance(d, dict):
            raise ValueError(f"{path} is no results file of srvp-lite evaluate")
        return cls.from_dict(d, path)


def from_first_format(d: Mapping[str, Any]) -> dict[str, Any]:
    """Results as files without a number hold them, in today's form: metrics lay beside each other at the top."""
    known = {f.name for f in dataclasses.fields(Conditions)}
    protocol = {name: value for name, value in d["protocol"].items() if name in known}
    protocol["notes"] = {name: value for name, value in d["protocol"].items() if name not in known}
    parts = {name: part for name, part in d.items() if isinstance(part, dict)}
    return {
        "protocol": protocol,
        "metrics": {name: part for name, part in parts.items() if "best_of" in part},
        "sets": {name: part for name, part in parts.items() if "draws" in part},
        "calibration": d.get("calibration"),
        "made": d.get("made", {}),
    }


def evaluate(
    model: VideoModel,
    clips: Shaped[Tensor, "n t c h w"],
    n_cond: int,
    n_samples: int = 100,
    generator: torch.Generator | None = None,
    scoring: Scoring | None = None,
    partial: str | Path | None = None,
    progress: bool = False,
) -> Results:
    """The scores of a model on test clips, as plain numbers; arguments are those of `score_samples`.

    For each metric of frames: the best sample of each clip by its mean over the predicted frames, then mean and 95 %
    interval over the clips, for 1, 5, 20, ... samples; the mean over all samples; the best curve over predicted frames;
    and the two predictions that need no model. With several samples, their calibration.
    """
    scoring = Scoring() if scoring is None else scoring
    scores = score_samples(model, clips, n_cond, n_samples, generator, scoring, partial, progress)
    notes = {name: getattr(scoring.loaded.get(name), "version", METRICS[name].note) for name in scoring.names()}
    notes = {
        "best": "per metric and clip, by the mean over predicted frames",
        "interval": "1.96 standard deviations over clips / sqrt(number of clips)",
        **{name: note for name, note in notes.items() if note},
    }
    return Results(
        Conditions(
            n_clips=len(clips),
            n_cond=n_cond,
            n_predicted=clips.shape[1] - n_cond,
            n_samples=n_samples,
            seed=SEED if generator is None else generator.initial_seed(),
            steps_per_frame=scoring.steps_per_frame,
            precision="bf16" if scoring.bf16 else "float32",
            notes=notes,
        ),
        {name: metric_results(name, score, clips, n_cond) for name, score in scores.metrics.items()},
        {name: set_results(values) for name, values in scores.distances.items()},
        calibration(scores, n_samples) if n_samples > 1 else None,
    )


def metric_results(name: str, score: Tensor, clips: Tensor, n_cond: int) -> MetricResults:
    """The numbers of one metric from the score (S, N, T) of each sample, clip and frame."""
    per_clip, n_samples = score.mean(dim=2), len(score)
    best = pick_best(name, per_clip)
    return MetricResults(
        {
            n: mean_and_interval(best_scores(name, per_clip[:n]))
            for n in sorted({c for c in COUNTS if c <= n_samples} | {n_samples})
        },
        mean_and_interval(per_clip.mean(dim=0)),
        score[best, torch.arange(len(clips))].mean(dim=0).tolist(),
        without_a_model(name, copy_last, clips, n_cond),
        without_a_model(name, mean_frame, clips, n_cond),
    )


def without_a_model(name: str, predict: Callable[..., Tensor], clips: Tensor, n_cond: int) -> Interval | None:
    """The score of a prediction that needs no model; of metrics that need weights, None: it would be as dear as a
    model's."""
    row, n_frames = METRICS[name], clips.shape[1] - n_cond
    if row.needs_weights:
        return None
    values = [
        row.function(predict(some[:, :n_cond], n_frames), some[:, n_cond:]).mean(dim=1)
        for some in map(as_floats, clips.split(CLIPS_AT_ONCE))
    ]
    return mean_and_interval(torch.cat(values))


def set_results(values: list[float]) -> SetResults:
    draws = torch.tensor(values, dtype=torch.float64)
    return SetResults(values, draws.mean().item(), draws.std(correction=0).item())


def calibration(scores: Scores, n_samples: int) -> Calibration:
    """Spread of the samples and error of their mean, frame by frame, and the ratio of the two over all frames."""
    # The mean of S samples is itself a little off: a calibrated truth is (1 + 1/S) variances away from it.
    spread = (scores.spread.mean(dim=0) * (1 + 1 / n_samples)).sqrt()
    error = scores.error.mean(dim=0).sqrt()
    ratio = (spread.square().mean() / error.square().mean()).sqrt().item()
    return Calibration(spread.tolist(), error.tolist(), ratio)


def table(results: Results) -> str:
    """The results of `evaluate` as a small table for a terminal."""
    p = results.protocol
    lines = [
        f"{p.n_clips} clips, {p.n_cond} frames given, {p.n_predicted} predicted, {p.n_samples} samples, "
        f"seed {p.seed}; mean +- 95 %"
    ]
    counts = sorted({n for m in results.metrics.values() for n in m.best_of})
    rows: list[tuple[str, Callable[[MetricResults], Interval | None]]] = [
        *((f"best of {n}", lambda m, n=n: m.best_of.get(n)) for n in counts),
        ("one sample, expected", lambda m: m.expected),
        ("copy last frame", lambda m: m.copy_last),
        ("mean frame", lambda m: m.mean_frame),
    ]
    for label, pick in rows:
        line = f"  {label:<22}"
        for name, row in METRICS.items():
            value = pick(results.metrics[name]) if name in results.metrics else None
            if value is not None:
                unit = f" {row.unit}" if row.unit else ""
                line += (
                    f" {row.label} {value['mean']:{4 + row.digits}.{row.digits}f} +- "
                    f"{value['interval']:.{row.digits}f}{unit}  "
                )
        lines.append(line.rstrip())
    for name, found in results.sets.items():
        row = METRICS[name]
        lines.append(
            f"  {row.label} {found.mean:.{row.digits}f} +- {found.std:.{row.digits}f} over {len(found.draws)} draws, "
            f"n = {p.n_clips}" + ("" if row.as_in_paper else "; not as in the paper")
        )
    if results.calibration is not None:
        lines.append(
            f"  spread of the samples / error of their mean: {results.calibration.ratio:.2f} (1 is calibrated)"
        )
    return "\n".join(lines)
