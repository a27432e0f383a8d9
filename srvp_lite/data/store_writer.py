"""Writes a store of videos, one video at a time, so that it can be stopped anywhere and gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from srvp_lite.files import write_atomically

Decode = Callable[[], np.ndarray]


def write_store(
    folder: str | Path, split: str, videos: Iterable[tuple[str, Decode]], stride: int = 1, note: str = ""
) -> None:
    """Makes a split's two files (see `data.video`) from pairs of a name and a call that decodes the frames.

    Frames are bytes (T, H, W, C), all of one size. Clips will take every `stride`-th frame. A split that is there is
    left alone. What was written before an interruption lies in SPLIT.frames.part, with a line for each whole video in
    SPLIT.json.part: those are kept, and their videos not decoded again. Both files get their names when they are
    whole, the index last. Raises ValueError on a video of another size or kind, naming it, and OSError, with all that
    was written kept, when the disk is full.
    """
    folder = Path(folder)
    if (folder / f"{split}.json").is_file() and (folder / f"{split}.frames").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    frames, journal = folder / f"{split}.frames.part", folder / f"{split}.json.part"
    index = read_journal(journal, frames)
    done, size = {video["name"] for video in index}, tuple(index[0]["size"]) if index else None
    n_frames = sum(video["frames"] for video in index)
    with writing(frames):
        f, lines = open(frames, "ab"), open(journal, "w")
    with f, lines:
        with writing(frames):
            f.truncate(n_frames * int(np.prod(size)) if size else 0)
            lines.writelines(json.dumps(video) + "\n" for video in index)
        for name, decode in videos:
            if name in done:
                continue
            video = decode()
            size = size or video.shape[1:]
            if video.dtype != np.uint8 or video.ndim != 4 or video.shape[1:] != size or not len(video):
                raise ValueError(
                    f"video {name!r} is {video.dtype} {video.shape}; expected at least one frame of bytes, "
                    f"(T, H, W, C), of the first video's size, {tuple(size)}"
                )
            with writing(frames):
                f.write(np.ascontiguousarray(video))
                f.flush()  # frames first: a line of the journal says that they are all there
                index.append({"name": name, "first": n_frames, "frames": len(video), "size": list(size)})
                lines.write(json.dumps(index[-1]) + "\n")
                lines.flush()
            n_frames += len(video)
        os.fsync(f.fileno())
    if not index:
        raise ValueError(f"no videos for the {split!r} split of {folder}")
    os.replace(frames, folder / f"{split}.frames")
    videos_only = [{key: video[key] for key in ("name", "first", "frames")} for video in index]
    text = json.dumps({"size": list(size), "stride": stride, "note": note, "videos": videos_only})
    write_atomically(folder / f"{split}.json", lambda tmp: Path(tmp).write_text(text))
    journal.unlink()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors inside are the disk's."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise OSError(
            error.errno, f"could not write {path}: {why}; what is there is kept, run again to go on"
        ) from error


def read_journal(journal: Path, frames: Path) -> list[dict]:
    """The whole videos of an interrupted store: lines of the journal that are whole and whose frames are all there."""
    index, n_bytes = [], frames.stat().st_size if frames.is_file() else 0
    for line in journal.read_text().splitlines() if journal.is_file() else []:
        try:
            video = json.loads(line)
        except json.JSONDecodeError:
            break
        if (video["first"] + video["frames"]) * np.prod(video["size"]) > n_bytes:
            break
        index.append(video)
    return index
