"""The store of real videos: clips are stretches of its videos, chosen evenly, and damage is noticed."""

import numpy as np
import pytest
import torch

from srvp_lite.config import PRESETS, Experiment, VideoConfig
from srvp_lite.data.video import VideoStore, open_videos
from srvp_lite.train import open_data


def video(number, n_frames, size=(6, 6, 3)):
    """Frame t of video n is all one byte, n * 40 + t, so that a clip tells where it is from."""
    return np.broadcast_to(
        (number * 40 + np.arange(n_frames, dtype=np.uint8))[:, None, None, None], (n_frames, *size)
    ).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    VideoStore.write(tmp_path / "toy", "train", ((f"v{n}", video(n, length)) for n, length in enumerate([30, 4, 12])))
    return tmp_path / "toy"


@pytest.mark.parametrize("on_device", [False, True])
def test_clips_are_stretches_of_videos(folder, on_device):
    store = VideoStore(folder, on_device=on_device).to("cpu")
    clips = store.sample_bytes(4000, 5, torch.Generator().manual_seed(0))
    assert clips.shape == (4000, 5, 3, 6, 6) and clips.dtype == torch.uint8
    value = clips[:, :, 0, 0, 0].long()
    assert (clips == clips[:, :, :1, :1, :1]).all()
    assert (value.diff(dim=1) == 1).all(), "frames follow each other"
    number, start = value[:, 0] // 40, value[:, 0] % 40
    assert set(number.tolist()) == {0, 2}, "the video of four frames is too short"
    assert abs((number == 0).float().mean() - 0.5) < 0.04, "videos are as likely as each other"
    for n, length in ((0, 30), (2, 12)):
        counts = torch.bincount(start[number == n], minlength=length - 4)
        assert len(counts) == length - 4 and (counts > 0).all(), "every start is possible, none past the end"
        expected = counts.sum() / len(counts)
        assert ((counts - expected).abs() < 5 * expected.sqrt()).all(), "and as likely as the others"


def test_same_seed_same_clips_as_floats(folder):
    store = VideoStore(folder)
    a, b, c = (store.sample(6, 4, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.dtype == torch.float32 and 0 <= a.min() and a.max() <= 1


def test_a_preset_finds_its_store(tmp_path):
    VideoStore.write(tmp_path / "kth", "train", [("person01", video(0, 30, (64, 64, 1)))])
    kth = PRESETS["kth"]
    e = Experiment(kth.model, VideoConfig("kth", root=str(tmp_path)), kth.train)
    assert open_data(e.data, "train").sample(2, 20).shape == (2, 20, 1, 64, 64)
    assert Experiment.from_dict(e.to_dict()) == e
    with pytest.raises(FileNotFoundError, match="no 'val' split in .*kth: expected val.json and val.frames"):
        open_videos("kth", "val", tmp_path)


def test_clips_longer_than_every_video_are_refused(folder):
    with pytest.raises(ValueError, match="clips of 31 frames were asked for, but the longest video .* has 30"):
        VideoStore(folder).sample(1, 31)


def test_a_store_cut_off_is_noticed(folder):
    data = (folder / "train.frames").read_bytes()
    (folder / "train.frames").write_bytes(data[:-10])
    with pytest.raises(ValueError, match="a copy was cut off"):
        VideoStore(folder)


def test_a_failed_write_leaves_the_old_store(folder):
    def fail_half_way():
        yield "good", video(0, 5)
        yield "odd", video(0, 5, (7, 6, 3))

    message = r"video 'odd' is uint8 \(5, 7, 6, 3\).*of the first video's size, \(6, 6, 3\)"
    with pytest.raises(ValueError, match=message):
        VideoStore.write(folder, "train", fail_half_way())
    assert len(VideoStore(folder).videos) == 3
    assert sorted(p.name for p in folder.iterdir()) == ["train.frames", "train.json"]
    with pytest.raises(ValueError, match="no videos for the 'val' split"):
        VideoStore.write(folder, "val", [])
