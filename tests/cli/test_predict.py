"""`srvp-lite predict`: pictures of test clips, and of one's own videos."""

import numpy as np
import pytest
from PIL import Image

from srvp_lite.cli import main


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_predict(untrained_run, tmp_path, said, ending):
    out = tmp_path / f"future.{ending}"
    printed = said("predict", untrained_run, "--out", out, "--samples", 2, "--n-frames", 3, "--frame-rate", 2,
                   "--device", "cpu")  # fmt: skip
    assert printed == f"2 futures of test clip 0 written to {out}\n"
    assert getattr(Image.open(out), "n_frames", 1) == {"gif": (5 + 3) * 2, "png": 1}[ending]


def test_predict_from_ones_own_video(untrained_run, tmp_path, said):
    """With the truth in the picture while the video lasts, without it after, and a clear word when it is too short."""
    imageio = pytest.importorskip("imageio.v3")
    frames = np.zeros((14, 48, 64, 3), np.uint8)
    for t in range(14):
        frames[t, 10:20, 2 * t : 2 * t + 10] = 255
    imageio.imwrite(tmp_path / "my.mp4", frames, plugin="pyav", codec="mpeg4", fps=25)
    common = ["predict", str(untrained_run), "--video", str(tmp_path / "my.mp4"), "--samples", "2", "--device", "cpu"]
    heights = {}
    for n_frames in (9, 10):
        assert "2 futures of my.mp4" in said(*common, "--n-frames", n_frames, "--out", tmp_path / f"{n_frames}.png")
        heights[n_frames] = Image.open(tmp_path / f"{n_frames}.png").height
    assert heights[9] > heights[10], "one row less"
    with pytest.raises(SystemExit, match="has 4 frames from number 10 on, one in 1; the model needs 5"):
        main([*common, "--start", "10", "--out", str(tmp_path / "x.png")])


def test_there_is_no_such_clip(untrained_run, tmp_path, monkeypatch):
    monkeypatch.setattr("srvp_lite.data.open.test_clips", lambda data, n, n_frames: np.zeros((3,)))
    with pytest.raises(SystemExit, match="there are 3 test clips, number 7 was asked for; they count from 0"):
        main(["predict", str(untrained_run), "--clip", "7", "--out", str(tmp_path / "x.png")])
