"""From a path or a name to a model, whatever kind of model lies there."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

from srvp_lite.checkpoint.official import load_official, official_experiment
from srvp_lite.checkpoint.shipped import shipped_dir, shipped_names
from srvp_lite.checkpoint.weights import base_name, load_weights, parts_of, read_header
from srvp_lite.config import Experiment, config_from_dict
from srvp_lite.model.build import build_model
from srvp_lite.model.clips import VideoModel
from srvp_lite.utils.files import CheckpointError, sha256


def load(path_or_name: str | Path, device: str | torch.device = "cpu") -> VideoModel:
    """Loads a model, an SRVP or a rival, in evaluation mode, on `device`.

    `path_or_name` is a file written by `save`, a run's folder (its best checkpoint is taken) or an exported one, the
    name of a model shipped with the package ("lite-stochastic", "lite-deterministic"), or an experiment folder of the
    official release, which holds `config.json` and `model.pt`. Raises FileNotFoundError where there is nothing, and
    CheckpointError for a file that is truncated, holds another model, or is a pickle of more than tensors.
    """
    path = find(path_or_name)
    if path.is_dir():
        model = load_official(path)
    else:
        try:
            config = config_from_dict("model", read_header(path)["model"], path)
        except ValueError as error:
            raise CheckpointError(str(error)) from error
        model = build_model(config)
        weights = {name: t for file in parts_of(path) for name, t in safetensors.torch.load_file(file).items()}
        load_weights(model, weights, path)
    # Convolutions run faster so, on a CPU too; torch's types leave the option out.
    return model.to(device, memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]


def find(path_or_name: str | Path) -> Path:
    """The file, or the folder of the official release, that `load` would read."""
    path = Path(path_or_name)
    if path.is_dir():
        return next((found for name in ("best", "model") if (found := first_part(path / name))), path)
    shipped = shipped_dir("checkpoints") / str(path_or_name)
    for candidate in (path, shipped):
        if candidate.is_file():
            return candidate
        if found := first_part(candidate):
            return found
    raise FileNotFoundError(
        f"no model at {str(path_or_name)!r}: expected a .safetensors file, a run's folder, an official experiment "
        f"folder (config.json and model.pt), or a shipped name ({', '.join(shipped_names()) or 'none installed'})"
    )


def first_part(path: Path) -> Path | None:
    """The file of a checkpoint named without its ending, the first one if there are several; None where none is."""
    whole = path.with_name(f"{base_name(path)}.safetensors")
    if whole.is_file():
        return whole
    return next(iter(sorted(path.parent.glob(f"{base_name(path)}-1-of-*.safetensors"))), None)


def load_experiment(path_or_name: str | Path) -> Experiment:
    """The experiment in which a checkpoint was trained: its model, data and training configuration. Raises
    CheckpointError where the file does not say it, or says it in settings unknown here."""
    path = find(path_or_name)
    if path.is_dir():
        return official_experiment(path)
    info = read_header(path)["info"]
    if "experiment" not in info:
        raise CheckpointError(f"{path} does not say what data it was trained on; use it from Python")
    try:
        return Experiment.from_dict(info["experiment"], path)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def model_sha256(path_or_name: str | Path) -> str:
    """The hash of the file that holds a model's weights, the first one if there are several; of an official folder, of
    its model.pt."""
    path = find(path_or_name)
    return sha256(path / "model.pt" if path.is_dir() else path)
