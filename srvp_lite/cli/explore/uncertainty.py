"""`srvp-lite explore uncertainty`: where futures differ, and whether the model is as sure as it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from srvp_lite.cli.explore.common import Drawn, Loaded, pick, print_table


@dataclass
class Options:
    """Show where futures differ, whether the model is surprised when a digit bounces, and whether it is as sure as it
    may be.

    Example: srvp-lite explore uncertainty lite-stochastic --samples 20 --out variance.gif
    """

    common: Drawn
    clip: int = 0
    """Number of the test clip to draw."""
    samples: int = 20
    """Futures drawn per clip."""
    shown: int = 3
    """How many of them to draw in the picture."""
    n_frames: int | None = None
    """Frames to predict; by default as many as the model was validated with."""
    bins: int = 10
    """Rows of the table of predicted and observed errors."""


def run(args: Options, loaded: Loaded) -> dict:
    import torch

    from srvp_lite import explore

    if args.samples < 4:
        raise ValueError(f"to judge the spread of samples takes 4 of them at least, got --samples {args.samples}")
    t = loaded.experiment.train
    n = args.n_frames or t.n_frames_test - t.n_cond
    clips = loaded.clips(args.common.n_clips, t.n_cond + n)
    drawn = pick(clips, args.clip)  # complain before the work
    given, truth = clips[:, : t.n_cond], clips[:, t.n_cond :]
    generator = loaded.generator()
    futures = loaded.model.predict(given, n, args.samples, generator=generator)
    spread = explore.disagreement(futures).mean(dim=0).sqrt().tolist()
    print("standard deviation of a pixel over the futures, frame by frame:", "  ".join(f"{s:.3f}" for s in spread))
    numbers: dict[str, Any] = {"samples": args.samples, "spread": spread}
    if (with_truth := loaded.truth(len(clips), clips.shape[1])) is not None:
        kl = explore.kl_per_step(loaded.model, clips, generator)
        auc = explore.surprise_auc(kl, with_truth.bounces, lag=1, generator=torch.Generator().manual_seed(0))
        print(
            "the KL of a step tells bounces from calm: area under the ROC curve "
            f"{auc['value']:.2f} ({auc['low']:.2f} to {auc['high']:.2f}), chance is 0.5"
        )
        numbers["auc"] = auc
    table = {name: values.tolist() for name, values in explore.reliability(futures, truth, args.bins).items()}
    bins = zip(table["count"], table["predicted"], table["observed"])
    print_table(("pixels", "predicted std", "observed error"), [(f"{n:,}", p**0.5, o**0.5) for n, p, o in bins])
    variance = explore.variance_map(futures[:, args.clip : args.clip + 1])[0, :, None]
    rows = {
        "truth": drawn[0, t.n_cond :],
        "mean": futures[:, args.clip].mean(dim=0),
        "variance": variance / variance.amax().clamp(min=1e-9),
    }
    rows |= {f"future {i + 1}": futures[i, args.clip] for i in range(min(args.shown, args.samples))}
    loaded.draw([row.expand(-1, drawn.shape[2], -1, -1) for row in rows.values()], list(rows))
    return numbers | {"reliability": table}
