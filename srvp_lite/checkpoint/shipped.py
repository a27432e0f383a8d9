"""Models and results that come with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from srvp_lite.checkpoint.weights import base_name


def shipped_results(name: str) -> dict[str, Any]:
    """The measured results shipped under `name`, as they were written: of evaluations (`evaluation.Results.load` reads
    those), benchmarks, ablations."""
    path = shipped_dir("results") / f"{name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in shipped_dir("results").glob("*.json"))
        raise FileNotFoundError(f"no shipped results named {name!r}; there are {', '.join(known) or 'none'}")
    return json.loads(path.read_text(encoding="utf-8"))


def shipped_dir(kind: str) -> Path:
    """Where the "checkpoints" or "results" shipped with the package lie: inside it, or in the repository's data/."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "shipped" / kind
    return installed if installed.is_dir() else package.parent / "data" / kind


def shipped_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted({base_name(p) for p in shipped_dir("checkpoints").glob("*.safetensors")})
