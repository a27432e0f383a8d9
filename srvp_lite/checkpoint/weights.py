"""Models on disk, in our own format. Nothing here unpickles code.

Read in chapter 7. A model is one safetensors file (or several) whose header carries its configuration as JSON. The
state of a training run (weights, optimiser, counters) goes through `torch.save` and comes back with
`weights_only=True`.
Every file is written beside its destination and then renamed, so a crash leaves the old file, never half a new one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from srvp_lite.config import config_to_dict
from srvp_lite.model.clips import VideoModel
from srvp_lite.utils.files import CheckpointError, write_bytes

FORMAT = "srvp-lite 2"  # whose configurations say their kind
FORMATS = ("srvp-lite 1", FORMAT)
HEADER_KEY = "srvp_lite"


def save(model: VideoModel, path: str | Path, half: bool = False, max_bytes: int | None = None, **info: Any) -> Path:
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
    parts: list[dict[str, torch.Tensor]] = [{}]
    room = None if max_bytes is None else max_bytes - 64_000  # for the header of each file
    for name, t in tensors.items():
        if room is not None and t.nbytes > room:
            raise ValueError(f"{name} alone has {t.nbytes:,} bytes, more than max_bytes={max_bytes:,} leaves room for")
        if room is not None and sum(other.nbytes for other in parts[-1].values()) + t.nbytes > room:
            parts.append({})
        parts[-1][name] = t
    header = {"format": FORMAT, "model": config_to_dict(model.config), "info": info, "parts": len(parts)}
    files = [path if len(parts) == 1 else part_path(path, i + 1, len(parts)) for i in range(len(parts))]
    for file, part in zip(files, parts):
        data = safetensors.torch.save(part, {HEADER_KEY: json.dumps(header)})
        write_bytes(file, data)
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


def read_header(path: str | Path) -> dict[str, Any]:
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
    if header["format"] not in FORMATS:
        raise CheckpointError(
            f"{path} has format {header['format']!r}, this package reads up to {FORMAT!r}; update srvp-lite"
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
