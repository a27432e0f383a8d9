"""Files that are either whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: str | Path, write: Callable[[str], None]) -> None:
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


def write_json(path: str | Path, content: dict) -> None:
    """Writes plain values as JSON, whole or not at all."""
    text = json.dumps(content, indent=1)
    write_atomically(path, lambda tmp: Path(tmp).write_text(text))


def sha256(path: str | Path) -> str:
    """The hash of a file's bytes, or of a folder's model.pt."""
    path = Path(path)
    with open(path / "model.pt" if path.is_dir() else path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
