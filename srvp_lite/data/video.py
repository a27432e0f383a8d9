"""A store of real videos: all frames of a split in one file of bytes, mapped into memory, with a JSON index.

A split is two files: `train.frames`, nothing but the bytes of all frames one after the other, each (H, W, C), and
`train.json`, their size, and where each video starts and how long it is. Random clips are cut from it as they are
needed; frames wait as bytes on disk, or on the device if they fit, and become floats where they are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from srvp_lite.data.digits import data_dir
from srvp_lite.files import write_atomically

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from torch import Tensor


class VideoStore:
    """Random clips from the videos of one split, made where they are used, from a seeded generator.

    `folder` holds the split's two files (see `write`); `on_device` keeps all frames in the device's memory. Raises
    FileNotFoundError where there is no store and ValueError on one that is damaged.
    """

    def __init__(self, folder: str | Path, split: str = "train", on_device: bool = False):
        self.folder, self.split, self.on_device = Path(folder), split, on_device
        index, frames = self.folder / f"{split}.json", self.folder / f"{split}.frames"
        if not (index.is_file() and frames.is_file()):
            raise FileNotFoundError(
                f"no {split!r} split in {self.folder.resolve()}: expected {index.name} and {frames.name}, as "
                "data.video.VideoStore.write makes them from decoded videos"
            )
        described = json.loads(index.read_text())
        self.videos, size = described["videos"], described["size"]
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
        """Clips (n_clips, n_frames, C, H, W), float in [0, 1]: a video by chance, then a stretch of it by chance.

        `generator` lives on the store's device. Videos shorter than the clip are never chosen; ValueError if all are.
        """
        return self.sample_bytes(n_clips, n_frames, generator).float().div_(255)

    def sample_bytes(
        self, n_clips: int, n_frames: int, generator: torch.Generator | None = None
    ) -> UInt8[Tensor, "b t c h w"]:
        """The clips `sample` makes, as bytes."""
        long_enough = (self.length >= n_frames).nonzero()[:, 0]
        if not len(long_enough):
            raise ValueError(
                f"clips of {n_frames} frames were asked for, but the longest video of the {self.split} split in "
                f"{self.folder} has {int(self.length.max()) if len(self.length) else 0}"
            )
        which = long_enough[torch.randint(len(long_enough), (n_clips,), generator=generator, device=self.device)]
        room = self.length[which] - n_frames + 1
        # 53 bits of chance, so that the last frames of long videos are as likely as the first.
        u = torch.rand(n_clips, generator=generator, device=self.device, dtype=torch.float64)
        start = self.first[which] + (u * room).long()
        index = start[:, None] + torch.arange(n_frames, device=self.device)
        if self.on_device:
            clips = self.resident[index]
        else:
            clips = torch.from_numpy(self.frames[index.cpu().numpy()])
            if self.device.type == "cuda":
                clips = clips.pin_memory().to(self.device, non_blocking=True)
        return clips.movedim(-1, 2).contiguous()

    @staticmethod
    def write(folder: str | Path, split: str, videos: Iterable[tuple[str, UInt8[np.ndarray, "t h w c"]]]) -> None:
        """Makes a split's two files from (name, frames) pairs, frames being bytes (T, H, W, C), all of one size.

        Videos are taken one at a time, so they may be decoded as they come. Both files are renamed into place when
        they are whole, the index last. Raises ValueError on a video of another size or kind, naming it.
        """
        folder = Path(folder)
        index, n_frames, size = [], 0, None

        def write_frames(tmp: str) -> None:
            nonlocal n_frames, size
            with open(tmp, "wb") as f:
                for name, video in videos:
                    size = size or video.shape[1:]
                    if video.dtype != np.uint8 or video.ndim != 4 or video.shape[1:] != size or not len(video):
                        raise ValueError(
                            f"video {name!r} is {video.dtype} {video.shape}; expected at least one frame of bytes, "
                            f"(T, H, W, C), of the first video's size, {size}"
                        )
                    index.append({"name": name, "first": n_frames, "frames": len(video)})
                    n_frames += len(video)
                    f.write(np.ascontiguousarray(video))
            if not index:
                raise ValueError(f"no videos for the {split!r} split of {folder}")

        write_atomically(folder / f"{split}.frames", write_frames)
        text = json.dumps({"size": size, "videos": index})
        write_atomically(folder / f"{split}.json", lambda tmp: Path(tmp).write_text(text))


def open_videos(dataset: str, split: str, root: str | Path | None = None, on_device: bool = False) -> VideoStore:
    """The store of a named data set ("kth", "human36m", "bair"), in the folder of that name under `data_dir(root)`."""
    return VideoStore(data_dir(root) / dataset, split, on_device)
