"""Moving digits: against the official trajectories and test sets, a slow exact simulation, and the laws of motion."""

import gzip
import hashlib
import struct
import urllib.request
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import generator

from srvp_lite.data import digits as digits_module
from srvp_lite.data.digits import download_mnist, find_mnist, load_digits, read_mnist, resize
from srvp_lite.data.moving_mnist import MovingMNIST, bounce, draw, official_test_set, one_trajectory

GOLDEN = Path(__file__).parents[1] / "golden"


def start(n, limit, max_speed, seed):
    g = generator(seed)
    return (
        torch.randint(0, limit + 1, (n, 2), generator=g),
        torch.randint(-max_speed, max_speed + 1, (n, 2), generator=g),
    )


# Motion --------------------------------------------------------------------------------------------------------------


def test_deterministic_trajectories_equal_the_official_ones():
    golden = np.load(GOLDEN / "trajectories.npz")
    init, expected = (torch.from_numpy(golden[k].astype(np.int64)) for k in ("init", "trajectory"))
    positions, velocities = bounce(init[:, :2], init[:, 2:], expected.shape[1], 64 - 28)
    assert torch.equal(positions, expected[..., :2])
    assert torch.equal(velocities, expected[..., 2:])


def reflected(x, v, t, limit):
    """Where a coordinate is after t intervals between mirrors, exactly: unfold the mirrors, then fold back."""
    unfolded = (x + v * t) % (2 * limit)
    return min(unfolded, 2 * limit - unfolded)


@given(limit=st.integers(1, 40), max_speed=st.integers(0, 60), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_reflection_equals_unfolding_the_mirrors(limit, max_speed, seed):
    """Also when a digit crosses the canvas several times in one interval."""
    position, velocity = start(5, limit, max_speed, seed)
    positions, velocities = bounce(position, velocity, 12, limit)
    expected = [[[reflected(x, v, t, limit) for x, v in zip(p, u)] for t in range(12)]
                for p, u in zip(position.tolist(), velocity.tolist())]  # fmt: skip
    assert positions.tolist() == expected
    assert torch.equal(velocities.abs(), velocity.abs()[:, None].expand_as(velocities))


def exact(position, velocity, n_frames, limit, draws):
    """The stochastic motion of one point in fractions: no rounding before the last step."""
    p, v = [Fraction(c) for c in position], list(velocity)
    positions, velocities = [tuple(position)], [tuple(velocity)]
    for _ in range(n_frames - 1):
        left = Fraction(1)
        while True:
            over = [not 0 <= p[i] + v[i] * left <= limit for i in (0, 1)]
            if not any(over):
                break
            until = [(Fraction(0 if v[i] < 0 else limit) - p[i]) / v[i] if over[i] else None for i in (0, 1)]
            first = min(u for u in until if u is not None)
            p, left = [c + u * first for c, u in zip(p, v)], left - first
            new = next(draws)
            v = [(abs(n) if u < 0 else -abs(n)) if w == first else n for n, u, w in zip(new, v, until)]
        p = [c + u * left for c, u in zip(p, v)]
        positions.append(tuple(p))
        velocities.append(tuple(v))
    return positions, velocities


@given(limit=st.integers(2, 30), max_speed=st.integers(1, 9), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_stochastic_motion_equals_an_exact_simulation(limit, max_speed, seed):
    """One point, so that each round of the loop draws for it alone, from a copy of the same generator."""
    position, velocity = start(1, limit, max_speed, seed)
    g, copy = generator(seed), generator(seed)

    def draws():
        while True:
            yield torch.randint(-max_speed, max_speed + 1, (1, 2), generator=copy)[0].tolist()

    positions, velocities = bounce(position, velocity, 30, limit, True, max_speed, g)
    expected_p, expected_v = exact(position[0].tolist(), velocity[0].tolist(), 30, limit, draws())
    assert [tuple(v) for v in velocities[0].tolist()] == expected_v
    # Rounded to whole pixels: never further than half a pixel from the exact place, either way when just between two.
    for place, exact_place in zip(positions[0].tolist(), expected_p):
        assert all(abs(c - e) <= Fraction(1, 2) + Fraction(1, 10**6) for c, e in zip(place, exact_place))


@given(limit=st.integers(1, 40), max_speed=st.integers(0, 20), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_stochastic_points_stay_inside_and_turn_at_walls_only(limit, max_speed, seed):
    position, velocity = start(20, limit, max_speed, seed)
    positions, velocities = bounce(position, velocity, 20, limit, True, max_speed, generator(seed))
    assert positions.min() >= 0 and positions.max() <= limit
    assert velocities.abs().max() <= max_speed
    turned = (velocities[:, 1:] != velocities[:, :-1]).any(-1)
    reach = positions[:, :-1] + velocities[:, :-1]  # where the old velocity would have led, give or take the rounding
    could_hit = ((reach <= 1) | (reach >= limit - 1)).any(-1)
    assert could_hit[turned].all()


def test_the_two_simulations_agree_where_nothing_is_drawn():
    for seed in range(50):
        position, velocity = start(1, 36, 4, seed)
        positions, _ = bounce(position, velocity, 60, 36)
        ours = one_trajectory([*position[0].tolist(), *velocity[0].tolist()], 60, 36, None, 4)
        assert positions[0].tolist() == [list(p) for p in ours]


def test_same_seed_same_motion():
    position, velocity = start(30, 18, 4, 0)
    a, b, c = (bounce(position, velocity, 40, 18, True, 4, generator(s))[0] for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_walls_send_digits_away_evenly():
    """After a hit of the left wall the column speed is 0 or to the right; the row speed is any, evenly."""
    n = 40_000
    position = torch.tensor([[50, 0]]).expand(n, 2)
    velocity = torch.tensor([[0, -4]]).expand(n, 2)
    _, velocities = bounce(position, velocity, 2, 100, True, 4, generator())
    rows, columns = velocities[:, 1].unbind(-1)
    assert columns.min() == 0
    share = torch.bincount(columns, minlength=5) / n
    torch.testing.assert_close(share, torch.tensor([1, 2, 2, 2, 2]) / 9, atol=0.01, rtol=0)
    torch.testing.assert_close(torch.bincount(rows + 4, minlength=9) / n, torch.full((9,), 1 / 9), atol=0.01, rtol=0)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(n_frames=0), "n_frames must be at least 1"),
        (dict(limit=0), "limit must be at least 1 pixel, got 0"),
        (dict(position=torch.zeros(3, 3)), r"must both be \(N, 2\), got \(3, 3\)"),
        (dict(position=torch.full((3, 2), 11)), r"in \[0, 10\], got 11 to 11"),
    ],
)
def test_unfit_motion_is_refused(arguments, message):
    fit = dict(position=torch.zeros(3, 2).long(), velocity=torch.ones(3, 2).long(), n_frames=3, limit=10)
    with pytest.raises(ValueError, match=message):
        bounce(**{**fit, **arguments})


# Pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.float32, torch.uint8])
def test_drawing_equals_pasting_one_by_one(kind):
    g = generator()
    sprites = torch.rand(3, 2, 5, 5, generator=g)
    sprites = (sprites * 255).byte() if kind == torch.uint8 else sprites
    positions = torch.randint(0, 8, (3, 2, 4, 2), generator=g)
    expected = torch.zeros(3, 4, 12, 12, dtype=torch.float64)
    for b in range(3):
        for n in range(2):
            for t in range(4):
                r, c = positions[b, n, t]
                expected[b, t, r : r + 5, c : c + 5] += sprites[b, n].double()
    expected = expected.clamp(max=255 if kind == torch.uint8 else 1).to(kind)
    torch.testing.assert_close(draw(sprites, positions, 12), expected)


def test_clips_are_what_they_say():
    data = MovingMNIST(n_digits=1)
    clips = data.sample_with_truth(50, 12, generator())
    assert clips.frames.shape == (50, 12, 1, 32, 32) and clips.frames.dtype == torch.float32
    assert clips.frames.min() >= 0 and clips.frames.max() <= 1
    assert clips.labels.shape == (50, 1) and clips.bounces.shape == (50, 12)
    assert not clips.bounces[:, 0].any() and clips.bounces.any()
    # With one digit, nothing is lit outside its square, and its square never changes.
    for b in range(50):
        squares = []
        for t in range(12):
            r, c = clips.positions[b, 0, t]
            frame = clips.frames[b, t, 0]
            squares.append(frame[r : r + 12, c : c + 12])
            assert frame.sum() == pytest.approx(squares[-1].sum().item(), rel=1e-5)
        assert all(torch.equal(s, squares[0]) for s in squares)


def test_sample_equals_sample_with_truth():
    data = MovingMNIST()
    assert torch.equal(data.sample(4, 6, generator(3)), data.sample_with_truth(4, 6, generator(3)).frames)
    assert not torch.equal(data.sample(4, 6, generator(3)), data.sample(4, 6, generator(4)))


def test_splits_share_no_image_and_leave_none_out():
    splits = {split: load_digits("sklearn", split, size=8)[0] for split in ("train", "val", "test")}
    images = {split: {image.numpy().tobytes() for image in s} for split, s in splits.items()}
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        assert images[a] and images[b] and not images[a] & images[b], (a, b)
    every = {image.tobytes() for image in sklearn.datasets.load_digits().images.astype(np.float32) / 16}
    assert images["train"] | images["val"] | images["test"] == every
    assert [len(s) for s in splits.values()] == [1438, 89, 270], "80, 5 and 15 % of 1,797"


def test_resizing_keeps_the_mean_when_shrinking():
    images = torch.rand(4, 28, 28)
    torch.testing.assert_close(resize(images, 14).mean((1, 2)), images.mean((1, 2)))
    assert resize(images, 28) is images
    assert resize(images, 40).shape == (4, 40, 40)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(digits="emnist"), "'sklearn' or 'mnist', got 'emnist'"),
        (dict(split="dev"), "train, val, test, got 'dev'"),
        (dict(digit_size=32), "digits of 32 pixels do not move on frames of 32"),
        (dict(n_digits=0), "n_digits must be at least 1"),
        (dict(max_speed=-1), "max_speed must not be negative"),
    ],
)
def test_unfit_data_sets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MovingMNIST(**arguments)


# MNIST's files -------------------------------------------------------------------------------------------------------


def idx(array):
    return b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def tiny_mnist(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, n in {"train": 40, "t10k": 10}.items():
        images, labels = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n).astype(np.uint8)
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_idx_files_gzipped_or_not(tiny_mnist, monkeypatch):
    images, labels = read_mnist("test", tiny_mnist)
    assert images.shape == (10, 28, 28) and labels.shape == (10,)
    train, val, test = (load_digits("mnist", s, tiny_mnist, 14) for s in ("train", "val", "test"))
    assert [len(s[0]) for s in (train, val, test)] == [38, 2, 10]
    assert train[0].shape == (38, 14, 14) and train[0].max() <= 1 and train[1].dtype == torch.int64
    monkeypatch.setenv("SRVP_DATA_DIR", str(tiny_mnist))
    assert MovingMNIST("mnist", digit_size=28, frame_size=64).sample(2, 3, generator()).shape == (2, 3, 1, 64, 64)
    monkeypatch.setenv("SRVP_DATA_DIR", str(tiny_mnist / "MNIST" / "raw"))
    assert find_mnist() == tiny_mnist / "MNIST" / "raw"


def test_missing_and_damaged_files_are_named(tiny_mnist, tmp_path):
    with pytest.raises(
        FileNotFoundError, match="no MNIST under .*nowhere.*download_mnist.*SRVP_DATA_DIR.*scikit-learn"
    ):
        read_mnist("test", tmp_path / "nowhere")
    folder = find_mnist(tiny_mnist)
    labels = folder / "t10k-labels-idx1-ubyte"
    whole = labels.read_bytes()
    labels.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte is cut off: its header promises \(10,\), it holds 7"):
        read_mnist("test", tiny_mnist)
    labels.write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match="is no IDX file of bytes"):
        read_mnist("test", tiny_mnist)
    labels.write_bytes(whole)
    archive = folder / "t10k-images-idx3-ubyte.gz"
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(ValueError, match="gz is damaged .* delete it and fetch it again"):
        read_mnist("test", tiny_mnist)


def test_download_checks_what_it_gets_and_tries_the_next_source(tmp_path, monkeypatch):
    content = {f"{name}.gz": name.encode() for name in digits_module.MNIST_MD5}
    good, bad, asked = tmp_path / "good", tmp_path / "bad", []
    for folder in (good, bad):
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data if folder == good else b"an error page")
    md5 = {name: hashlib.md5(name.encode()).hexdigest() for name in digits_module.MNIST_MD5}
    monkeypatch.setattr(digits_module, "MNIST_MD5", md5)
    sources = (f"{bad.as_uri()}/", f"{good.as_uri()}/")
    monkeypatch.setattr(digits_module, "MNIST_MIRRORS", sources)
    folder = download_mnist(tmp_path / "data")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == content
    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: asked.append(a))
    assert download_mnist(tmp_path / "data") == folder and not asked, "files already there are not fetched again"
    monkeypatch.undo()
    monkeypatch.setattr(digits_module, "MNIST_MIRRORS", (f"{bad.as_uri()}/", f"{(tmp_path / 'gone').as_uri()}/"))
    with pytest.raises(OSError, match="could not fetch train-images-idx3-ubyte.gz: .*another one .md5.*gone"):
        download_mnist(tmp_path / "other")
    assert not any((tmp_path / "other").rglob("*.gz*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "deterministic, n_frames, whole, first",
    [
        (False, 25, "6d9c8c1f209d03b8595e5867961a3ae60cab3904d43a35384d1365a22e8a78d7",
         "134ec94cc18d1301fad3b08aa7c0ff7e09834d7f42a95b98d53207a3e209e8e6"),
        (True, 100, "90d66e739dac8a5d73251978250b1e97061910b346f2ae038e92af341f70cf0c",
         "82fe1354b4f85577e40536c25b54c6c8d0a4fe89ef5b77119adbc1ef1e69393b"),
    ],
)  # fmt: skip
def test_official_test_sets_byte_for_byte(mnist_dir, deterministic, n_frames, whole, first):
    clips = official_test_set(mnist_dir, deterministic)
    assert clips.shape == (5000, n_frames, 64, 64) and clips.dtype == np.uint8
    assert hashlib.sha256(clips[:10].tobytes()).hexdigest() == first
    assert hashlib.sha256(clips.tobytes()).hexdigest() == whole
