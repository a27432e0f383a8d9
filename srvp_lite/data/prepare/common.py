"""What the preparation of several data sets shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from tqdm.auto import tqdm

from srvp_lite.data.video_store import Decode, VideoStore, write_store

Item = TypeVar("Item")
Videos = Iterable[tuple[str, Decode]]
"""Names of videos, and of each a call that decodes its frames."""


class WholeVideos:
    """Whole videos of a split by name, for drawing test clips."""

    def __init__(self, folder: Path, split: str) -> None:
        self.store = VideoStore(folder, split)
        self.videos = {video["name"]: video for video in self.store.videos}

    def length(self, name: str) -> int:
        """Frames of a video. Raises ValueError, saying what to do, for one that is not there."""
        if name not in self.videos:
            raise ValueError(
                f"the test set needs the video {name}, which is not among the {len(self.videos)} of "
                f"{self.store.folder}: put it there, delete test_videos.json there and run this again"
            )
        return self.videos[name]["frames"]

    def frames(self, name: str) -> UInt8[np.ndarray, "t h w c"]:
        """All frames of a video."""
        first = self.videos[name]["first"]
        return np.array(self.store.frames[first : first + self.length(name)])


def split_off(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """95 % for training, the rest for validation: the official shuffle (seed 42), original order kept in each."""
    order = list(range(len(items)))
    np.random.RandomState(42).shuffle(order)
    train = set(order[: int(0.95 * len(items))])
    return [x for i, x in enumerate(items) if i in train], [x for i, x in enumerate(items) if i not in train]


def write_split(folder: Path, split: str, videos: Videos, total: int | None, stride: int = 1) -> None:
    """`write_store`, with a bar of `total` videos."""
    bar = tqdm(videos, total=total, desc=f"{folder.name}: {split}", unit="video")
    write_store(folder, split, iter(bar), stride)


def explained(call: Callable[[], Path], otherwise: str) -> Path:
    """A download whose failure also says what can be done by hand."""
    try:
        return call()
    except OSError as error:
        raise OSError(f"{error}. {otherwise}") from error
