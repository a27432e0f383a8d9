"""LPIPS: against lpips itself; without its weights, a clear message."""

import sys
import urllib.error

import pytest
import torch
from small import generator

from srvp_lite.metrics.perceptual import LPIPS


def frames(*shape, seed=0):
    return torch.rand(shape, generator=generator(seed))


@pytest.fixture(scope="module")
def ours(shim_torchvision):
    torch.manual_seed(0)
    return LPIPS(random_backbone=True)


@pytest.mark.parametrize("channels, size", [(3, 64), (1, 64), (3, 40)])
def test_lpips_is_the_packages(ours, channels, size):
    """A random AlexNet beneath, the real linear weights that lpips ships; grey frames repeated, values to [-1, 1]."""
    a, b = frames(2, 3, channels, size, size), frames(2, 3, channels, size, size, seed=1)
    wide = [x.flatten(0, 1).expand(-1, 3, -1, -1) for x in (a, b)]
    expected = ours.net(wide[0], wide[1], normalize=True).view(2, 3)
    torch.testing.assert_close(ours(a, b), expected, rtol=1e-4, atol=1e-6)


def test_many_predictions_share_one_truth(ours):
    truth, predictions = frames(1, 2, 4, 1, 64, 64), frames(5, 2, 4, 1, 64, 64, seed=1)
    got = ours(predictions, truth)
    assert got.shape == (5, 2, 4)
    torch.testing.assert_close(got[3], ours(predictions[3], truth[0]))


def test_lpips_is_a_distance_of_a_kind(ours):
    a, b = frames(1, 2, 3, 64, 64), frames(1, 2, 3, 64, 64, seed=1)
    assert ours(a, a).abs().max() < 1e-6
    torch.testing.assert_close(ours(a, b), ours(b, a))
    noisier = [ours((a + s * (b - a)), a).mean() for s in (0.1, 0.4, 0.9)]
    assert noisier[0] < noisier[1] < noisier[2]
    assert "v0.1" in ours.version


@pytest.mark.bad_input
def test_lpips_refuses_what_it_cannot_see(ours):
    for shape in ((1, 2, 64, 64), (1, 3, 16, 16)):
        with pytest.raises(ValueError, match="1 or 3 channels and at least 31x31 pixels"):
            ours(frames(*shape), frames(*shape))


def test_what_is_missing_is_named(monkeypatch, shim_torchvision):
    import lpips

    def offline(**kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(lpips, "LPIPS", offline)
    with pytest.raises(OSError, match="could not be fetched .*no route.*alexnet-owt-7be5be79.pth.*checkpoints"):
        LPIPS()
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ImportError, match=r'pip install "srvp-lite\[eval\]"'):
        LPIPS()
