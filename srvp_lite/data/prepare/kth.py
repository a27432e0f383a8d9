"""KTH: people who walk, run, wave, box and clap, in grey."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from srvp_lite.data.prepare.common import Videos, WholeVideos, explained, split_off, write_split
from srvp_lite.data.video_files import read_video
from srvp_lite.utils import download
from srvp_lite.utils.download import data_dir

ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
HOSTS = ("http://www.csc.kth.se/cvap/actions/", "http://www.nada.kth.se/cvap/actions/")


def prepare_kth(root: str | Path | None = None, n_test: int = 1000, n_frames: int = 40) -> Path:
    """KTH: 600 grey videos of people; persons 1 to 20 train, 21 to 25 test; 1,000 test clips of 40 frames.

    The six archives are fetched into `downloads` unless `raw/ACTION/*.avi` are there.
    """
    folder = data_dir(root) / "kth"
    for action in ACTIONS:
        if not any((folder / "raw" / action).glob("*.avi")):
            archive = folder / "downloads" / f"{action}.zip"
            explained(
                lambda archive=archive, action=action: download.fetch(
                    [f"{host}{action}.zip" for host in HOSTS], archive, check=download.is_zip
                ),
                f"If you have the videos, put them into {folder / 'raw'}/ACTION/, as personNN_ACTION_dN_uncomp.avi.",
            )
            download.unpack(archive, folder / "raw" / action)
    files = {}
    for action in ACTIONS:
        for path in sorted((folder / "raw" / action).glob("*.avi")):
            name = path.stem.removesuffix("_uncomp")
            person = name.split("_")[0].removeprefix("person")
            if not person.isdigit() or not name.startswith(f"person{person}_{action}_d"):
                raise ValueError(f"{path} is no video of KTH: expected a name like person01_{action}_d1_uncomp.avi")
            files[name] = path

    def decoded(names: Iterable[str]) -> Videos:
        return ((name, lambda name=name: read_video(files[name], 64)[..., :1]) for name in names)

    def person_of(name: str) -> int:
        return int(name.split("_")[0].removeprefix("person"))

    train, val = split_off([name for name in files if person_of(name) <= 20])
    write_split(folder, "train", decoded(train), len(train))
    write_split(folder, "val", decoded(val), len(val))
    test = [name for name in files if person_of(name) > 20]
    write_split(folder, "test_videos", decoded(test), len(test))
    videos = WholeVideos(folder, "test_videos")

    def draws() -> Videos:
        rng = np.random.RandomState(42)
        for i in range(n_test):
            action = ACTIONS[rng.randint(len(ACTIONS))]
            name = f"person{rng.randint(21, 26):02d}_{action}_d{rng.randint(1, 5)}"
            start = rng.randint(videos.length(name) - n_frames + 1)
            yield f"{i:04d} {name} {start}", lambda n=name, s=start: videos.frames(n)[s : s + n_frames]

    write_split(folder, "test", draws(), n_test)
    return folder
