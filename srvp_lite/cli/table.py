"""`srvp-lite table`: the paper's numbers, with yours below."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass
class Options:
    """Print the paper's table of a data set, with results of yours below.

    Example: srvp-lite table smmnist runs/smmnist/results.json --format latex
    """

    dataset: tyro.conf.Positional[Literal["smmnist", "mmnist", "kth", "human36m", "bair"]]
    """The data set."""
    results: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Results files, as `srvp-lite evaluate --protocol paper --out` writes them; the row takes the file's name, or its
    folder's."""
    format: Literal["markdown", "html", "latex"] = "markdown"
    """How to write it."""


def run(args: Options) -> None:
    from srvp_lite.evaluation.paper_tables import comparison

    names = [path.parent.name if path.stem == "results" else path.stem for path in args.results]
    ours = {name: read(path) for name, path in zip(names, args.results)}
    print(comparison(args.dataset, ours, args.format))


def read(path: Path) -> dict:
    """Results as `evaluate` wrote them. FileNotFoundError, or ValueError for a file of something else."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no results at {path}: make them with srvp-lite evaluate RUN --protocol paper --out {path}"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no results file: it is not valid JSON ({error})") from error
