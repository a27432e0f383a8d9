"""Your own videos, of any kind that PyAV reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from srvp_lite.data.prepare.common import Videos, WholeVideos, write_split
from srvp_lite.data.video_files import VIDEO_ENDINGS, read_video, square
from srvp_lite.utils.download import data_dir


def prepare_own_videos(
    videos: str | Path,
    name: str,
    root: str | Path | None = None,
    size: int = 64,
    grey: bool = False,
    n_frames: int = 40,
) -> Path:
    """Your own videos: every file in `videos` and its subfolders, its middle square, 90 / 5 / 5 % by video.

    The test split holds 1,000 clips of `n_frames` frames, drawn with seed 42, none twice; all there are if those are
    fewer.
    """
    source, folder = Path(videos), data_dir(root) / name
    paths = sorted(p for p in source.rglob("*") if p.suffix.lower() in VIDEO_ENDINGS)
    if len(paths) < 3:
        raise FileNotFoundError(
            f"{len(paths)} videos in {source}: expected at least 3, one for each split, with endings "
            f"{', '.join(VIDEO_ENDINGS)}"
        )
    names = [path.relative_to(source).as_posix() for path in paths]
    order = np.random.RandomState(42).permutation(len(names))
    n_held = max(1, round(0.05 * len(names)))
    parts = {"test_videos": order[:n_held], "val": order[n_held : 2 * n_held], "train": order[2 * n_held :]}

    def decoded(chosen: Int[np.ndarray, " n"]) -> Videos:
        def small(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "size size c"]:
            return square(frame, size, grey)

        return ((names[i], lambda i=i: read_video(paths[i], prepare=small)) for i in sorted(chosen))

    for split, chosen in parts.items():
        write_split(folder, split, decoded(chosen), len(chosen))
    whole = WholeVideos(folder, "test_videos")
    long_enough = [names[i] for i in sorted(parts["test_videos"]) if whole.length(names[i]) >= n_frames]
    if not long_enough:
        raise ValueError(f"no test video has {n_frames} frames; ask for shorter clips with --n-frames")

    counts = np.array([whole.length(video) - n_frames + 1 for video in long_enough])  # possible clips of each video
    ends = counts.cumsum()
    drawn = np.random.RandomState(42).permutation(ends[-1])[:1000]

    def clips() -> Videos:
        for i, clip in enumerate(drawn):
            number = np.searchsorted(ends, clip, side="right")
            video, start = long_enough[number], clip - (ends[number] - counts[number])
            yield f"{i:04d} {video} {start}", lambda v=video, s=start: whole.frames(v)[s : s + n_frames]

    write_split(folder, "test", clips(), len(drawn))
    return folder
