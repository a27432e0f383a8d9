"""`srvp-lite table`: the paper's numbers, with yours below."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from srvp_lite.presets import paper_protocols


@dataclass
class Options:
    """Print the paper's table of a data set, with results of yours below.

    Example: srvp-lite table smmnist runs/smmnist/results.json --format latex
    """

    dataset: tyro.conf.Positional[Literal[tuple(paper_protocols())]]  # pyright: ignore[reportInvalidTypeForm]: known when it runs
    """The data set."""
    results: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Results files, as `srvp-lite evaluate --protocol paper --out` writes them; the row takes the file's name, or its
    folder's."""
    format: Literal["markdown", "html", "latex"] = "markdown"
    """How to write it."""


def run(args: Options) -> None:
    from srvp_lite.evaluation.paper_tables import comparison
    from srvp_lite.evaluation.results import Results

    names = [path.parent.name if path.stem == "results" else path.stem for path in args.results]
    for path in args.results:
        if not path.is_file():
            raise FileNotFoundError(
                f"no results at {path}: make them with srvp-lite evaluate RUN --protocol paper --out {path}"
            )
    ours = {name: Results.load(path) for name, path in zip(names, args.results)}
    print(comparison(args.dataset, ours, args.format))
