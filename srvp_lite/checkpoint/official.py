"""Experiments of the official release: what their folders say of data and protocol, and ours written as one of them.

A folder holds `config.json`, every option of the official scripts under its own name, and `model.pt`, a state dict.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from srvp_lite.checkpoint.weights import load_weights
from srvp_lite.config import Experiment, MovingDigitsConfig, SRVPConfig, config_from_dict
from srvp_lite.model.clips import VideoModel
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset
from srvp_lite.utils.files import CheckpointError, read_tensors, write_tensors, write_text

# Its name for each of our options; what it lists beyond these concerns its data and training.
OFFICIAL_OPTIONS = {
    "nx": "nx", "nc": "nc", "archi": "network", "skipco": "skip", "nf": "nf", "nhx": "nhx", "ny": "ny", "nz": "nz",
    "nt_inf": "nt_inf", "nh_inf": "nh_inf", "nlayers_inf": "nlayers_inf", "nh_res": "nh_res",
    "nlayers_res": "nlayers_res", "n_euler_steps": "steps_per_frame", "res_gain": "res_gain",
}  # fmt: skip


# Its name for each of our parts. Inside a part both list the same tensors in the same order.
OFFICIAL_PARTS = {
    "encoder.": "encoder.", "decoder.": "decoder.",
    "w_proj.": "content.each_frame.", "w_inf.": "content.together.",
    "q_y.": "inference.first_state.", "inf_z.": "inference.lstm.", "q_z.": "inference.to_z.",
    "p_z.": "dynamics.prior.", "dynamics.": "dynamics.f.",
}  # fmt: skip

# Its names of data sets, and of what concerns training and testing.
OFFICIAL_DATASETS = {"smmnist": "smmnist", "kth": "kth", "human": "human36m", "bair": "bair"}
OFFICIAL_TRAINING = {
    "beta_y": "beta_y", "beta_z": "beta_z", "obs_scale": "obs_std", "l2_res": "residual_penalty", "lr": "lr",
    "batch_size": "batch_size", "nt_cond": "n_cond", "seq_len": "n_frames", "seq_len_test": "n_frames_test",
    "lr_scheduling_burnin": "constant_steps", "lr_scheduling_n_iter": "decay_steps",
}  # fmt: skip


def load_official(folder: str | Path) -> SRVP:
    """Loads an experiment folder of the official release: `config.json`, and a state dict in `model.pt`."""
    folder = Path(folder)
    for name in ("config.json", "model.pt"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} is no model: expected best.safetensors (ours), or config.json and model.pt (the official "
                f"release), and {name} is missing"
            )
    try:
        options = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{folder / 'config.json'} is not valid JSON: {error}") from error
    missing = OFFICIAL_OPTIONS.keys() - options.keys() - {"res_gain"}  # the gain matters before training only
    if missing:
        raise CheckpointError(f"{folder / 'config.json'} lacks {', '.join(sorted(missing))}")
    known = {ours: options[official] for official, ours in OFFICIAL_OPTIONS.items() if official in options}
    try:
        config = config_from_dict("model", {"kind": SRVPConfig.kind, **known}, folder / "config.json")
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    model = SRVP(config)
    load_weights(
        model, rename_official(read_tensors(folder / "model.pt"), model, folder / "model.pt"), folder / "model.pt"
    )
    return model.eval()


def rename_official(weights: dict[str, torch.Tensor], model: SRVP, source: Path) -> dict[str, torch.Tensor]:
    """The official state dict under our names."""
    ours = list(model.state_dict())
    renamed = {}
    for theirs_prefix, our_prefix in OFFICIAL_PARTS.items():
        their_names = [n for n in weights if n.startswith(theirs_prefix)]
        our_names = [n for n in ours if n.startswith(our_prefix)]
        if len(their_names) != len(our_names):
            raise CheckpointError(
                f"{source} holds {len(their_names)} tensors for {theirs_prefix!r}, its config.json {len(our_names)}"
            )
        renamed |= {ours_: weights[theirs] for theirs, ours_ in zip(their_names, our_names)}
    return renamed


def official_experiment(folder: str | Path, root: str | None = None) -> Experiment:
    """The experiment an official folder describes: its model, data and training in our names.

    What its config.json does not say is taken from the paper's preset of its data set. Raises CheckpointError where
    it names no data set we know, or a setting that cannot be.
    """
    config = Path(folder) / "config.json"
    options = json.loads(config.read_text(encoding="utf-8"))
    dataset = OFFICIAL_DATASETS.get(options.get("dataset"))
    if dataset is None:
        raise CheckpointError(
            f"{config} names the data set {options.get('dataset')!r}; known are {', '.join(OFFICIAL_DATASETS)}"
        )
    if dataset == "smmnist" and options.get("deterministic"):
        dataset = "mmnist"
    parts = preset(dataset).to_dict()
    parts["model"] |= {ours: options[theirs] for theirs, ours in OFFICIAL_OPTIONS.items() if theirs in options}
    parts["data"] |= {"root": root, "frame_size": parts["model"]["nx"]}
    known = {ours: options[theirs] for theirs, ours in OFFICIAL_TRAINING.items() if options.get(theirs) is not None}
    parts["train"] |= known
    try:
        return Experiment.from_dict(parts, config)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def save_official(model: VideoModel, folder: str | Path, experiment: Experiment) -> Path:
    """Writes the model as an experiment folder that the official scripts read: config.json and model.pt.

    Raises ValueError for a model or data that the official scripts do not know.
    """
    folder, data, m, t = Path(folder), experiment.data, model.config, experiment.train
    if not (isinstance(model, SRVP) and m.is_whole):
        raise ValueError("the official release knows only the full SRVP model; use the layout 'srvp-lite'")
    options = {theirs: getattr(m, ours) for theirs, ours in OFFICIAL_OPTIONS.items()}
    options |= {theirs: getattr(t, ours) for theirs, ours in OFFICIAL_TRAINING.items()}
    if isinstance(data, MovingDigitsConfig):
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
    write_text(folder / "config.json", text)
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
