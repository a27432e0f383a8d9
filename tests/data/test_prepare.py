"""Stores of real data sets, made from files of the real formats: archives, .avi, .mp4, TFRecords; whole and damaged."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import Server, encode, example, moving_bar, tarred, write_tfrecords, zipped

from srvp_lite.cli import main
from srvp_lite.data.open import test_clips as clips_for_tests
from srvp_lite.data.prepare import DATASETS, bair, kth
from srvp_lite.data.prepare.bair import prepare_bair
from srvp_lite.data.prepare.human36m import prepare_human36m
from srvp_lite.data.prepare.kth import prepare_kth
from srvp_lite.data.prepare.moving_mnist import prepare_moving_mnist
from srvp_lite.data.prepare.own_videos import prepare_own_videos
from srvp_lite.data.video_files import read_video
from srvp_lite.data.video_store import VideoStore
from srvp_lite.presets import PRESETS
from srvp_lite.utils import download


@pytest.fixture(scope="module")
def kth_videos(tmp_path_factory):
    """Two training persons and the five test persons: 24 short videos each, as members of zip archives."""
    work = tmp_path_factory.mktemp("kth")
    archives = {}
    for a, action in enumerate(kth.ACTIONS):
        members = {}
        for person in (1, 2, 21, 22, 23, 24, 25):
            for trial in (1, 2, 3, 4):
                name = f"person{person:02d}_{action}_d{trial}_uncomp.avi"
                frames = moving_bar(44 + trial, 120, 160, brightness=100 + 20 * a)
                members[name] = encode(work / name, frames).read_bytes()
        archives[action] = members
    return archives


@pytest.mark.slow
def test_kth_from_archives_to_clips(tmp_path, monkeypatch, kth_videos):
    """Fetched from the second host, unpacked, decoded, split by person; the test clips are the official draws."""
    files = {f"/{action}.zip": zipped(tmp_path / f"{action}.zip", m).read_bytes() for action, m in kth_videos.items()}
    server = Server(files)
    monkeypatch.setattr(kth, "HOSTS", ("http://no-such-host.invalid/", server.url("/")))
    folder = prepare_kth(tmp_path / "data", n_test=12)
    train, val, test = (VideoStore(folder, split) for split in ("train", "val", "test"))
    assert len(train.videos) == int(0.95 * 48) and len(val.videos) == 48 - int(0.95 * 48)
    assert not {v["name"] for v in train.videos} & {v["name"] for v in val.videos}
    assert all(int(v["name"][6:8]) <= 20 for s in (train, val) for v in s.videos)
    assert train.frames.shape[1:] == (64, 64, 1)

    # The official script's draws, written out with NumPy's global generator as it does.
    np.random.seed(42)
    clips = test.first_frames(slice(None), 40)
    for i, video in enumerate(test.videos):
        action = kth.ACTIONS[np.random.randint(6)]
        person, trial = np.random.randint(21, 26), np.random.randint(1, 5)
        start = np.random.randint(44 + trial - 40 + 1)
        name = f"person{person:02d}_{action}_d{trial}"
        assert video["name"] == f"{i:04d} {name} {start}"
        expected = read_video(folder / "raw" / action / f"{name}_uncomp.avi", 64)[start : start + 40, :, :, 0]
        assert np.array_equal(clips[i, :, 0].numpy(), expected)
    n = len(server.asked)
    prepare_kth(tmp_path / "data", n_test=12)
    assert len(server.asked) == n, "a second run finds everything"


@pytest.mark.slow
def test_kth_says_what_is_wrong(tmp_path, monkeypatch, kth_videos):
    monkeypatch.setattr(kth, "HOSTS", ("http://no-such-host.invalid/",))
    with pytest.raises(OSError, match="no-such-host.invalid cannot be reached.*put them into .*raw/ACTION/, as person"):
        prepare_kth(tmp_path)
    for action, members in kth_videos.items():
        download.unpack(zipped(tmp_path / f"{action}.zip", members), tmp_path / "kth" / "raw" / action)
    odd = tmp_path / "kth" / "raw" / "boxing" / "holiday.avi"
    odd.write_bytes(b"x")
    with pytest.raises(
        ValueError, match="holiday.avi is no video of KTH: expected a name like person01_boxing_d1_uncomp"
    ):
        prepare_kth(tmp_path)
    odd.unlink()
    bad = tmp_path / "kth" / "raw" / "walking" / "person02_walking_d4_uncomp.avi"
    good = bad.read_bytes()
    bad.write_bytes(good[:300])
    with pytest.raises(ValueError, match="person02_walking_d4_uncomp.avi is damaged or no video"):
        prepare_kth(tmp_path)
    assert list((tmp_path / "kth").glob("*.frames.part")), "the good ones are kept"
    bad.write_bytes(good)
    for path in (tmp_path / "kth" / "raw").glob("*/person21*"):
        path.unlink()
    with pytest.raises(ValueError, match="the test set needs the video person21_.*put it there"):
        prepare_kth(tmp_path, n_test=200)


@pytest.mark.slow
def test_human36m_from_mp4_to_clips(tmp_path):
    """Cropped, shrunk, one frame in eight; videos of all cameras left out; the draws are the official ones."""
    for subject in (1, 5, 6, 7, 8, 9, 11):
        for name in ("Walking.1", "Walking 1.1", "_ALL.1"):
            frames = moving_bar(36 + subject % 3, 920, 920)
            encode(tmp_path / "human36m" / f"S{subject}" / "Videos" / f"{name}.mp4", frames, rate=50)
    folder = prepare_human36m(tmp_path, n_test=8, n_frames=5)
    train, test = VideoStore(folder, "train"), VideoStore(folder, "test")
    assert len(train.videos) + len(VideoStore(folder, "val").videos) == 10 and train.stride == 8
    assert train.sample(3, 5).shape == (3, 5, 3, 64, 64)
    np.random.seed(42)
    files = sorted(f"S{s}-{n}.npz" for s in (9, 11) for n in ("Walking.1", "Walking 1.1"))
    clips = test.first_frames(slice(None), 5)
    for i, video in enumerate(test.videos):
        file = files[np.random.randint(4)].removesuffix(".npz")
        subject, name = file.split("-", 1)
        length = 36 + int(subject[1:]) % 3
        start = np.random.randint(length - 33 + 1)
        assert video["name"] == f"{i:04d} {file} {start}"
        whole = read_video(folder / subject / "Videos" / f"{name}.mp4", 64, (100, 100, 900, 900))
        assert np.array_equal(clips[i].permute(0, 2, 3, 1).numpy(), whole[start : start + 33 : 8])


def test_human36m_says_which_files_to_bring(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"subject 1: expected .*S1/Videos/\*.mp4.*owners only"):
        prepare_human36m(tmp_path)


def robot(number: int, n_frames: int = 30) -> bytes:
    features = {}
    for t in range(n_frames):
        features[f"{t}/image_main/encoded"] = bytes(64 * 64 * 3)
        features[f"{t}/image_aux1/encoded"] = np.full((64, 64, 3), 3 * number + t, np.uint8).tobytes()
    return example(features)


def test_bair_from_an_archive_to_clips(tmp_path, monkeypatch):
    members, n = {}, 0
    for split, files in (("train", 3), ("test", 1)):
        for k in range(files):
            path = write_tfrecords(tmp_path / "made.tfrecords", [robot(n + i) for i in range(8)])
            members[f"softmotion30_44k/{split}/traj_{k}.tfrecords"] = path.read_bytes()
            n += 8
    server = Server({"/bair.tar": tarred(tmp_path / "bair.tar", members).read_bytes()})
    monkeypatch.setattr(bair, "SOURCES", [server.url("/bair.tar")])
    folder = prepare_bair(tmp_path)
    train, val, test = (VideoStore(folder, split) for split in ("train", "val", "test"))
    assert (len(train.videos), len(val.videos), len(test.videos)) == (22, 2, 8)
    assert [v["name"] for v in test.videos] == [f"traj_0/{k:03d}" for k in range(1, 9)]
    clips = test.first_frames(slice(None), 30)
    assert clips[:, :, 0, 0, 0].tolist() == [[3 * (24 + i) + t for t in range(30)] for i in range(8)]

    bad = folder / "softmotion30_44k" / "test" / "traj_1.tfrecords"
    write_tfrecords(bad, [robot(0, n_frames=7)])
    (folder / "test.json").unlink()
    with pytest.raises(ValueError, match=r"video traj_1/001 has 0 bytes for frame 7 of image_aux1, expected 12288"):
        prepare_bair(tmp_path)


@pytest.mark.slow
def test_your_own_videos(tmp_path):
    """Through the command, in colour and of several kinds and shapes; then a model of them is set up."""
    shapes = {"a.mp4": (60, 90), "b.avi": (90, 60), "sub/c.mp4": (64, 64), "d.mp4": (72, 80)}
    for i, (name, shape) in enumerate(shapes.items()):
        encode(tmp_path / "in" / name, moving_bar(24 + i, *shape))
    command = [sys.executable, "-m", "srvp_lite", "prepare", "folder", "--videos", str(tmp_path / "in"),
               "--name", "toy", "--root", str(tmp_path), "--size", "32", "--grey", "--n-frames", "12"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"Ready in {tmp_path / 'toy'}" in done.stdout
    train, test = VideoStore(tmp_path / "toy", "train"), VideoStore(tmp_path / "toy", "test")
    (whole,) = (store := VideoStore(tmp_path / "toy", "test_videos")).videos
    assert len(train.videos) == 2 and len(test.videos) == whole["frames"] - 12 + 1, "every clip there is, once"
    assert len({video["name"][5:] for video in test.videos}) == len(test.videos)
    for video in test.videos:
        start = int(video["name"].rpartition(" ")[2])
        expected = store.frames[whole["first"] + start : whole["first"] + start + 12]
        assert np.array_equal(test.frames[video["first"] : video["first"] + 12], expected)
    assert train.sample(2, 8).shape == (2, 8, 1, 32, 32)
    nothing = subprocess.run([*command[:5], "--videos", str(tmp_path / "empty")], capture_output=True, text=True)
    assert nothing.returncode == 1 and "0 videos in" in nothing.stderr and "Traceback" not in nothing.stderr
    nowhere = subprocess.run(command[:5], capture_output=True, text=True)
    assert "say where your videos are" in nowhere.stderr


def test_of_long_videos_a_thousand_clips_are_drawn(tmp_path):
    for i in range(3):
        encode(tmp_path / "in" / f"{i}.mp4", moving_bar(1020, 32, 32))
    test = VideoStore(prepare_own_videos(tmp_path / "in", "toy", tmp_path, size=16, n_frames=12), "test")
    starts = {int(video["name"].rpartition(" ")[2]) for video in test.videos}
    assert len(test.videos) == len(starts) == 1000 and max(starts) <= 1008


@pytest.mark.slow
def test_moving_mnist_test_sets_become_stores(mnist_dir, tmp_path):
    (tmp_path / "MNIST").symlink_to(Path(mnist_dir) / "MNIST")
    prepare_moving_mnist(tmp_path, ["smmnist"])
    store = VideoStore(tmp_path / "smmnist", "test")
    assert store.frames.shape == (5000 * 25, 64, 64, 1)
    assert hashlib.sha256(store.frames).hexdigest() == PRESETS["smmnist"].protocol.test_set_sha256

    # What `evaluate` then reads is the store, and the same clips as it would make itself.
    data = PRESETS["smmnist"].data
    prepared = clips_for_tests(dataclasses.replace(data, root=str(tmp_path)), 7, 20)
    made = clips_for_tests(dataclasses.replace(data, root=str(mnist_dir)), 7, 20)
    assert prepared.shape == (7, 20, 1, 64, 64) and torch.equal(prepared, made)


def test_a_data_set_is_a_row(tmp_path, monkeypatch, capsys):
    """Added to the registry and nowhere else, it can be asked for; one that is not there is said."""
    monkeypatch.setitem(DATASETS, "dots", lambda root: Path(root) / "dots")
    main(["prepare", "dots", "--root", str(tmp_path)])
    assert capsys.readouterr().out == f"Ready in {tmp_path / 'dots'}\n"
    with pytest.raises(
        SystemExit, match="unknown data set 'cats'; there are kth, human36m, bair, mmnist, dots, folder"
    ):
        main(["prepare", "cats", "--root", str(tmp_path)])
