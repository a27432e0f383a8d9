"""What every chapter's first cell asks for: seeds, the device in words, FAST or FULL, and a matching package."""

from __future__ import annotations

import importlib.metadata
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from srvp_lite import checkpoint
from srvp_lite.utils.device import choose_device, device_name
from srvp_lite.version import __version__


@dataclass(frozen=True)
class Session:
    """How this run of a chapter goes."""

    device: torch.device
    """Where models run: the first GPU, or the CPU."""
    fast: bool
    """True for the short trainings that a CPU does in about a minute."""
    cost: str = ""
    """What the chapter cost when it was measured, in words."""

    def __repr__(self) -> str:
        mode = "FAST (the environment variable SRVP_FULL=1 asks for FULL)" if self.fast else "FULL, with long trainings"
        return f"srvp_lite {__version__}\nDevice  {device_name(self.device)}\nMode    {mode}\nCost    {self.cost}"


def begin(book: str, chapter: str, seed: int = 1) -> Session:
    """Prepares a chapter: seeds torch, NumPy and Python with `seed`, checks that the package is the book's version.

    `book` is the version that the chapter was written with; another minor version of the package raises ImportError,
    saying which to install. Where NumPy was installed anew after it had been loaded, a printed line asks for a restart:
    what is compiled against the one does not fit the other. `chapter` is the notebook's name, to look up what it cost
    when it was measured. FULL mode is asked for with the environment variable SRVP_FULL=1.
    """
    if book.split(".")[:2] != __version__.split(".")[:2]:
        raise ImportError(
            f"this chapter was written with srvp_lite {book}, installed is {__version__}: "
            f'install the matching one with pip install "srvp-lite~={book}", or take the chapter of your version'
        )
    if (installed := installed_version("numpy")) not in (None, np.__version__):
        print(
            f"NumPy {installed} is installed, but {np.__version__} is still loaded: restart the kernel (on Colab: "
            "Runtime, Restart session), then run this cell again."
        )
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return Session(choose_device("auto"), os.environ.get("SRVP_FULL", "0") in ("", "0"), cost_of(chapter))


def installed_version(package: str) -> str | None:
    """The version that pip knows of, which may be another than the one that was loaded; None if it knows of none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cost_of(chapter: str) -> str:
    """The measured cost of a chapter, one sentence a mode, from the shipped `chapter_costs.json`."""
    try:
        measured = checkpoint.shipped_results("chapter_costs").get(chapter, {})
    except FileNotFoundError:
        measured = {}
    said = [
        f"{mode.upper()} {run['seconds'] / 60:.1f} minutes, {run['memory_gb']:.1f} GB, no download; "
        f"{run['made']['device']}"
        for mode, run in measured.items()
    ]
    return "\n        ".join(said) if said else "not measured yet"


def interact(show: Callable, **controls) -> None:
    """`ipywidgets.interact` where somebody can move a slider: in Jupyter, on Colab, in VS Code. Nothing elsewhere, as
    when the book is built: there a still sweep stands beside every live control. Without ipywidgets, a line says how to
    get it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    live = (
        "google.colab" in sys.modules
        or "JPY_SESSION_NAME" in os.environ
        or (shell is not None and "__vsc_ipynb_file__" in shell.user_ns)
    )
    if not live:
        return
    try:
        import ipywidgets
    except ImportError:
        print('The sliders need ipywidgets: pip install "srvp-lite[notebook]"')
    else:
        ipywidgets.interact(show, **controls)
