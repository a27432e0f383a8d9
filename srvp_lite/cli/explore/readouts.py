"""`srvp-lite explore readouts`: what can be read from y, from w and from the encoding of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from srvp_lite.cli.explore.common import Common, Loaded, print_table
from srvp_lite.config import MovingDigitsConfig


@dataclass
class Written(Common):
    json: Annotated[Path | None, tyro.conf.arg(aliases=("--out",))] = None
    """Also write the numbers there, with all that is needed to repeat them. There is nothing to draw."""


@dataclass
class Options:
    """Measure what a linear read-out finds in y, in w and in the encoding of a frame: places, velocities, and which
    digits. For moving digits, where the truth is known.

    Example: srvp-lite explore readouts lite-stochastic --out readouts.json
    """

    common: Written
    n_fit: int = 2000
    """Clips of training digits to fit the read-outs on."""
    n_new: int = 500
    """Clips of test digits to score them on."""


def run(args: Options, loaded: Loaded) -> dict:
    from srvp_lite import explore
    from srvp_lite.data.open import moving_digits

    if not isinstance(loaded.experiment.data, MovingDigitsConfig):
        raise ValueError("what is to be read must be known, as it is of moving digits; videos have no such truth")
    train, test = (moving_digits(loaded.experiment.data, split, loaded.device) for split in ("train", "test"))
    n_frames = loaded.experiment.train.n_frames
    found = explore.disentangling(loaded.model, train, test, args.n_fit, args.n_new, n_frames, loaded.generator())
    columns = ("place", "velocity", "spread")

    def cell(v: dict[str, float]) -> str:
        return f"{v['value']:.2f} ({v['low']:.2f} to {v['high']:.2f})"

    print_table(
        ("", *(f"{c}, R2" for c in columns), "digits right", "by chance"),
        [
            (name, *(cell(row[c]) for c in columns), cell(row["identity"]["right"]), row["identity"]["shuffled"])
            for name, row in found.items()
        ],
    )
    return {"n_fit": args.n_fit, "n_new": args.n_new, "readouts": found}
