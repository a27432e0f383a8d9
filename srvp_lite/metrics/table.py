"""All metrics, a row each: what scores futures, and how tables write it.

Read in chapter 8. A new metric is a file of this room and a row of `METRICS`; evaluation, its files and its tables take
it from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from srvp_lite.metrics.fvd import FVD
from srvp_lite.metrics.perceptual import LPIPS
from srvp_lite.metrics.pixels import psnr, ssim


@dataclass(frozen=True)
class Metric:
    """A metric as evaluation and tables know it."""

    label: str
    """Its name in tables."""
    unit: str
    """Unit of its values; empty if they have none."""
    digits: int
    """Digits after the point in tables."""
    better: Literal["higher", "lower"]
    """Which values are better."""
    function: Callable[..., Any]
    """Of predicted and true frames (..., T, C, H, W) in [0, 1], a score for each frame (..., T). With `needs_weights` a
    call with a device that loads them, and returns such a function or, with `of_sets`, what `FVD` returns."""
    needs_weights: bool = False
    """Whether it is a network, to be loaded before it can score."""
    of_sets: bool = False
    """Whether it is one number for the sets of all true and all predicted videos, and has none for a frame."""
    as_in_paper: bool = True
    """Whether our values may stand in one column with the paper's."""
    note: str = ""
    """What is said about it in a results file; of a loaded network, its `version` is."""


# fmt: off
METRICS: dict[str, Metric] = {
    "psnr":  Metric("PSNR",  "dB", 2, "higher", psnr),
    "ssim":  Metric("SSIM",  "",   4, "higher", ssim, note="11x11 Gaussian of 1.5 pixels, inside the frame"),
    "lpips": Metric("LPIPS", "",   4, "lower",  LPIPS, needs_weights=True),
    "fvd":   Metric("FVD",   "",   0, "lower",  FVD,   needs_weights=True, of_sets=True, as_in_paper=False),
}
# fmt: on
