"""Frames out of video files: whole, cut out, shrunk, prepared as they come; damaged files are named."""

import av
import numpy as np
import pytest
from made_files import encode, moving_bar
from PIL import Image

from srvp_lite.data.video_files import read_video, square


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
    (tmp_path / "text.avi").write_text("not a video at all", encoding="utf-8")
    for name in ("cut.mp4", "text.avi"):
        with pytest.raises(ValueError, match=f"{name} is damaged or no video"):
            read_video(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no video at .*nowhere.avi"):
        read_video(tmp_path / "nowhere.avi")
