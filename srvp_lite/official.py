"""Experiments of the official release: what their folders say of data and protocol, and ours written as one of them.

A folder holds `config.json`, every option of the official scripts under its own name, and `model.pt`, a state dict.
Reading the model itself is in `checkpoint.py`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from srvp_lite.checkpoint import OFFICIAL_OPTIONS, OFFICIAL_PARTS, CheckpointError, write_tensors
from srvp_lite.config import PRESETS, DataConfig, Experiment
from srvp_lite.files import write_atomically
from srvp_lite.model import SRVP

# Its names of data sets, and of what concerns training and testing.
OFFICIAL_DATASETS = {"smmnist": "smmnist", "kth": "kth", "human": "human36m", "bair": "bair"}
OFFICIAL_TRAINING = {
    "beta_y": "beta_y", "beta_z": "beta_z", "obs_scale": "obs_std", "l2_res": "residual_penalty", "lr": "lr",
    "batch_size": "batch_size", "nt_cond": "n_cond", "seq_len": "n_frames", "seq_len_test": "n_frames_test",
    "lr_scheduling_burnin": "constant_steps", "lr_scheduling_n_iter": "decay_steps",
}  # fmt: skip


def official_experiment(folder: str | Path, root: str | None = None) -> Experiment:
    """The experiment an official folder describes: its model, data and training in our names.

    What its config.json does not say is taken from the paper's preset of its data set. Raises CheckpointError where
    it names no data set we know.
    """
    config = Path(folder) / "config.json"
    options = json.loads(config.read_text())
    dataset = OFFICIAL_DATASETS.get(options.get("dataset"))
    if dataset is None:
        raise CheckpointError(
            f"{config} names the data set {options.get('dataset')!r}; known are {', '.join(OFFICIAL_DATASETS)}"
        )
    if dataset == "smmnist" and options.get("deterministic"):
        dataset = "mmnist"
    preset = PRESETS[dataset]
    model = dataclasses.replace(
        preset.model, **{ours: options[theirs] for theirs, ours in OFFICIAL_OPTIONS.items() if theirs in options}
    )
    known = {ours: options[theirs] for theirs, ours in OFFICIAL_TRAINING.items() if options.get(theirs) is not None}
    data = dataclasses.replace(preset.data, root=root, frame_size=model.nx)
    return Experiment(model, data, dataclasses.replace(preset.train, **known))


def save_official(model: SRVP, folder: str | Path, experiment: Experiment) -> Path:
    """Writes the model as an experiment folder that the official scripts read: config.json and model.pt.

    Raises ValueError for a model or data that the official scripts do not know.
    """
    folder, data, m, t = Path(folder), experiment.data, model.config, experiment.train
    if not (isinstance(model, SRVP) and m.is_whole):
        raise ValueError("the official release knows only the full SRVP model; use the layout 'srvp-lite'")
    options = {theirs: getattr(m, ours) for theirs, ours in OFFICIAL_OPTIONS.items()}
    options |= {theirs: getattr(t, ours) for theirs, ours in OFFICIAL_TRAINING.items()}
    if isinstance(data, DataConfig):
        if data.digits != "mnist" or data.digit_size != 28:
            raise ValueError(
                f"the official scripts move MNIST's digits at 28 pixels, this model was trained on {data.digits} at "
                f"{data.digit_size}; it can be loaded there, but not tested. Use the layout 'srvp-lite'"
            )
        options |= {"dataset": "smmnist", "deterministic": not data.stochastic, "ndigits": data.n_digits,
                    "max_speed": data.max_speed}  # fmt: skip
    else:
        theirs = {ours: name for name, ours in OFFICIAL_DATASETS.items()}
        if data.dataset not in theirs:
            raise ValueError(
                f"the official scripts do not know the data set {data.dataset!r}; use the layout 'srvp-lite'"
            )
        options |= {"dataset": theirs[data.dataset], "subsampling": 8}
    weights = {official_name(name): t.detach().cpu() for name, t in model.state_dict().items()}
    write_tensors(folder / "model.pt", weights)
    text = json.dumps(options, indent=1)
    write_atomically(folder / "config.json", lambda tmp: Path(tmp).write_text(text))
    return folder


def official_name(name: str) -> str:
    """The official name of one of our tensors."""
    for theirs, ours in OFFICIAL_PARTS.items():
        if name.startswith(ours):
            rest = name.removeprefix(ours)
            if theirs in (
                "q_y.",
                "p_z.",
                "dynamics.",
            ):  # MLPs: our layers 0, 2, 4 (ReLUs lie between) are their 0, 1, 2
                layer, tensor = rest.split(".")
                return f"{theirs}module.{int(layer) // 2}.{min(1, int(layer))}.{tensor}"
            for our_word, their_word in (
                ("stages", "conv"),
                ("to_vector", "last_conv"),
                ("from_vector", "first_upconv"),
            ):
                rest = rest.replace(our_word, their_word)
            return theirs + rest
    raise KeyError(name)
