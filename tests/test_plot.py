"""Pictures: right sizes, right frames, readable by another program, and words for those who cannot see them."""

import io
import re
from base64 import b64decode

import numpy as np
import pytest
import torch
from PIL import Image

from srvp_lite import plot


@pytest.fixture
def clips():
    """A bright square that walks down, and its mirror image."""
    clip = torch.zeros(6, 1, 12, 12)
    for t in range(6):
        clip[t, 0, 2 * t : 2 * t + 2, 2:6] = 1
    return [clip, clip.flip(-1)]


def frames_of(data):
    image = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
    frames = []
    for i in range(image.n_frames):
        image.seek(i)
        frames.append(np.asarray(image.convert("RGB")).astype(int))
    return frames, image


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_animations_hold_every_frame(clips, tmp_path, ending):
    path = plot.save(clips, tmp_path / f"a.{ending}", n_cond=2, labels=["truth", "mirror"], scale=3, fps=10)
    frames, image = frames_of(path)
    assert len(frames) == 6 and image.info["loop"] == 0
    x, y = plot.GAP + 2, 20 + plot.GAP + 18 + 2  # the first clip, inside header, label and edge
    for t, frame in enumerate(frames):
        got = frame[y : y + 36, x : x + 36].mean(-1) / 255
        expected = clips[0][t, 0].repeat_interleave(3, 0).repeat_interleave(3, 1).numpy()
        assert np.abs(got - expected).max() < 0.05
        edge = tuple(frame[y - 1, x + 5])
        assert np.abs(np.array(edge) - hex_to_rgb(plot.GIVEN if t < 2 else plot.PREDICTED)).max() < 8


def hex_to_rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def test_strips_run_to_the_right(clips, tmp_path):
    path = plot.save(clips, tmp_path / "a.png", n_cond=2, labels=["truth", "mirror"], scale=2)
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    given = (np.abs(image - hex_to_rgb(plot.GIVEN)).sum(-1) == 0).sum()
    predicted = (np.abs(image - hex_to_rgb(plot.PREDICTED)).sum(-1) == 0).sum()
    edge = 28 * 28 - 24 * 24
    assert 2 * 2 * edge <= given < 3 * 2 * edge and 4 * 2 * edge <= predicted < 5 * 2 * edge  # and two words


def test_clips_of_several_lengths_and_colours(clips, tmp_path):
    """The one that has ended stands still, and its row of a strip stays empty."""
    rows = [clips[0][:3], clips[1].expand(-1, 3, -1, -1)]
    frames, _ = frames_of(plot.save(rows, tmp_path / "a.webp", scale=1))
    left = [frame[:, : 12 + 2 + plot.GAP] for frame in frames]
    assert len(frames) == 6 and np.array_equal(left[2], left[5]) and not np.array_equal(left[1], left[2])
    (strip,), _ = frames_of(plot.save(rows, tmp_path / "a.png", scale=1))
    assert (strip[: strip.shape[0] // 2, -12:] == 255).all() and not (strip[strip.shape[0] // 2 :, -12:] == 255).all()


def test_videos_are_read_back(clips, tmp_path):
    imageio = pytest.importorskip("imageio.v3")
    path = plot.save(clips, tmp_path / "a.mp4", n_cond=2, scale=8)
    assert len(imageio.imread(path, plugin="pyav")) == 6


def test_a_notebook_figure_has_words_and_its_data_inside(clips):
    picture = plot.animation(clips, 'a "square" walks', "It walks <b>down</b>.", n_cond=2)
    html = picture._repr_html_()
    assert 'alt="a &quot;square&quot; walks"' in html and "<figcaption" in html and "It walks <b>down</b>." in html
    assert not re.search(r'(src|href)="(?!data:)', html)
    data = re.search(r"base64,([^\"]+)", html)[1]
    assert len(frames_of(b64decode(data))[0]) == 6
    assert repr(picture) == '[picture: a "square" walks]'
    assert plot.strip(clips, "x", every=2).mime == "image/png"


def test_matplotlib_figures_become_pictures_and_are_closed():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    ax.plot([1, 2])
    picture = plot.figure(fig, "a line", "A line.")
    assert Image.open(io.BytesIO(picture.data)).width > 100 and not plt.get_fignums()


@pytest.mark.bad_input
def test_bad_input(clips, tmp_path):
    with pytest.raises(ValueError, match="pictures end in .gif, .*a.bmp"):
        plot.save(clips, tmp_path / "a.bmp")
    with pytest.raises(ValueError, match="2 clips need as many labels, got 1"):
        plot.save(clips, tmp_path / "a.gif", labels=["one"])
    with pytest.raises(ValueError, match=r"\(T, C, H, W\) with 1 or 3 channels, got \(2, 6, 1, 12, 12\)"):
        plot.save([torch.stack(clips)], tmp_path / "a.gif")
    with pytest.raises(ValueError, match="no clips to draw"):
        plot.save([], tmp_path / "a.gif")
    with pytest.raises(ValueError, match="frames of one size"):
        plot.save([clips[0], clips[1][..., :10]], tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_a_sweep_shows_one_picture_and_holds_all(clips):
    pictures = [plot.strip(clips, alt=f"strip {i} < 3", scale=i + 1) for i in range(3)]
    shown = plot.sweep(pictures, [0.5, "a & b", 2], "rate", "All at once.", start=1)._repr_html_()
    images = re.findall(r"<img ([^>]*)>", shown)
    assert len(images) == 3 and ["hidden" in image.split('"')[-1] for image in images] == [True, False, True]
    for i, image in enumerate(images):
        assert b64decode(re.search(r"base64,([^\"]+)", image)[1]) == pictures[i].data
        assert f'alt="strip {i} &lt; 3"' in image
    assert 'type="range" min="0" max="2" value="1"' in shown and "<output>a &amp; b</output>" in shown
    assert "All at once." in shown


@pytest.mark.bad_input
def test_a_sweep_needs_a_picture_for_each_value(clips):
    picture = plot.strip(clips, alt="strip")
    with pytest.raises(ValueError, match="a picture for each value, got 1 and 2"):
        plot.sweep([picture], [1, 2], "rate")
    with pytest.raises(ValueError, match="position among 1"):
        plot.sweep([picture], [1], "rate", start=1)
