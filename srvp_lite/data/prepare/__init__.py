"""Makes the stores of the paper's data sets: fetch or find the originals, decode, split, draw the official test clips.

Each data set is a file here and a row of `DATASETS`: a function that puts three splits into a folder, `train` and
`val`, whole videos, and `test`, clips. Everything can be stopped and run again: what is there is kept. Splits and draws
are those of the official scripts (same seeds, same order of draws); where those depend on the order of a folder's
files, names are sorted here.

`kth`, `human36m`, `bair`, `moving_mnist`: the paper's. `own_videos`: yours. `common`: what they share.
"""

from collections.abc import Callable
from pathlib import Path

from srvp_lite.data.prepare.bair import prepare_bair
from srvp_lite.data.prepare.human36m import prepare_human36m
from srvp_lite.data.prepare.kth import prepare_kth
from srvp_lite.data.prepare.moving_mnist import prepare_moving_mnist
from srvp_lite.data.prepare.own_videos import prepare_own_videos

__all__ = ["DATASETS", "prepare_own_videos"]

DATASETS: dict[str, Callable[[str | Path | None], Path]] = {
    "kth": prepare_kth,
    "human36m": prepare_human36m,
    "bair": prepare_bair,
    "mmnist": prepare_moving_mnist,
}
"""By the name that `srvp-lite prepare` takes; each is called with the folder of the stores (`data_dir` if None)."""
