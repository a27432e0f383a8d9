"""What every chapter's first cell asks for: seeds, the device in words, FAST or FULL, and a matching package."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

import numpy as np
import torch

import srvp_lite


@dataclass(frozen=True)
class Session:
    """How this run of a chapter goes."""

    device: torch.device
    """Where models run: the first GPU, or the CPU."""
    fast: bool
    """True for the short trainings that a CPU does in about a minute."""

    def __repr__(self) -> str:
        if self.device.type == "cuda":
            device = f"the GPU {torch.cuda.get_device_name(self.device)}"
        else:
            device = f"the CPU, {torch.get_num_threads()} threads (no GPU here; this chapter needs none)"
        mode = (
            "FAST: short trainings; set the environment variable SRVP_FULL=1 before the first cell for the long ones"
            if self.fast
            else "FULL: long trainings, as the card above says"
        )
        return f"srvp_lite {srvp_lite.__version__}\nDevice: {device}\nMode: {mode}"


def begin(book: str, seed: int = 1) -> Session:
    """Prepares a chapter: seeds torch, NumPy and Python with `seed`, checks that the package is the book's version.

    `book` is the version that the chapter was written with; another minor version of the package raises ImportError,
    saying which to install. FULL mode is asked for with the environment variable SRVP_FULL=1.
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
    return Session(device, fast=os.environ.get("SRVP_FULL", "0") in ("", "0"))
