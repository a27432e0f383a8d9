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
        measured = checkpoint.results("chapter_costs").get(chapter, {})
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


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML and a terminal as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def _repr_html_(self) -> str:
        def row(cells, tag):
            first, *others = cells
            return (
                f"<tr><th style='text-align:left'>{first}</th>"
                + "".join(f"<{tag} style='text-align:right'>{c}</{tag}>" for c in others)
                + "</tr>"
            )

        body = "".join(row(r, "td") for r in self.rows)
        caption = f'<figcaption style="margin-top:.4em">{self.caption}</figcaption>' if self.caption else ""
        return (
            f'<figure class="srvp-figure srvp-table" style="margin:1em 0;overflow-x:auto"><table><thead>'
            f"{row(self.head, 'th')}</thead><tbody>{body}</tbody></table>{caption}</figure>"
        )

    def __repr__(self) -> str:
        widths = [max(len(r[i]) for r in (self.head, *self.rows)) for i in range(len(self.head))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)) for r in (self.head, *self.rows))


def results_table(results: dict[str, dict]) -> Table:
    """Results of `srvp-lite evaluate` side by side: PSNR and SSIM for each name, one row a kind of prediction."""
    first = next(iter(results.values()))
    counts = list(first["psnr"]["best_of"])
    kinds = [(f"model, best of {n}", lambda m, n=n: m["best_of"][n]) for n in reversed(counts) if n != "1"]
    kinds += [
        ("model, one sample", lambda m: m["expected"]),
        ("mean frame", lambda m: m["mean_frame"]),
        ("copy last", lambda m: m["copy_last"]),
    ]
    columns = [(name, metric, digits) for name in results for metric, digits in (("psnr", 2), ("ssim", 3))]
    rows = tuple((kind, *(cell(pick(results[n][m]), digits) for n, m, digits in columns)) for kind, pick in kinds)
    head = ("", *(f"{name} {'PSNR (dB)' if metric == 'psnr' else 'SSIM'}" for name, metric, _ in columns))
    p, made = first["protocol"], first["made"]
    caption = (
        f"{p['n_clips']} held-out clips, {p['n_cond']} frames given, {p['n_predicted']} predicted, mean ± 95 %. "
        f"Made by <code>{made['command']}</code>, seed {p['seed']}, commit {made['commit']}, on {made['device']}."
    )
    return Table(head, rows, caption)


def cell(value: dict[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} ± {value['interval']:.{digits}f}"
