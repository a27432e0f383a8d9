"""srvp_lite: stochastic latent residual video prediction, small enough to read and fast enough to train.

A chapter of the book is a room:

- `config`, `presets`: what a run is told, and the runs that have a name (chapter 7);
- `plot`: pictures of clips (chapter 1);
- `data`: clips (chapters 1 and 7); `metrics`: scores of frames (chapters 1 and 8);
- `model`: the model, part by part (chapters 2 to 6), and its rivals (chapter 9);
- `checkpoint`: models on disk (chapters 6 and 7); `training`: the loop (chapter 7);
- `evaluation`: the paper's protocol (chapter 8); `explore`: what a model has learned (chapter 9);
- `bench`: how fast it all is (chapter 7); `notebook`: what the chapters themselves need; `cli`: the command;
- `utils`: devices, seeds, files.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from srvp_lite.version import __version__

if TYPE_CHECKING:
    from srvp_lite import checkpoint, data, evaluation, explore, metrics, model, notebook, plot, training  # noqa: F401
    from srvp_lite.checkpoint.loading import load, load_experiment
    from srvp_lite.checkpoint.shipped import shipped_results
    from srvp_lite.checkpoint.weights import save
    from srvp_lite.config import Experiment, SRVPConfig
    from srvp_lite.data.moving_mnist import MovingMNIST
    from srvp_lite.data.open import open_data
    from srvp_lite.evaluation.results import evaluate
    from srvp_lite.model.elbo import elbo
    from srvp_lite.model.gaussian import Gaussian
    from srvp_lite.model.srvp import SRVP
    from srvp_lite.presets import preset
    from srvp_lite.training.loop import train

__all__ = [
    "SRVP", "Experiment", "Gaussian", "MovingMNIST", "SRVPConfig", "__version__", "elbo", "evaluate", "load",
    "load_experiment", "open_data", "preset", "save", "shipped_results", "train",
]  # fmt: skip

_HOMES = {
    "SRVP": "model.srvp",
    "Experiment": "config",
    "Gaussian": "model.gaussian",
    "MovingMNIST": "data.moving_mnist",
    "SRVPConfig": "config",
    "elbo": "model.elbo",
    "evaluate": "evaluation.results",
    "load": "checkpoint.loading",
    "load_experiment": "checkpoint.loading",
    "open_data": "data.open",
    "preset": "presets",
    "save": "checkpoint.weights",
    "shipped_results": "checkpoint.shipped",
    "train": "training.loop",
}
_ROOMS = (
    "bench", "checkpoint", "cli", "config", "data", "evaluation", "explore", "metrics", "model", "notebook", "plot",
    "presets", "training", "utils",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"srvp_lite.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"srvp_lite.{name}")
    raise AttributeError(f"module 'srvp_lite' has no attribute {name!r}; there are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
