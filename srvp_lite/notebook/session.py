"""What every chapter's first cell asks for: seeds, the device in words, FAST or FULL, and a matching package."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

import srvp_lite
from srvp_lite import checkpoint


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
        if self.device.type == "cuda":
            device = f"the GPU {torch.cuda.get_device_name(self.device)}"
        else:
            device = f"the CPU, {torch.get_num_threads()} threads (no GPU here)"
        mode = "FAST (the environment variable SRVP_FULL=1 asks for FULL)" if self.fast else "FULL, with long trainings"
        return f"srvp_lite {srvp_lite.__version__}\nDevice  {device}\nMode    {mode}\nCost    {self.cost}"


def begin(book: str, chapter: str, seed: int = 1) -> Session:
    """Prepares a chapter: seeds torch, NumPy and Python with `seed`, checks that the package is the book's version.

    `book` is the version that the chapter was written with; another minor version of the package raises ImportError,
    saying which to install. `chapter` is the notebook's name, to look up what it cost when it was measured. FULL mode
    is asked for with the environment variable SRVP_FULL=1.
    """
    if book.split(".")[:2] != srvp_lite.__version__.split(".")[:2]:
        raise ImportError(
            f"this chapter was written with srvp_lite {book}, installed is {srvp_lite.__version__}: "
            f'install the matching one with pip install "srvp-lite~={book}", or take the chapter of your version'
        )
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Session(device, os.environ.get("SRVP_FULL", "0") in ("", "0"), cost_of(chapter))


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


def interact(show: Callable, **controls):
    """`ipywidgets.interact` where somebody can move a slider: in Jupyter, on Colab, in VS Code. Nothing elsewhere, as
    when the book is built: there a still sweep stands beside every live control."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    live = (
        "google.colab" in sys.modules
        or "JPY_SESSION_NAME" in os.environ
        or (shell is not None and "__vsc_ipynb_file__" in shell.user_ns)
    )
    if live:
        import ipywidgets

        ipywidgets.interact(show, **controls)
