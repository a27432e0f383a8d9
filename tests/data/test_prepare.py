"""Real data sets, on files of the real formats made here: archives, .avi, .mp4, TFRecords; whole and damaged."""

import dataclasses
import hashlib
import http.server
import io
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from srvp_lite.data import prepare
from srvp_lite.data.open import test_clips as clips_for_tests
from srvp_lite.data.tfrecords import masked_crc32c, parse_example, read_tfrecords
from srvp_lite.data.video_files import read_video, square
from srvp_lite.data.video_store import VideoStore
from srvp_lite.presets import PRESETS
from srvp_lite.utils import download


def encode(path: Path, frames: np.ndarray, codec: str = "mpeg4", rate: int = 25) -> Path:
    """Writes frames (T, H, W, 3) as a video, at high quality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.bit_rate = 8_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def moving_bar(n_frames: int, height: int, width: int, brightness: int = 200) -> np.ndarray:
    """A vertical bar that moves right by two pixels a frame, so that a picture tells its time."""
    frames = np.zeros((n_frames, height, width, 3), np.uint8)
    for t in range(n_frames):
        x = (2 * t) % (width - 16)
        frames[t, :, x : x + 16] = brightness
    return frames


# Videos --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, codec", [("a.avi", "mpeg4"), ("a.mp4", "mpeg4"), ("b.avi", "mjpeg")])
def test_videos_are_read_as_they_were_written(tmp_path, name, codec):
    frames = moving_bar(12, 120, 160)
    if codec == "mjpeg":
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width, stream.pix_fmt = 120, 160, "yuvj420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    else:
        path = encode(tmp_path / name, frames, codec)
    got = read_video(path)
    assert got.shape == frames.shape and got.dtype == np.uint8
    assert np.abs(got.astype(int) - frames).mean() < 6, "lossy, but the same pictures in the same order"
    small = read_video(path, 64)
    expected = np.stack([np.asarray(Image.fromarray(f).resize((64, 64), Image.Resampling.BICUBIC)) for f in got])
    assert small.shape == (12, 64, 64, 3) and np.abs(small.astype(int) - expected).mean() < 8


def test_a_crop_is_cut_out_and_then_resized(tmp_path):
    frames = moving_bar(3, 300, 320)
    path = encode(tmp_path / "a.mp4", frames)
    got = read_video(path, 32, (100, 50, 228, 178))
    whole = read_video(path)
    expected = np.asarray(Image.fromarray(whole[1][50:178, 100:228]).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.array_equal(got[1], expected)
    with pytest.raises(ValueError, match="has frames of 320x300, too small to cut out"):
        read_video(path, 32, (0, 0, 400, 400))


def test_the_middle_square_in_colour_and_grey():
    frame = moving_bar(4, 40, 100)[3]
    frame[:, 40:50] = 99
    assert square(frame, 20, grey=False).shape == (20, 20, 3)
    assert np.array_equal(square(frame, 40, grey=True)[:, :, 0], frame[:, 30:70, 0])


def test_frames_are_prepared_as_they_come_and_no_more_than_needed(tmp_path):
    path = encode(tmp_path / "a.mp4", moving_bar(30, 64, 96))
    whole = read_video(path)
    some = read_video(path, prepare=lambda frame: frame[::2, ::2], at_most=7)
    assert np.array_equal(some, whole[:7, ::2, ::2])


def test_damaged_videos_are_named(tmp_path):
    path = encode(tmp_path / "good.mp4", moving_bar(30, 64, 64))
    (tmp_path / "cut.mp4").write_bytes(path.read_bytes()[:500])
    (tmp_path / "text.avi").write_text("not a video at all")
    for name in ("cut.mp4", "text.avi"):
        with pytest.raises(ValueError, match=f"{name} is damaged or no video"):
            read_video(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no video at .*nowhere.avi"):
        read_video(tmp_path / "nowhere.avi")


# Downloads -----------------------------------------------------------------------------------------------------------


class Server:
    """A web server of this test: gives files, in part if asked to, cuts off the first answer if told to."""

    def __init__(self, files: dict[str, bytes], cut: int | None = None, ranges: bool = True):
        self.asked, outer = [], self
        self.cut = cut

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("Range")))
                data = files.get(self.path)
                if data is None:
                    self.send_error(404, "Gone")
                    return
                start = int(self.headers["Range"][6:-1]) if ranges and self.headers.get("Range") else 0
                if start >= len(data) > 0:
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                end = len(data) if outer.cut is None else outer.cut
                outer.cut = None
                self.wfile.write(data[start:end])

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def part(self, folder: Path, name: str) -> Path:
        """Where the beginning of a download from here lies."""
        return folder / f"{name}.127.0.0.1_{self.server.server_port}.part"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"


DATA = np.random.default_rng(0).bytes(3_000_000)


def test_an_interrupted_download_goes_on_where_it_was_cut_off(tmp_path):
    server = Server({"/f": DATA}, cut=1_234_567)
    with pytest.raises(OSError, match="127.0.0.1 broke off .*run the command again to go on"):
        download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert server.part(tmp_path, "f").stat().st_size == 1_234_567 and not (tmp_path / "f").exists()
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert (tmp_path / "f").read_bytes() == DATA and server.asked[-1] == ("/f", "bytes=1234567-")
    n = len(server.asked)
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert len(server.asked) == n, "what is there is kept"


def test_a_source_without_ranges_starts_over(tmp_path):
    server = Server({"/f": DATA}, ranges=False)
    server.part(tmp_path, "f").write_bytes(DATA[:1000])
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_whole_part_only_gets_its_name(tmp_path):
    server = Server({"/f": DATA})
    server.part(tmp_path, "f").write_bytes(DATA)
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert (tmp_path / "f").read_bytes() == DATA


def test_each_source_that_fails_is_named_and_the_next_one_tried(tmp_path):
    good, other = Server({"/f": DATA}), Server({"/f": DATA[:-1] + b"!"})
    digest = hashlib.sha256(DATA).hexdigest()
    sources = ["http://no-such-host.invalid/f", other.url("/nowhere"), other.url("/f"), good.url("/f")]
    download.fetch(sources, tmp_path / "f", digest, progress=False)
    assert (tmp_path / "f").read_bytes() == DATA
    with pytest.raises(OSError) as error:
        download.fetch(sources[:3], tmp_path / "g", digest, progress=False)
    message = str(error.value)
    assert "could not fetch g" in message and "no-such-host.invalid cannot be reached" in message
    assert "127.0.0.1 answered 404" in message and "the file it sent is another one (sha256" in message
    assert not list(tmp_path.glob("g*")), "a wrong file is not kept"


def test_a_page_instead_of_an_archive_is_refused(tmp_path):
    server = Server({"/a.zip": b"<html>moved</html>"})
    with pytest.raises(OSError, match="what it sent is no zip archive"):
        download.fetch([server.url("/a.zip")], tmp_path / "a.zip", check=download.is_zip, progress=False)


def test_a_full_disk_is_not_the_networks_fault(tmp_path):
    code = f"""
import resource, signal
from srvp_lite.utils.download import fetch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    fetch(["{Server({"/f": DATA}).url("/f")}"], "{tmp_path / "f"}", progress=False)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "could not write" in done.stdout and "File too large" in done.stdout, done.stdout + done.stderr
    assert list(tmp_path.glob("f.*.part")) and not (tmp_path / "f").exists()


# Archives ------------------------------------------------------------------------------------------------------------


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], link: str | None = None) -> Path:
    with tarfile.open(path, "w") as t:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            t.addfile(info)
    return path


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_are_unpacked(tmp_path, make):
    archive = make(tmp_path / "a", {"x.txt": b"1", "deep/er/y.txt": b"2"})
    download.unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "er" / "y.txt").read_bytes() == b"2"


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/srvp-evil.txt", "a/../../evil.txt"])
def test_a_path_that_tries_to_escape_is_refused(tmp_path, make, name):
    archive = make(tmp_path / "a", {"good.txt": b"1", name: b"2"})
    with pytest.raises(ValueError, match="outside of .*nothing was unpacked"):
        download.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "evil.txt").exists()


def test_links_and_damage_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds 'link', which is no plain file"):
        download.unpack(tarred(tmp_path / "t", {}, link="/etc/passwd"), tmp_path / "out")
    archive = zipped(tmp_path / "z.zip", {"x": b"abcdefgh" * 100})
    data = bytearray(archive.read_bytes())
    data[100] ^= 255
    archive.write_bytes(data)
    with pytest.raises(ValueError, match="z.zip is damaged"):
        download.unpack(archive, tmp_path / "out")
    (tmp_path / "cut.tar").write_bytes(tarred(tmp_path / "u", {"x": bytes(9000)}).read_bytes()[:3000])
    with pytest.raises(ValueError, match="cut.tar is damaged"):
        download.unpack(tmp_path / "cut.tar", tmp_path / "out")


# TFRecords -----------------------------------------------------------------------------------------------------------


def varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def example(features: dict[str, bytes]) -> bytes:
    """A serialised tf.train.Example, with a feature of floats in between that must be stepped over."""
    entries = [field(1, field(1, k.encode()) + field(2, field(1, field(1, v)))) for k, v in features.items()]
    floats = field(1, field(1, b"0/action") + field(2, field(2, field(1, struct.pack("<4f", 1, 2, 3, 4)))))
    return field(1, floats + b"".join(entries))


def tfrecords(path: Path, examples: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as f:
        for data in examples:
            head = struct.pack("<Q", len(data))
            f.write(head + struct.pack("<I", masked_crc32c(head)) + data + b"\0\0\0\0")
    return path


def test_the_checksum_is_the_published_one():
    """CRC-32C of "123456789" is e3069283 (RFC 3720); masked as TensorFlow documents it."""
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def test_examples_are_read(tmp_path):
    path = tfrecords(tmp_path / "a.tfrecords", [example({"0/x": b"abc", "long": bytes(70_000)}), example({"y": b""})])
    first, second = read_tfrecords(path)
    assert first["0/x"] == [b"abc"] and first["long"] == [bytes(70_000)] and second["y"] == [b""]
    assert parse_example(b"") == {}


@pytest.mark.parametrize("cut, message", [(-3, "cut off in record 1"), (8, "cut off in the header of record 0")])
def test_truncated_records_are_named(tmp_path, cut, message):
    path = tfrecords(tmp_path / "a.tfrecords", [example({"x": b"abc"})] * 2)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=f"a.tfrecords is {message}"):
        list(read_tfrecords(path))


def test_damaged_records_are_named(tmp_path):
    path = tfrecords(tmp_path / "a.tfrecords", [example({"x": b"abc"})])
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="record 0 has a wrong checksum"):
        list(read_tfrecords(path))
    tfrecords(path, [b"\x0a\xff\x01"])
    with pytest.raises(ValueError, match="damaged in record 0"):
        list(read_tfrecords(path))


# Data sets -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kth_videos(tmp_path_factory):
    """Two training persons and the five test persons: 24 short videos each, as members of zip archives."""
    work = tmp_path_factory.mktemp("kth")
    archives = {}
    for a, action in enumerate(prepare.KTH_ACTIONS):
        members = {}
        for person in (1, 2, 21, 22, 23, 24, 25):
            for trial in (1, 2, 3, 4):
                name = f"person{person:02d}_{action}_d{trial}_uncomp.avi"
                frames = moving_bar(44 + trial, 120, 160, brightness=100 + 20 * a)
                members[name] = encode(work / name, frames).read_bytes()
        archives[action] = members
    return archives


def test_kth_from_archives_to_clips(tmp_path, monkeypatch, kth_videos):
    """Fetched from the second host, unpacked, decoded, split by person; the test clips are the official draws."""
    files = {f"/{action}.zip": zipped(tmp_path / f"{action}.zip", m).read_bytes() for action, m in kth_videos.items()}
    server = Server(files)
    monkeypatch.setattr(prepare, "KTH_HOSTS", ("http://no-such-host.invalid/", server.url("/")))
    folder = prepare.kth(tmp_path / "data", n_test=12)
    train, val, test = (VideoStore(folder, split) for split in ("train", "val", "test"))
    assert len(train.videos) == int(0.95 * 48) and len(val.videos) == 48 - int(0.95 * 48)
    assert not {v["name"] for v in train.videos} & {v["name"] for v in val.videos}
    assert all(int(v["name"][6:8]) <= 20 for s in (train, val) for v in s.videos)
    assert train.frames.shape[1:] == (64, 64, 1)

    # The official script's draws, written out with NumPy's global generator as it does.
    np.random.seed(42)
    clips = test.first_frames(slice(None), 40)
    for i, video in enumerate(test.videos):
        action = prepare.KTH_ACTIONS[np.random.randint(6)]
        person, trial = np.random.randint(21, 26), np.random.randint(1, 5)
        start = np.random.randint(44 + trial - 40 + 1)
        name = f"person{person:02d}_{action}_d{trial}"
        assert video["name"] == f"{i:04d} {name} {start}"
        expected = read_video(folder / "raw" / action / f"{name}_uncomp.avi", 64)[start : start + 40, :, :, 0]
        assert np.array_equal(clips[i, :, 0].numpy(), expected)
    n = len(server.asked)
    prepare.kth(tmp_path / "data", n_test=12)
    assert len(server.asked) == n, "a second run finds everything"


def test_kth_says_what_is_wrong(tmp_path, monkeypatch, kth_videos):
    monkeypatch.setattr(prepare, "KTH_HOSTS", ("http://no-such-host.invalid/",))
    with pytest.raises(OSError, match="no-such-host.invalid cannot be reached.*put them into .*raw/ACTION/, as person"):
        prepare.kth(tmp_path)
    for action, members in kth_videos.items():
        download.unpack(zipped(tmp_path / f"{action}.zip", members), tmp_path / "kth" / "raw" / action)
    odd = tmp_path / "kth" / "raw" / "boxing" / "holiday.avi"
    odd.write_bytes(b"x")
    with pytest.raises(
        ValueError, match="holiday.avi is no video of KTH: expected a name like person01_boxing_d1_uncomp"
    ):
        prepare.kth(tmp_path)
    odd.unlink()
    bad = tmp_path / "kth" / "raw" / "walking" / "person02_walking_d4_uncomp.avi"
    good = bad.read_bytes()
    bad.write_bytes(good[:300])
    with pytest.raises(ValueError, match="person02_walking_d4_uncomp.avi is damaged or no video"):
        prepare.kth(tmp_path)
    assert list((tmp_path / "kth").glob("*.frames.part")), "the good ones are kept"
    bad.write_bytes(good)
    for path in (tmp_path / "kth" / "raw").glob("*/person21*"):
        path.unlink()
    with pytest.raises(ValueError, match="the test set needs the video person21_.*put it there"):
        prepare.kth(tmp_path, n_test=200)


def test_human36m_from_mp4_to_clips(tmp_path):
    """Cropped, shrunk, one frame in eight; videos of all cameras left out; the draws are the official ones."""
    for subject in (1, 5, 6, 7, 8, 9, 11):
        for name in ("Walking.1", "Walking 1.1", "_ALL.1"):
            frames = moving_bar(36 + subject % 3, 920, 920)
            encode(tmp_path / "human36m" / f"S{subject}" / "Videos" / f"{name}.mp4", frames, rate=50)
    folder = prepare.human36m(tmp_path, n_test=8, n_frames=5)
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
        prepare.human36m(tmp_path)


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
            path = tfrecords(tmp_path / "made.tfrecords", [robot(n + i) for i in range(8)])
            members[f"softmotion30_44k/{split}/traj_{k}.tfrecords"] = path.read_bytes()
            n += 8
    server = Server({"/bair.tar": tarred(tmp_path / "bair.tar", members).read_bytes()})
    monkeypatch.setattr(prepare, "BAIR_SOURCES", [server.url("/bair.tar")])
    folder = prepare.bair(tmp_path)
    train, val, test = (VideoStore(folder, split) for split in ("train", "val", "test"))
    assert (len(train.videos), len(val.videos), len(test.videos)) == (22, 2, 8)
    assert [v["name"] for v in test.videos] == [f"traj_0/{k:03d}" for k in range(1, 9)]
    clips = test.first_frames(slice(None), 30)
    assert clips[:, :, 0, 0, 0].tolist() == [[3 * (24 + i) + t for t in range(30)] for i in range(8)]

    bad = folder / "softmotion30_44k" / "test" / "traj_1.tfrecords"
    tfrecords(bad, [robot(0, n_frames=7)])
    (folder / "test.json").unlink()
    with pytest.raises(ValueError, match=r"video traj_1/001 has 0 bytes for frame 7 of image_aux1, expected 12288"):
        prepare.bair(tmp_path)


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
    test = VideoStore(prepare.folder_of_videos(tmp_path / "in", "toy", tmp_path, size=16, n_frames=12), "test")
    starts = {int(video["name"].rpartition(" ")[2]) for video in test.videos}
    assert len(test.videos) == len(starts) == 1000 and max(starts) <= 1008


def test_moving_mnist_test_sets_become_stores(mnist_dir, tmp_path):
    (tmp_path / "MNIST").symlink_to(Path(mnist_dir) / "MNIST")
    monkey = {"smmnist": prepare.TEST_SETS_SHA256["smmnist"]}
    before, prepare.TEST_SETS_SHA256 = prepare.TEST_SETS_SHA256, monkey
    try:
        prepare.mmnist(tmp_path)
    finally:
        prepare.TEST_SETS_SHA256 = before
    store = VideoStore(tmp_path / "smmnist", "test")
    assert store.frames.shape == (5000 * 25, 64, 64, 1)
    assert hashlib.sha256(store.frames).hexdigest() == monkey["smmnist"]

    # What `evaluate` then reads is the store, and the same clips as it would make itself.
    data = PRESETS["smmnist"].data
    prepared = clips_for_tests(dataclasses.replace(data, root=str(tmp_path)), 7, 20)
    made = clips_for_tests(dataclasses.replace(data, root=str(mnist_dir)), 7, 20)
    assert prepared.shape == (7, 20, 1, 64, 64) and torch.equal(prepared, made)
