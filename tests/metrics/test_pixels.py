"""PSNR and SSIM against the official values, scikit-image and piq."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from srvp_lite import metrics

GOLDEN = Path(__file__).parents[1] / "golden"


def random_clips(seed, shape=(2, 3, 3, 24, 20)):
    g = torch.Generator().manual_seed(seed)
    truth = torch.rand(shape, generator=g)
    return (truth + 0.2 * torch.randn(shape, generator=g)).clamp(0, 1), truth


def test_official_values():
    golden = {k: torch.from_numpy(v) for k, v in np.load(GOLDEN / "metrics.npz").items()}
    prediction, truth = (golden[k].transpose(0, 1) for k in ("prediction", "truth"))
    torch.testing.assert_close(metrics.psnr(prediction, truth), golden["psnr"].T, rtol=0, atol=1e-4)
    torch.testing.assert_close(metrics.ssim(prediction, truth), golden["ssim"].T, rtol=0, atol=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_equal_to_scikit_image(seed):
    prediction, truth = random_clips(seed)
    psnr, ssim = metrics.psnr(prediction, truth), metrics.ssim(prediction, truth)
    assert psnr.shape == ssim.shape == (2, 3)
    for b in range(2):
        for t in range(3):
            pairs = [(p.numpy(), q.numpy()) for p, q in zip(prediction[b, t], truth[b, t])]
            expected = np.mean([peak_signal_noise_ratio(q, p, data_range=1) for p, q in pairs])
            assert psnr[b, t].item() == pytest.approx(expected, abs=1e-4)
            maps = [
                structural_similarity(q, p, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                      data_range=1, full=True)[1]
                for p, q in pairs
            ]  # fmt: skip
            expected = np.mean([m[5:-5, 5:-5].mean() for m in maps])
            assert ssim[b, t].item() == pytest.approx(expected, abs=1e-5)


def test_ssim_equals_piq(shim_torchvision):
    import piq

    prediction, truth = random_clips(0, (2, 3, 1, 32, 32))
    expected = piq.ssim(prediction.flatten(0, 1), truth.flatten(0, 1), data_range=1.0, reduction="none")
    torch.testing.assert_close(metrics.ssim(prediction, truth).flatten(), expected, rtol=0, atol=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_laws(seed):
    prediction, truth = random_clips(seed)
    torch.testing.assert_close(metrics.ssim(truth, truth), torch.ones(2, 3))
    assert (metrics.psnr(truth, truth) == 100).all()
    torch.testing.assert_close(metrics.ssim(prediction, truth), metrics.ssim(truth, prediction))
    torch.testing.assert_close(metrics.psnr(prediction, truth), metrics.psnr(truth, prediction))
    # Mirroring both changes nothing; halving the error adds 20 log10(2) dB.
    torch.testing.assert_close(metrics.ssim(prediction.flip(-1), truth.flip(-1)), metrics.ssim(prediction, truth))
    nearer = truth + (prediction - truth) / 2
    gain = metrics.psnr(nearer, truth) - metrics.psnr(prediction, truth)
    torch.testing.assert_close(gain, torch.full_like(gain, 6.0206), atol=1e-3, rtol=0)


def test_samples_in_front_are_welcome():
    prediction, truth = random_clips(1)
    many = torch.stack([prediction, truth])
    torch.testing.assert_close(metrics.ssim(many, truth.expand_as(many))[0], metrics.ssim(prediction, truth))
    torch.testing.assert_close(metrics.psnr(many, truth.expand_as(many))[0], metrics.psnr(prediction, truth))


@pytest.mark.bad_input
@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim])
def test_bad_input(metric):
    truth = torch.rand(2, 3, 1, 16, 16)
    with pytest.raises(ValueError, match=r"\(2, 2, 1, 16, 16\) and the truth \(2, 3, 1, 16, 16\)"):
        metric(truth[:, :2], truth)
    with pytest.raises(ValueError, match=r"expected frames \(..., T, C, H, W\), got \(16, 16\)"):
        metric(truth[0, 0, 0], truth[0, 0, 0])
    with pytest.raises(TypeError, match=r"floats in \[0, 1\], got torch.uint8"):
        metric(truth.byte(), truth.byte())
    with pytest.raises(ValueError, match="11x11 window"):
        metrics.ssim(truth[..., :8], truth[..., :8])


def test_naive_predictions():
    x = torch.rand(2, 4, 1, 8, 8)
    assert torch.equal(metrics.copy_last(x, 3), x[:, [3, 3, 3]])
    torch.testing.assert_close(metrics.mean_frame(x, 2)[:, 1], x.mean(1))
