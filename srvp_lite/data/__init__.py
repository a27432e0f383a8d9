"""Clips to learn from. Nothing here knows a model. Read in chapter 1; the stores of videos in chapter 7.

`digits`: still digits. `moving_mnist`: digits that drift and bounce, made as they are needed. `scenes`: in colour, on a
textured ground, behind a pillar. `video_files`,
`tfrecords`: frames out of files. `video_store`: decoded videos on disk. `prepare`: the paper's data sets, and your own
videos, made into stores. `open`: from a configuration to any of these.
"""

from srvp_lite.data.digits import load_digits
from srvp_lite.data.moving_mnist import Clips, MovingMNIST, bounce, official_test_set
from srvp_lite.data.open import moving_digits, open_data, test_clips
from srvp_lite.data.video_store import VideoStore, open_videos, write_store

__all__ = [
    "Clips", "MovingMNIST", "VideoStore", "bounce", "load_digits", "moving_digits", "official_test_set", "open_data",
    "open_videos", "test_clips", "write_store",
]  # fmt: skip
