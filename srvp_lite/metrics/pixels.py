"""PSNR and SSIM, as the paper computes them: per frame and channel, then averaged over channels.

Built in chapter 1. Libraries differ in what they pool and in the border they keep, so these are our own; the tests
hold them to the official code's values, to scikit-image's and to piq's.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # of SSIM's Gaussian weights, in pixels
C1, C2 = 0.01**2, 0.03**2  # keep SSIM's quotients finite on flat patches, for values in [0, 1]
SMALLEST_MSE = 1e-10  # caps PSNR at 100 dB, so that one perfect frame does not make a mean infinite


def psnr(prediction: Float[Tensor, "*b t c h w"], truth: Float[Tensor, "*b t c h w"]) -> Float[Tensor, "*b t"]:
    """Peak signal-to-noise ratio 10 log10(1 / MSE) of each frame, in dB, at most 100; higher is better.

    Frames (..., T, C, H, W) in [0, 1]; the MSE is one frame's and channel's, the ratio's mean goes over channels.
    """
    check(prediction, truth)
    mse = (prediction - truth).square().mean(dim=(-2, -1))
    return (-10 * mse.clamp(min=SMALLEST_MSE).log10()).mean(dim=-1)


def ssim(prediction: Float[Tensor, "*b t c h w"], truth: Float[Tensor, "*b t c h w"]) -> Float[Tensor, "*b t"]:
    """Structural similarity of each frame, in [-1, 1]; 1 means equal (Wang et al., 2004).

    Frames (..., T, C, H, W) in [0, 1], at least 11 pixels high and wide. Local means, variances and the covariance
    are weighted by an 11x11 Gaussian that stays inside the frame; their quotient is averaged over the frame.
    """
    check(prediction, truth)
    if min(truth.shape[-2:]) < WINDOW:
        raise ValueError(
            f"SSIM looks through a {WINDOW}x{WINDOW} window, frames of {tuple(truth.shape[-2:])} are smaller"
        )
    x, y = prediction.flatten(0, -3), truth.flatten(0, -3)
    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (brightness * structure).mean(dim=(1, 2)).view(truth.shape[:-2]).mean(dim=-1)


def blur(images: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n h2 w2"]:
    """Gaussian average around each pixel whose window lies inside the image, along rows and then along columns.

    As two products with banded matrices: convolutions of one channel run many times slower on a CPU.
    """
    return averaging(images.shape[-2], images) @ images @ averaging(images.shape[-1], images).T


def averaging(size: int, like: Tensor) -> Float[Tensor, "inside size"]:
    """The matrix (size - 10, size) that takes a line of pixels to its Gaussian averages."""
    offset = torch.arange(WINDOW, device=like.device, dtype=like.dtype) - WINDOW // 2
    weights = torch.exp(-0.5 * (offset / SIGMA) ** 2)
    centres = torch.arange(size - WINDOW + 1, device=like.device)[:, None]
    columns = centres + torch.arange(WINDOW, device=like.device)
    return torch.zeros(len(centres), size, device=like.device, dtype=like.dtype).scatter(
        1, columns, (weights / weights.sum()).expand_as(columns)
    )


def check(prediction: Tensor, truth: Tensor) -> None:
    if prediction.shape != truth.shape:
        raise ValueError(
            f"the prediction has shape {tuple(prediction.shape)} and the truth {tuple(truth.shape)}; they are compared "
            "frame by frame, so both must be (..., T, C, H, W) alike"
        )
    if truth.ndim < 4:
        raise ValueError(f"expected frames (..., T, C, H, W), got {tuple(truth.shape)}")
    if not (prediction.is_floating_point() and truth.is_floating_point()):
        raise TypeError(
            f"expected floats in [0, 1], got {prediction.dtype} and {truth.dtype}; for bytes use x.float() / 255"
        )
