"""BAIR robot pushing: an arm that pushes things about on a table, at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from tqdm.auto import tqdm

from srvp_lite.data.prepare.common import Videos, explained, split_off, write_split
from srvp_lite.data.tfrecords import read_tfrecords
from srvp_lite.utils import download
from srvp_lite.utils.download import data_dir

SOURCES = ["http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar"]
N_FRAMES, SIZE = 30, 64


def prepare_bair(root: str | Path | None = None) -> Path:
    """BAIR robot pushing: 30 frames of 64x64 from the camera `image_aux1`; 256 test videos.

    The archive (30 GB) is fetched unless `softmotion30_44k/{train,test}/*.tfrecords` are there.
    """
    folder = data_dir(root) / "bair"
    records = {s: sorted((folder / "softmotion30_44k" / s).glob("*.tfrecords")) for s in ("train", "test")}
    if not all(records.values()):
        archive = folder / "downloads" / "bair_robot_pushing_dataset_v0.tar"
        explained(
            lambda: download.fetch(SOURCES, archive, check=download.is_tar),
            f"If you have the files, put them into {folder}/softmotion30_44k/train and test, as *.tfrecords.",
        )
        download.unpack(archive, folder)
        records = {s: sorted((folder / "softmotion30_44k" / s).glob("*.tfrecords")) for s in ("train", "test")}

    def frames(example: dict[str, list[bytes]], name: str) -> UInt8[np.ndarray, "t h w c"]:
        pictures = []
        for t in range(N_FRAMES):
            raw = example.get(f"{t}/image_aux1/encoded", [b""])[0]
            if len(raw) != SIZE * SIZE * 3:
                raise ValueError(
                    f"video {name} has {len(raw)} bytes for frame {t} of image_aux1, expected {SIZE * SIZE * 3}"
                )
            pictures.append(np.frombuffer(raw, np.uint8).reshape(SIZE, SIZE, 3))
        return np.stack(pictures)

    def decoded(split: str) -> Videos:
        for path in records[split]:
            for k, example in enumerate(read_tfrecords(path), start=1):
                name = f"{path.stem}/{k:03d}"
                yield name, lambda example=example, name=name: frames(example, name)

    # The videos are too many to hold, so a first pass over the records counts them.
    n = sum(1 for path in tqdm(records["train"], desc="bair: counting", unit="file") for _ in read_tfrecords(path))
    train = set(split_off(list(range(n)))[0])
    write_split(folder, "train", (v for i, v in enumerate(decoded("train")) if i in train), len(train))
    write_split(folder, "val", (v for i, v in enumerate(decoded("train")) if i not in train), n - len(train))
    write_split(folder, "test", decoded("test"), None)
    return folder
