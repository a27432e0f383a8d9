"""Moving MNIST: its clips are made as they are needed; only the official test sets are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from srvp_lite.data.digits import download_mnist
from srvp_lite.data.moving_mnist import official_test_set
from srvp_lite.data.prepare.common import write_split
from srvp_lite.presets import paper_protocols
from srvp_lite.utils.download import data_dir


def prepare_moving_mnist(root: str | Path | None = None, names: Sequence[str] = ("smmnist", "mmnist")) -> Path:
    """Fetches MNIST (11 MB) and makes the official test sets of these presets, 5,000 clips each, checked by hash."""
    root = data_dir(root)
    download_mnist(root)
    for name in names:
        expected = paper_protocols()[name].test_set_sha256
        if (root / name / "test.json").is_file():
            continue
        clips = official_test_set(root, deterministic=name == "mmnist")
        got = hashlib.sha256(clips.data).hexdigest()
        if got != expected:
            raise ValueError(
                f"the {name} test set has hash {got}, expected {expected}: are MNIST's files the original?"
            )
        write_split(
            root / name, "test", ((f"{i:04d}", lambda c=c: c[..., None]) for i, c in enumerate(clips)), len(clips)
        )
    return root
