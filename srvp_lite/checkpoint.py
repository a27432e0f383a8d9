"""Models on disk: ours, the shipped ones, and the official release's. Nothing here unpickles code.

Read in chapter 7. A model is one safetensors file (or several) whose header carries its configuration as JSON. The
state of a training run (weights, optimiser, counters) goes through `torch.save` and comes back with
`weights_only=True`.
Every file is written beside its destination and then renamed, so a crash leaves the old file, never half a new one.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import re
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from srvp_lite.config import Experiment, ModelConfig, model_config
from srvp_lite.files import write_atomically
from srvp_lite.model import SRVP
from srvp_lite.models import VideoModel, build

FORMAT = "srvp-lite 1"
HEADER_KEY = "srvp_lite"


class CheckpointError(ValueError):
    """A file that cannot be loaded as what it should be; the message says why and what to do."""


def save(model: VideoModel, path: str | Path, half: bool = False, max_bytes: int | None = None, **info) -> Path:
    """Writes the model to `path` (.safetensors), with its configuration and any JSON-able `info`.

    `half` stores parameters in 16 bits (float16: 11 significant bits, where bfloat16 has 8), batch norms' statistics
    in 32 as ever; `load` gives back 32. With `max_bytes`, a model too large for one file becomes several, named
    NAME-1-of-3.safetensors and so on, each with the whole header; `load` takes any of them, or NAME. Returns
    the file written, or the first. Raises ValueError for a parameter that 16 bits cannot hold.
    """
    path = Path(path)
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    if half:
        for name, parameter in model.named_parameters():
            tensors[name] = tensors[name].half()
            if not tensors[name].isfinite().all():
                raise ValueError(f"{name} has values up to {parameter.abs().max():.3g}, too large for 16 bits")
    parts: list[dict] = [{}]
    room = None if max_bytes is None else max_bytes - 64_000  # for the header of each file
    for name, t in tensors.items():
        if room is not None and t.nbytes > room:
            raise ValueError(f"{name} alone has {t.nbytes:,} bytes, more than max_bytes={max_bytes:,} leaves room for")
        if room is not None and sum(other.nbytes for other in parts[-1].values()) + t.nbytes > room:
            parts.append({})
        parts[-1][name] = t
    header = {"format": FORMAT, "model": dataclasses.asdict(model.config), "info": info, "parts": len(parts)}
    files = [path if len(parts) == 1 else part_path(path, i + 1, len(parts)) for i in range(len(parts))]
    for file, part in zip(files, parts):
        data = safetensors.torch.save(part, {HEADER_KEY: json.dumps(header)})
        write_atomically(file, lambda tmp, data=data: Path(tmp).write_bytes(data))
    return files[0]


def part_path(path: Path, number: int, of: int) -> Path:
    return path.with_name(f"{base_name(path)}-{number}-of-{of}.safetensors")


def base_name(path: Path) -> str:
    """A checkpoint's name without its ending and without "-1-of-3"."""
    return re.sub(r"-\d+-of-\d+$", "", path.name.removesuffix(".safetensors"))


def parts_of(path: Path) -> list[Path]:
    """All files of the checkpoint that `path` belongs to; CheckpointError if one is missing."""
    n = read_header(path).get("parts", 1)
    files = [path] if n == 1 else [part_path(path, i + 1, n) for i in range(n)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(f"{path} is one of {n} files; {', '.join(missing)} should lie beside it")
    return files


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
        model = build(model_config(read_header(path)["model"]))
        weights = {name: t for file in parts_of(path) for name, t in safetensors.torch.load_file(file).items()}
        load_weights(model, weights, path)
    return model.to(device, memory_format=torch.channels_last).eval()  # convolutions run faster so, on a CPU too


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


def experiment(path_or_name: str | Path) -> Experiment:
    """The experiment in which a checkpoint of ours was trained: its model, data and training configuration."""
    path = find(path_or_name)
    if path.is_dir():
        from srvp_lite.official import official_experiment  # which needs this module

        return official_experiment(path)
    info = read_header(path)["info"]
    if "experiment" not in info:
        raise CheckpointError(f"{path} does not say what data it was trained on; use it from Python")
    return Experiment.from_dict(info["experiment"])


def results(name: str) -> dict:
    """The measured results shipped under `name`, as written by `srvp-lite evaluate --out`."""
    path = shipped_dir("results") / f"{name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in shipped_dir("results").glob("*.json"))
        raise FileNotFoundError(f"no shipped results named {name!r}; there are {', '.join(known) or 'none'}")
    return json.loads(path.read_text())


def shipped_dir(kind: str) -> Path:
    """Where the "checkpoints" or "results" shipped with the package lie: inside it, or in the repository's data/."""
    package = Path(__file__).resolve().parent
    installed = package / "shipped" / kind
    return installed if installed.is_dir() else package.parent / "data" / kind


def shipped_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted({base_name(p) for p in shipped_dir("checkpoints").glob("*.safetensors")})


def read_header(path: str | Path) -> dict:
    """The JSON a checkpoint carries: "format", "model" (its configuration) and "info" (how it was made)."""
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as f:
            metadata = f.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({error}); copy or download it again. "
            "A model.pt of the official release is loaded by passing its folder, with config.json beside it"
        ) from error
    if HEADER_KEY not in metadata:
        raise CheckpointError(f"{path} is a safetensors file of something else: its header has no {HEADER_KEY!r} entry")
    header = json.loads(metadata[HEADER_KEY])
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {header['format']!r}, this package reads {FORMAT!r}; update srvp-lite"
        )
    return header


def load_weights(model: VideoModel, weights: dict[str, torch.Tensor], source: Path) -> None:
    """Copies weights into the model after checking that names and shapes are the model's own."""
    expected = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in weights.items()}
    if expected != found:
        missing = sorted(expected.keys() - found.keys())
        extra = sorted(found.keys() - expected.keys())
        reshaped = [
            f"{n} {found[n]}, expected {expected[n]}" for n in expected if n in found and expected[n] != found[n]
        ]
        problems = [
            f"{len(names)} {what} (first: {names[0]})"
            for what, names in [("missing", missing), ("unknown", extra), ("of another shape", reshaped)]
            if names
        ]
        raise CheckpointError(
            f"{source} holds the weights of another model than its configuration says: tensors {'; '.join(problems)}"
        )
    model.load_state_dict(weights)


# The official release ------------------------------------------------------------------------------------------------

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
        options = json.loads((folder / "config.json").read_text())
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{folder / 'config.json'} is not valid JSON: {error}") from error
    missing = OFFICIAL_OPTIONS.keys() - options.keys() - {"res_gain"}  # the gain matters before training only
    if missing:
        raise CheckpointError(f"{folder / 'config.json'} lacks {', '.join(sorted(missing))}")
    config = ModelConfig(
        **{ours: options[official] for official, ours in OFFICIAL_OPTIONS.items() if official in options}
    )
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


def write_tensors(path: str | Path, content: dict) -> None:
    """`torch.save` of tensors and plain values, whole or not at all; read back by `read_tensors`."""
    buffer = io.BytesIO()  # not straight to the file: torch.save's errors do not say that the disk is full
    torch.save(content, buffer)
    write_atomically(path, lambda tmp: Path(tmp).write_bytes(buffer.getbuffer()))


def read_tensors(path: str | Path) -> dict:
    """`torch.load` for files that should hold nothing but tensors and plain values; refuses any other pickle."""
    path = Path(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is a pickle of more than tensors, which could run code on loading, or is damaged: refused. "
            "If you trust it, open it yourself and save its state_dict()"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise CheckpointError(f"{path} is damaged or truncated ({error}); copy or download it again") from error
