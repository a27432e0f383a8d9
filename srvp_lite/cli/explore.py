"""`srvp-lite explore`: play with a trained model, and measure what you see. What each does is in `explore_run.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Union

import tyro


@dataclass
class Common:
    model: tyro.conf.Positional[str]
    """A run's folder, a .safetensors file, a shipped name, or a folder of the official release."""
    seed: int = 0
    """Seed of the noise (the test clips have a seed of their own)."""
    device: str = "auto"
    """"auto", "cpu", "cuda" or "cuda:1"."""
    root: str | None = None
    """Folder of the data; by default what the model was trained with, or the environment variable SRVP_DATA_DIR."""
    json: Path | None = None
    """Also write the numbers there, with all that is needed to repeat them."""


@dataclass
class Drawn(Common):
    n_clips: int = 100
    """Test clips. Clips are numbered among them from 0, and what is measured on test clips is measured on all of them:
    fewer take less time and memory."""
    out: Path | None = None
    """Draw it there: .gif or .webp (playing), .png (a strip), or .mp4 where imageio is installed."""
    scale: int = 4
    """Screen pixels per frame pixel."""


@dataclass
class Rates:
    """Show one future at several frame rates, and how smooth each is. The picture plays all at one speed.

    Example: srvp-lite explore rates lite-stochastic --rates 1 2 4 --out rates.gif
    """

    common: Drawn
    clip: int = 0
    """Number of the test clip."""
    rates: tuple[float, ...] = (0.5, 1, 2, 4, 8)
    """Frames shown for each frame interval of the data."""
    method: Literal["euler", "midpoint", "rk4", "dopri5"] = "euler"
    """How the state is carried from frame to frame."""
    steps_per_frame: int | None = None
    """Steps per frame interval; by default the model's own. dopri5 chooses its steps itself."""
    n_frames: int | None = None
    """Frame intervals to predict; by default as many as the model was validated with."""


@dataclass
class Swap:
    """Put the looks of some test clips on the motion of others and, where the truth is known (moving digits), measure
    how well that works.

    Example: srvp-lite explore swap lite-stochastic --contents 4 --motions 4 --out swap.gif
    """

    common: Drawn
    contents: int = 4
    """How many clips to take the looks from: the columns of the picture."""
    motions: int = 4
    """How many clips to take the motion from: the rows of the picture."""
    clip: int = 0
    """Number of the first test clip: the contents come first, the motions after them."""
    pairs: int = 200
    """Pairs of clips that the score is measured on. They share no digit, and are drawn from the seed."""


@dataclass
class Interpolate:
    """Go in equal steps from one test clip to another, in what they show or in how they move.

    Example: srvp-lite explore interpolate lite-stochastic --between 0 5 --what motion --out between.gif
    """

    common: Drawn
    between: tuple[int, int] = (0, 1)
    """Numbers of the two test clips."""
    n: int = 7
    """How many steps, both ends included."""
    what: Literal["content", "motion"] = "content"
    """"content": w goes from one to the other on the motion of the first clip; "motion": y, with its looks."""


@dataclass
class Walk:
    """Move one coordinate of the state y and see what it does; a table says what each of them does.

    Example: srvp-lite explore walk lite-stochastic --values -2 -1 0 1 2 --out walk.png
    """

    common: Drawn
    clip: tuple[int, ...] = (0, 1, 2)
    """Numbers of the test clips to draw, a row each. Their last frame is shown."""
    dimension: int | None = None
    """Which coordinate, counted from 0; by default the one that changes the frames most."""
    values: tuple[float, ...] = (-2, -1, 0, 1, 2)
    """Where to put it, in standard deviations from its mean."""


@dataclass
class Readouts:
    """Measure what a linear read-out finds in y, in w and in the encoding of a frame: places, velocities, and which
    digits. For moving digits, where the truth is known.

    Example: srvp-lite explore readouts lite-stochastic --json readouts.json
    """

    common: Common
    n_fit: int = 2000
    """Clips of training digits to fit the read-outs on."""
    n_new: int = 500
    """Clips of test digits to score them on."""


@dataclass
class Uncertainty:
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


WHAT = {
    "rates": Rates,
    "swap": Swap,
    "interpolate": Interpolate,
    "walk": Walk,
    "readouts": Readouts,
    "uncertainty": Uncertainty,
}  # in the order of the help


@dataclass
class Options:
    """See what a trained model has learned: other frame rates, swaps of looks and motion, walks in its latent space,
    what can be read from it, and what it is unsure of.

    Example: srvp-lite explore swap lite-stochastic --out swap.gif
    """

    what: Union[tuple(Annotated[one, tyro.conf.subcommand(name)] for name, one in WHAT.items())]  # noqa: UP007
    """What to look at."""


def run(options: Options) -> None:
    from srvp_lite.cli import explore_run

    args = options.what
    (name,) = (name for name, one in WHAT.items() if isinstance(args, one))
    explore_run.run(name, args)
