"""Human3.6M: people in a studio, in colour, seen by four cameras."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from srvp_lite.data.prepare.common import Videos, WholeVideos, split_off, write_split
from srvp_lite.data.video_files import read_video
from srvp_lite.utils.download import data_dir

SUBJECTS = {"train": (1, 5, 6, 7, 8), "test": (9, 11)}


def prepare_human36m(root: str | Path | None = None, n_test: int = 1000, n_frames: int = 53, stride: int = 8) -> Path:
    """Human3.6M: one frame in eight of videos at 50 a second; subjects 1, 5, 6, 7, 8 train, 9 and 11 test.

    Its licence asks every user to sign, so it is not fetched: the videos are expected where the archives of the
    owners put them, `SN/Videos/*.mp4` in the data set's folder.
    """
    folder = data_dir(root) / "human36m"
    found: dict[str, dict[str, Path]] = {}
    for split, subjects in SUBJECTS.items():
        found[split] = {}
        for subject in subjects:
            paths = sorted((folder / f"S{subject}" / "Videos").glob("*.mp4"))
            paths = [p for p in paths if not p.name.startswith("_")]  # _ALL*: all cameras in one picture
            if not paths:
                raise FileNotFoundError(
                    f"no videos of subject {subject}: expected {folder}/S{subject}/Videos/*.mp4. Human3.6M is given "
                    "out by its owners only, at http://vision.imar.ro/human3.6m/description.php; unpack the archives "
                    "of videos of subjects 1, 5, 6, 7, 8, 9 and 11 there"
                )
            found[split] |= {f"S{subject}-{path.stem}": path for path in paths}

    def decoded(names: Iterable[str], files: dict[str, Path]) -> Videos:
        box = (100, 100, 900, 900)
        return ((name, lambda name=name: read_video(files[name], 64, box)) for name in names)

    def official_order(names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: f"{name}.npz")  # as their files sort, ending included

    train, val = split_off(official_order(found["train"]))
    write_split(folder, "train", decoded(train, found["train"]), len(train), stride)
    write_split(folder, "val", decoded(val, found["train"]), len(val), stride)
    test = official_order(found["test"])
    write_split(folder, "test_videos", decoded(test, found["test"]), len(test))
    videos = WholeVideos(folder, "test_videos")

    def draws() -> Videos:
        rng, reach = np.random.RandomState(42), (n_frames - 1) * stride + 1
        for i in range(n_test):
            name = test[rng.randint(len(test))]
            start = rng.randint(videos.length(name) - reach + 1)
            yield f"{i:04d} {name} {start}", lambda n=name, s=start: videos.frames(n)[s : s + reach : stride]

    write_split(folder, "test", draws(), n_test)
    return folder
