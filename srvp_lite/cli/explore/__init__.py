"""`srvp-lite explore`: play with a trained model, and measure what you see. One file an experiment.

`rates`: one future at several frame rates. `swap`, `interpolate`: between clips, in looks or in motion. `walk`: along
the coordinates of y. `readouts`: what can be read from y and w. `uncertainty`: where futures differ. `common`: what
they share.

Each experiment is a module with `Options`, whose docstrings are its help, and `run`, which returns the numbers for
--json. A new one needs such a module and its name in `EXPERIMENTS`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from srvp_lite.cli.common import choice, module_of

__all__ = ["EXPERIMENTS", "Options", "run"]

EXPERIMENTS = ("rates", "swap", "interpolate", "walk", "readouts", "uncertainty")  # in the order of the help


@dataclass
class Options:
    """See what a trained model has learned: other frame rates, swaps of looks and motion, walks in its latent space,
    what can be read from it, and what it is unsure of.

    Example: srvp-lite explore swap lite-stochastic --out swap.gif
    """

    what: choice("srvp_lite.cli.explore", EXPERIMENTS)  # pyright: ignore[reportInvalidTypeForm]: known when it runs
    """What to look at."""


def run(options: Options) -> None:
    """Loads the model, runs the experiment that was chosen, and writes its numbers where --json says."""
    from srvp_lite.cli.explore.common import load

    args, start = options.what, time.perf_counter()
    loaded = load(args.common)
    numbers = module_of(args).run(args, loaded)
    if args.common.json is not None:
        loaded.save(numbers, time.perf_counter() - start)
