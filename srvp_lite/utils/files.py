"""Files that are either whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from srvp_lite.utils.errors import SRVPError


def write_atomically(path: str | Path, write: Callable[[str], object]) -> None:
    """Calls `write(temporary_path)` in the folder of `path`, then renames: readers see the old file or the new one.

    Raises OSError, naming the file and the cause, where the disk is full or the folder cannot be written; what was
    there before stays as it was.
    """
    path = Path(path)
    tmp = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, tmp = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(fd)
        write(tmp)
        with open(tmp, "rb+") as f:
            os.fsync(f.fileno())
        os.chmod(tmp, 0o666 & ~current_umask())  # mkstemp makes files that nobody else can read
        os.replace(tmp, path)
    except OSError as error:
        kept = "; the file that was there before is untouched" if path.exists() else ""
        raise OSError(error.errno, f"could not write {path}: {error.strerror or error}{kept}") from error
    finally:
        if tmp is not None:
            Path(tmp).unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
    """Writes bytes, whole or not at all."""
    write_atomically(path, lambda tmp: Path(tmp).write_bytes(content))


def write_text(path: str | Path, text: str) -> None:
    """Writes text in UTF-8, whole or not at all."""
    write_atomically(path, lambda tmp: Path(tmp).write_text(text, encoding="utf-8"))


def write_json(path: str | Path, content: dict) -> None:
    """Writes plain values as JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=1))


def sha256(path: str | Path) -> str:
    """The hash of a file's bytes."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


class CheckpointError(SRVPError, ValueError):
    """A file that cannot be loaded as what it should be; the message says why and what to do."""


def write_tensors(path: str | Path, content: dict) -> None:
    """`torch.save` of tensors and plain values, whole or not at all; read back by `read_tensors`."""
    buffer = io.BytesIO()  # not straight to the file: torch.save's errors do not say that the disk is full
    torch.save(content, buffer)
    write_bytes(path, buffer.getbuffer())


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
