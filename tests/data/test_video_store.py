"""The store of real videos: clips are stretches of its videos, chosen evenly, and damage is noticed."""

import numpy as np
import pytest
import torch

from srvp_lite.config import Experiment, VideoConfig
from srvp_lite.data.open import open_data
from srvp_lite.data.video_store import VideoStore, open_videos, write_store
from srvp_lite.presets import preset


def video(number, n_frames, size=(6, 6, 3)):
    """Frame t of video n is all one byte, n * 40 + t, so that a clip tells where it is from."""
    return np.broadcast_to(
        (number * 40 + np.arange(n_frames, dtype=np.uint8))[:, None, None, None], (n_frames, *size)
    ).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    lengths = enumerate([30, 4, 12])
    write_store(tmp_path / "toy", "train", [(f"v{n}", lambda n=n, t=t: video(n, t)) for n, t in lengths])
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
    write_store(tmp_path / "kth", "train", [("person01", lambda: video(0, 30, (64, 64, 1)))])
    kth = preset("kth")
    e = Experiment(kth.model, VideoConfig("kth", root=str(tmp_path)), kth.train)
    assert open_data(e.data, "train").sample(2, 20).shape == (2, 20, 1, 64, 64)
    assert Experiment.from_dict(e.to_dict()) == e
    with pytest.raises(FileNotFoundError, match="no 'val' split in .*kth: expected val.json and val.frames"):
        open_videos("kth", "val", tmp_path)


def test_clips_longer_than_every_video_are_refused(folder):
    with pytest.raises(
        ValueError, match="clips over 31 frames of video were asked for, but the longest video .* has 30"
    ):
        VideoStore(folder).sample(1, 31)


def test_a_store_cut_off_is_noticed(folder):
    data = (folder / "train.frames").read_bytes()
    (folder / "train.frames").write_bytes(data[:-10])
    with pytest.raises(ValueError, match="a copy was cut off"):
        VideoStore(folder)


def test_every_other_frame(tmp_path):
    """With a stride, as for Human3.6M: frames between are stepped over, and starts may fall anywhere."""
    write_store(tmp_path, "train", [("v", lambda: video(0, 20))], stride=4)
    store = VideoStore(tmp_path)
    value = store.sample_bytes(500, 4, torch.Generator().manual_seed(0))[:, :, 0, 0, 0].long()
    assert (value.diff(dim=1) == 4).all() and set(value[:, 0].tolist()) == set(range(8))
    with pytest.raises(ValueError, match="clips over 21 frames of video were asked for.* has 20"):
        store.sample(1, 6)
    first = store.first_frames(slice(0, 1), 5)
    assert first.shape == (1, 5, 3, 6, 6) and first[0, :, 0, 0, 0].tolist() == [0, 4, 8, 12, 16]
    with pytest.raises(ValueError, match="clips in .* have 5 frames, 6 were asked for"):
        store.first_frames(slice(0, 1), 6)


def test_a_video_of_another_size_is_named_and_the_good_ones_are_kept(tmp_path):
    decoded = []

    def videos(size):
        for n in range(4):
            yield f"v{n}", lambda n=n: decoded.append(n) or video(n, 5, size if n == 2 else (6, 6, 3))

    message = r"video 'v2' is uint8 \(5, 7, 6, 3\).*of the first video's size, \(6, 6, 3\)"
    with pytest.raises(ValueError, match=message):
        write_store(tmp_path, "train", videos((7, 6, 3)))
    with pytest.raises(FileNotFoundError):
        VideoStore(tmp_path)
    write_store(tmp_path, "train", videos((6, 6, 3)))
    assert decoded == [0, 1, 2, 2, 3], "what was decoded before is not decoded again"
    assert VideoStore(tmp_path).frames[:, 0, 0, 0].tolist() == [n * 40 + t for n in range(4) for t in range(5)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train.frames", "train.json"]
    write_store(tmp_path, "train", videos((6, 6, 3)))
    assert len(decoded) == 5, "a whole split is left alone"
    with pytest.raises(ValueError, match="no videos for the 'val' split"):
        write_store(tmp_path, "val", [])


def test_a_video_that_cannot_be_read_is_not_the_disks_fault(tmp_path):
    def missing():
        raise FileNotFoundError("no video at x.avi")

    with pytest.raises(FileNotFoundError, match="^no video at x.avi$"):
        write_store(tmp_path, "train", [("x", missing)])


@pytest.mark.parametrize("cut_frames, cut_journal", [(0, 0), (100, 0), (0, 3), (0, 60), (10**6, 0)])
def test_a_store_cut_off_anywhere_is_gone_on_with(tmp_path, cut_frames, cut_journal):
    """As if the machine had died with the last bytes of either file not yet on the disk."""

    def videos(until):
        for n in range(6):
            yield f"v{n}", lambda n=n: video(n, 3 + n) if n < until else 1 / 0

    with pytest.raises(ZeroDivisionError):
        write_store(tmp_path, "train", videos(4))
    for name, cut in (("train.frames.part", cut_frames), ("train.json.part", cut_journal)):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: max(0, len(data) - cut)])
    write_store(tmp_path, "train", videos(9))
    store = VideoStore(tmp_path)
    assert [v["name"] for v in store.videos] == [f"v{n}" for n in range(6)]
    assert store.frames[:, 0, 0, 0].tolist() == [n * 40 + t for n in range(6) for t in range(3 + n)]
