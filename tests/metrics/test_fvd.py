"""FVD: against closed forms and SciPy; without its weights, a clear message."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import generator

from srvp_lite.metrics import fvd as fvd_module
from srvp_lite.metrics.fvd import FVD, Moments, frechet_distance


def frames(*shape, seed=0):
    return torch.rand(shape, generator=generator(seed))


# Frechet -------------------------------------------------------------------------------------------------------------


def moments(x):
    m = Moments()
    m.add(torch.as_tensor(x))
    return m


@given(st.integers(2, 60), st.integers(1, 8), st.integers(1, 20), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_moments_do_not_depend_on_the_batches(n, d, batch, seed):
    x = np.random.default_rng(seed).normal(100, 3, (n, d))
    m = Moments()
    for part in torch.as_tensor(x).split(batch):
        m.add(part)
    np.testing.assert_allclose(m.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(m.covariance, np.cov(x.T).reshape(d, d), rtol=1e-9, atol=1e-9)


def exact(mean, covariance):
    m = Moments()
    m.n, m.mean = 2, torch.as_tensor(mean, dtype=torch.float64)
    m.scatter = torch.as_tensor(covariance, dtype=torch.float64)  # n - 1 = 1
    return m


def test_distance_of_gaussians_with_diagonal_covariances():
    """In closed form: |difference of means|^2 + sum (std_a - std_b)^2."""
    a, b = np.array([1.0, 2.0, 0.5]), np.array([2.0, 2.0, 0.1])
    means = np.array([0.0, 1.0, -1.0]), np.array([1.0, 1.0, 2.0])
    got = frechet_distance(exact(means[0], np.diag(a**2)), exact(means[1], np.diag(b**2)))
    assert got == pytest.approx(((means[0] - means[1]) ** 2).sum() + ((a - b) ** 2).sum())


@given(st.integers(0, 10**6), st.integers(2, 12))
@settings(max_examples=30, deadline=None)
def test_distance_equals_scipys(seed, d):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(200, d)) @ rng.normal(size=(d, d)), rng.normal(1, 2, (150, d))
    a, b = np.cov(x.T), np.cov(y.T)
    root = np.real(scipy.linalg.sqrtm(a @ b))
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * np.trace(root)
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_distance_with_fewer_videos_than_dimensions():
    """Covariances of low rank: still zero for equal sets, symmetric, and growing with a shift."""
    x = np.random.default_rng(0).normal(size=(10, 50))
    assert frechet_distance(moments(x), moments(x)) == pytest.approx(0, abs=1e-6)
    shifted = [frechet_distance(moments(x), moments(x + s)) for s in (0.5, 1.0)]
    assert shifted == pytest.approx([50 * 0.25, 50 * 1.0], rel=1e-6)
    y = np.random.default_rng(1).normal(size=(12, 50))
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(frechet_distance(moments(y), moments(x)), rel=1e-6)


def test_moments_go_on_from_what_was_saved():
    x = torch.as_tensor(np.random.default_rng(0).normal(size=(30, 4)))
    first, second = moments(x[:10]), Moments()
    second.load_state_dict(first.state_dict())
    second.add(x[10:])
    whole = moments(x)
    torch.testing.assert_close(second.covariance, whole.covariance)
    torch.testing.assert_close(second.mean, whole.mean)
    assert (first.n, second.n) == (10, 30), "what was saved is left alone"


# FVD -----------------------------------------------------------------------------------------------------------------


class SmallI3D(torch.nn.Module):
    """A random 3-D network with the signature of the TorchScript I3D."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv3d(3, 8, 3, stride=2)

    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        if resize:
            x = torch.nn.functional.interpolate(x, size=(x.shape[2], 32, 32), mode="trilinear", align_corners=False)
        if rescale:
            x = 2 * x / 255 - 1
        return self.conv(x).mean(dim=(2, 3, 4)) if return_features else x


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "i3d_torchscript.pt"
    torch.jit.script(SmallI3D()).save(str(path))
    return path


def videos(n=20, channels=1, n_frames=12, seed=0):
    return (frames(n, n_frames, channels, 16, 16, seed=seed) * 255).byte()


def test_fvd_from_a_file(weights):
    fvd = FVD(weights=weights)
    assert len(fvd.sha256) == 64
    v = videos()
    features = fvd.features(v, at_once=7)
    assert features.shape == (20, 8)
    torch.testing.assert_close(features, fvd.features(v.expand(-1, -1, 3, -1, -1)), rtol=1e-4, atol=1e-5)
    same = frechet_distance(moments(features), moments(features))
    other = frechet_distance(moments(features), moments(fvd.features(videos(seed=1) // 2)))
    assert same == pytest.approx(0, abs=1e-8) and other > 1e-3


@pytest.mark.bad_input
def test_fvd_says_what_it_needs(weights, tmp_path, monkeypatch):
    fvd = FVD(weights=weights)
    with pytest.raises(TypeError, match="FVD takes bytes"):
        fvd.features(frames(2, 12, 1, 16, 16))
    with pytest.raises(ValueError, match="at least 9 frames, got 8"):
        fvd.features(videos(n_frames=8))
    with pytest.raises(FileNotFoundError, match="no I3D weights at"):
        FVD(weights=tmp_path / "nowhere.pt")
    (tmp_path / "bad.pt").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="bad.pt is no TorchScript file of I3D"):
        FVD(weights=tmp_path / "bad.pt")
    monkeypatch.setenv("SRVP_DATA_DIR", str(tmp_path / "empty"))
    monkeypatch.setattr(fvd_module, "I3D_SOURCES", ["http://no-such-host.invalid/i3d.pt"])
    with pytest.raises(OSError, match="no-such-host.invalid cannot be reached.*--fvd-weights"):
        FVD()
    monkeypatch.setenv("SRVP_DATA_DIR", str(weights.parent))
    assert FVD().sha256 == fvd.sha256, "found where the data lie"
