"""Downloads that can be interrupted, archives that cannot write elsewhere than they should."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tqdm.auto import tqdm

CHUNK = 1 << 20


def fetch(
    sources: list[str],
    path: str | Path,
    digest: str | None = None,
    algorithm: str = "sha256",
    check: Callable[[Path], None] | None = None,
    progress: bool = True,
) -> Path:
    """Downloads a file to `path` from the first of the `sources` that delivers, and returns `path`.

    A file already there is kept. What was interrupted lies beside it as NAME.HOST.part and is continued, if the source
    can do that. Before the file gets its name, its size is compared with what the source announced, its hash with
    `digest` where one is known, and `check` may refuse it by raising ValueError. Raises OSError, with what each source
    answered, when none delivers.
    """
    path = Path(path)
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = []
    for url in sources:
        parsed = urllib.parse.urlsplit(url)
        host = parsed.hostname or url
        # Each source has a beginning of its own: two of them need not hold the same bytes.
        part = path.with_name(f"{path.name}.{parsed.netloc.replace(':', '_')}.part")
        try:
            receive(url, part, progress)
            if digest is not None and (got := hash_of(part, algorithm)) != digest:
                raise ValueError(f"the file it sent is another one ({algorithm} {got}, expected {digest})")
            if check is not None:
                check(part)
        except ValueError as error:
            part.unlink(missing_ok=True)  # whole, and wrong: nothing to continue
            answers.append(f"{host}: {error}")
        except urllib.error.HTTPError as error:
            answers.append(f"{host} answered {error.code} {error.reason}")
        except urllib.error.URLError as error:
            answers.append(f"{host} cannot be reached ({error.reason})")
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            answers.append(f"{host} broke off ({error or type(error).__name__}); run the command again to go on")
        except OSError as error:  # the disk's, not the network's
            raise OSError(error.errno, f"could not write {part}: {error.strerror or error}") from error
        else:
            os.replace(part, path)
            return path
    raise OSError(f"could not fetch {path.name}: " + "; ".join(answers))


def receive(url: str, part: Path, progress: bool) -> None:
    """Gets a URL into a file, from where the file ends. Raises what urllib does; ConnectionError if it is cut off."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "srvp-lite"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send: it was whole
            return
        raise
    with response:
        if have and response.status != 206:  # the source starts over
            have = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with (
            open(part, "ab" if have else "wb") as f,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=not progress) as bar,
        ):
            while chunk := response.read(CHUNK):
                f.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size != total:
        raise ConnectionError(f"{part.stat().st_size:,} of {total:,} bytes came")


def hash_of(path: Path, algorithm: str = "sha256") -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, algorithm).hexdigest()


def is_zip(path: Path) -> None:
    """Raises ValueError unless the file is a whole zip archive (a dead link often delivers a page instead)."""
    if not zipfile.is_zipfile(path):
        raise ValueError("what it sent is no zip archive")


def is_tar(path: Path) -> None:
    """Raises ValueError unless the file is a tar archive."""
    if not tarfile.is_tarfile(path):
        raise ValueError("what it sent is no tar archive")


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpacks a zip or tar archive into a folder; only plain files and folders inside it.

    Raises ValueError, having written nothing, for a damaged archive and for one whose members would land outside of
    the folder or are links or devices.
    """
    archive, folder = Path(archive), Path(folder)
    members: list[tuple[str, Callable[[], IO[bytes] | None]]] = []
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as z:
                if bad := z.testzip():
                    raise ValueError(f"{archive} is damaged at {bad}; delete it and fetch it again")
                for info in z.infolist():
                    if not info.is_dir():
                        inside(archive, folder, info.filename)
                        members.append((info.filename, lambda info=info: z.open(info)))
                write_members(folder, members)
        else:
            with tarfile.open(archive) as t:
                for info in t.getmembers():
                    if info.isdir():
                        continue
                    if not info.isfile():
                        raise ValueError(f"{archive} holds {info.name!r}, which is no plain file; nothing was unpacked")
                    inside(archive, folder, info.name)
                    members.append((info.name, lambda info=info: t.extractfile(info)))
                write_members(folder, members)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ValueError(f"{archive} is damaged ({error}); delete it and fetch it again") from error


def inside(archive: Path, folder: Path, name: str) -> None:
    """Raises ValueError unless a member's name stays in the folder."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()) or Path(name).is_absolute():
        raise ValueError(f"{archive} would write {name!r} outside of {folder}; nothing was unpacked")


def write_members(folder: Path, members: list[tuple[str, Callable[[], IO[bytes] | None]]]) -> None:
    for name, open_member in members:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        source = open_member()
        assert source is not None  # it is a plain file
        with source, open(part, "wb") as f:
            shutil.copyfileobj(source, f, CHUNK)
        os.replace(part, target)


def data_dir(root: str | Path | None = None) -> Path:
    """`root`, or the folder that the environment variable SRVP_DATA_DIR names, or ./downloads."""
    return Path(root or os.environ.get("SRVP_DATA_DIR") or "downloads")
