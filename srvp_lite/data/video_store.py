"""A store of real videos: all frames of a split in one file of bytes, mapped into memory, with a JSON index.

A split is two files: `train.frames`, nothing but the bytes of all frames one after the other, each (H, W, C), and
`train.json`, their size, and where each video starts and how long it is. Random clips are cut from it as they are
needed; frames wait as bytes on disk, or on the device if they fit, and become floats where they are used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from srvp_lite.utils.device import precise_dtype
from srvp_lite.utils.download import data_dir
from srvp_lite.utils.files import write_text


class VideoStore:
    """Random clips from the videos of one split, made where they are used, from a seeded generator.

    `folder` holds the split's two files, as `write_store` makes them; `on_device` keeps all frames in the
    device's memory. Raises FileNotFoundError where there is no store and ValueError on one that is damaged.
    """

    def __init__(self, folder: str | Path, split: str = "train", on_device: bool = False):
        self.folder, self.split, self.on_device = Path(folder), split, on_device
        index, frames = self.folder / f"{split}.json", self.folder / f"{split}.frames"
        if not (index.is_file() and frames.is_file()):
            raise FileNotFoundError(
                f"no {split!r} split in {self.folder.resolve()}: expected {index.name} and {frames.name}; make them "
                f"with srvp-lite prepare {self.folder.name} --root {self.folder.parent}"
            )
        described = json.loads(index.read_text(encoding="utf-8"))
        self.videos, size, self.stride = described["videos"], described["size"], described.get("stride", 1)
        shape = (sum(video["frames"] for video in self.videos), *size)
        if frames.stat().st_size != np.prod(shape):
            raise ValueError(
                f"{frames} has {frames.stat().st_size:,} bytes, but its index describes frames (N, H, W, C) of "
                f"{shape}, {np.prod(shape):,} bytes: a copy was cut off, or the two files do not belong together"
            )
        self.frames = np.memmap(frames, np.uint8, "r", shape=shape)
        self.first = torch.tensor([video["first"] for video in self.videos])
        self.length = torch.tensor([video["frames"] for video in self.videos])
        self.device = torch.device("cpu")

    def to(self, device: str | torch.device) -> VideoStore:
        """The same store, making its clips on `device`."""
        self.device = torch.device(device)
        self.first, self.length = self.first.to(device), self.length.to(device)
        if self.on_device:
            self.resident = torch.from_numpy(np.array(self.frames)).to(device)
        return self

    def sample(
        self, n_clips: int, n_frames: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Clips (n_clips, n_frames, C, H, W), float in [0, 1]: a video by chance, then a stretch of it by chance, of
        which every `stride`-th frame is taken.

        `generator` lives on the store's device. Videos shorter than the clip are never chosen; ValueError if all are.
        """
        return self.sample_bytes(n_clips, n_frames, generator).float().div_(255)

    def sample_bytes(
        self, n_clips: int, n_frames: int, generator: torch.Generator | None = None
    ) -> UInt8[Tensor, "b t c h w"]:
        """The clips `sample` makes, as bytes."""
        reach = (n_frames - 1) * self.stride + 1  # from the first frame to the last
        long_enough = (self.length >= reach).nonzero()[:, 0]
        if not len(long_enough):
            raise ValueError(
                f"clips over {reach} frames of video were asked for, but the longest video of the {self.split} split "
                f"in {self.folder} has {int(self.length.max()) if len(self.length) else 0}"
            )
        which = long_enough[torch.randint(len(long_enough), (n_clips,), generator=generator, device=self.device)]
        room = self.length[which] - reach + 1
        # 53 bits of chance where there are as many, so that the last frames of long videos are as likely as the first.
        u = torch.rand(n_clips, generator=generator, device=self.device, dtype=precise_dtype(self.device))
        start = self.first[which] + (u * room).long().minimum(room - 1)  # 24 bits may round up to the room
        return self.read(start[:, None] + self.stride * torch.arange(n_frames, device=self.device))

    def first_frames(self, videos: slice, n_frames: int) -> UInt8[Tensor, "b t c h w"]:
        """The beginnings of some videos, in order, as bytes: how a test set, whose videos are clips, is read."""
        length = int(self.length[videos].min())
        if length < (n_frames - 1) * self.stride + 1:
            raise ValueError(
                f"the {self.split} clips in {self.folder} have {(length - 1) // self.stride + 1} frames, "
                f"{n_frames} were asked for"
            )
        return self.read(self.first[videos, None] + self.stride * torch.arange(n_frames, device=self.device))

    def read(self, index: Int[Tensor, "b t"]) -> UInt8[Tensor, "b t c h w"]:
        """Frames by their number in the store."""
        if self.on_device:
            clips = self.resident[index]
        else:
            clips = torch.from_numpy(self.frames[index.cpu().numpy()])
            if self.device.type == "cuda":
                clips = clips.pin_memory()
            clips = clips.to(self.device, non_blocking=self.device.type == "cuda")
        return clips.movedim(-1, 2).contiguous()


def open_videos(dataset: str, split: str, root: str | Path | None = None, on_device: bool = False) -> VideoStore:
    """The store of a named data set ("kth", "human36m", "bair"), in the folder of that name under `data_dir(root)`."""
    return VideoStore(data_dir(root) / dataset, split, on_device)


# Writing, one video at a time, so that it can be stopped anywhere and gone on with -----------------------------------

Decode = Callable[[], np.ndarray]


def write_store(folder: str | Path, split: str, videos: Iterable[tuple[str, Decode]], stride: int = 1) -> None:
    """Makes a split's two files (see above) from pairs of a name and a call that decodes the frames.

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
    done: set[str] = {video["name"] for video in index}
    size: tuple[int, ...] = tuple(index[0]["size"]) if index else ()  # (H, W, C), known from the first video on
    n_frames = sum(video["frames"] for video in index)
    with writing(frames):
        f, lines = open(frames, "ab"), open(journal, "w", encoding="utf-8")
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
                f.write(np.ascontiguousarray(video).data)
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
    text = json.dumps({"size": list(size), "stride": stride, "videos": videos_only})
    write_text(folder / f"{split}.json", text)
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


def read_journal(journal: Path, frames: Path) -> list[dict[str, Any]]:
    """The whole videos of an interrupted store: lines of the journal that are whole and whose frames are all there."""
    index: list[dict[str, Any]] = []
    n_bytes = frames.stat().st_size if frames.is_file() else 0
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []:
        try:
            video = json.loads(line)
        except json.JSONDecodeError:
            break
        if (video["first"] + video["frames"]) * np.prod(video["size"]) > n_bytes:
            break
        index.append(video)
    return index
