"""How a result was made: written into every checkpoint and every results file."""

from __future__ import annotations

import functools
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import numpy
import torch

from srvp_lite.utils.device import device_name
from srvp_lite.version import __version__


def made_by(device: torch.device, seconds: float) -> dict:
    """The command, the commit, the device, the wall time in seconds and the versions, as a JSON-able dictionary."""
    name = Path(sys.argv[0]).name
    program = "srvp-lite" if name in ("srvp-lite", "__main__.py") else name
    return {
        "command": shlex.join([program, *sys.argv[1:]]),
        "commit": commit(),
        "device": device_name(device),
        "seconds": round(seconds, 1),
        "srvp_lite": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that the package runs from, "+" added if files were changed since; None elsewhere.

    Asked first when a run starts, and remembered: a checkout may move on under a long run.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", root, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "srvp_lite")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
