"""Checks of chapter 8: the best of many samples, the Frechet distance, samples as far apart as the truth."""

from __future__ import annotations

from collections.abc import Callable

import torch

from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["best_of_samples", "frechet_of_gaussians", "spread_and_error"]


@exercise("Right: one sample per clip is chosen, by its mean over the predicted frames.")
def best_of_samples(answer: Callable) -> None:
    """`best_of(scores)`: scores (S, N, T) of samples, clips and frames -> the best sample's score of each clip, (N,)."""
    g = torch.Generator().manual_seed(0)
    scores = 20 + 3 * torch.randn(7, 5, 4, generator=g)
    got = as_tensor(answer(scores), "the scores")
    expected = scores.mean(dim=2).amax(dim=0)
    if got.ndim == 0:
        raise Diagnosis(
            "You return one number. The best sample is chosen for each clip: return (N,) and average later."
        )
    if got.shape == (5, 4):
        raise Diagnosis("You return a score for each frame, (N, T). First average each sample over its frames.")
    if got.shape == (7,):
        raise Diagnosis("You return one number a sample, (S,): the maximum goes over the samples, dimension 0.")
    same_shape(got, (5,), "the result", "one score a clip")
    known = [
        (
            scores.amax(dim=0).mean(dim=1),
            "You choose the best sample for each frame anew, so the clip you score was never drawn by the model. Average "
            "over frames first, then take the maximum.",
        ),
        (scores.mean(dim=(0, 2)), "This is the mean over the samples: the expected score of one, not the best."),
        (scores.mean(dim=2).amin(dim=0), "This is the worst sample; for PSNR and SSIM, higher is better."),
        (scores[0].mean(dim=1), "This is the first sample, not the best."),
        (
            scores.amax(dim=(0, 2)),
            "You take the best frame of the best sample. The score of a sample is its mean over frames.",
        ),
    ]
    for wrong, words in known:
        if close(got, wrong):
            raise Diagnosis(words)
    if not close(got, expected):
        raise Diagnosis(f"For the first clip the best sample has {expected[0]:.3f}; yours is {got[0]:.3f}.")


@exercise("Right: the means' distance, and the widths'.")
def frechet_of_gaussians(answer: Callable) -> None:
    """`frechet(mean_a, std_a, mean_b, std_b)`: of two Gaussians with independent coordinates, each argument (d,)."""
    g = torch.Generator().manual_seed(0)
    mean_a, mean_b = torch.randn(2, 6, generator=g)
    std_a, std_b = 0.5 + torch.rand(2, 6, generator=g)
    value = returned(answer(mean_a, std_a, mean_b, std_b))
    got = torch.as_tensor(value).double()
    if got.shape != ():
        raise Diagnosis(f"The distance is one number, summed over the coordinates; yours has shape {tuple(got.shape)}.")
    shift, width = (mean_a - mean_b).square().sum().double(), (std_a - std_b).square().sum().double()
    variance = (std_a**2 - std_b**2).square().sum().double()
    known = [
        (shift, "Only the means are compared. Two Gaussians of different widths are apart even with one mean."),
        (width, "Only the widths are compared; the means' distance is missing."),
        (shift + variance, "You compare the variances; the formula has the standard deviations."),
        ((shift + width).sqrt(), "You took the root at the end. The Frechet distance of the field is the squared one."),
        ((mean_a - mean_b).abs().sum().double() + width, "The means' distance is squared, coordinate by coordinate."),
        (
            shift + (std_a**2 + std_b**2).sum().double(),
            "The last term, minus twice the product of the widths, is missing: equal Gaussians would be apart.",
        ),
        ((shift + width) / 6, "You average over the coordinates; the distance is their sum."),
    ]
    for wrong, words in known:
        if close(got, wrong):
            raise Diagnosis(words)
    if not close(got, shift + width):
        raise Diagnosis(f"For the numbers of this check the distance is {shift + width:.4f}; yours is {got:.4f}.")


@exercise("Right: if the truth is one more draw, both numbers agree.")
def spread_and_error(answer: Callable) -> None:
    """`spread_and_error(samples, truth)`: (S, N) and (N,) -> the corrected spread and the error of the mean."""
    g = torch.Generator().manual_seed(0)
    centre = torch.randn(20_000, generator=g)
    samples = centre + 0.7 * torch.randn(4, 20_000, generator=g)
    truth = centre + 1.1 * torch.randn(20_000, generator=g)  # not calibrated, so that the two numbers differ
    value = returned(answer(samples, truth))
    if isinstance(value, torch.Tensor) and value.shape == (2,):
        value = tuple(value)
    if not (isinstance(value, (tuple, list)) and len(value) == 2):
        raise Diagnosis("Return two numbers, the spread and the error.")
    spread, error = (float(torch.as_tensor(v)) for v in value)
    mean = samples.mean(0)
    right_error = (truth - mean).square().mean().sqrt().item()
    variance = samples.var(0).mean().item()
    if abs(error - (variance * 1.25) ** 0.5) < 1e-3:
        raise Diagnosis("What you return second is the spread. Return the spread first, then the error.")
    if abs(error - right_error) > 1e-3:
        if abs(error - right_error**2) < 1e-3:
            raise Diagnosis("The error is a mean square; take its root, so that it has the unit of the data.")
        one = (samples - truth).square().mean().sqrt().item()
        if abs(error - one) < 1e-3:
            raise Diagnosis(
                "This is the error of single samples. Average the samples first: the error is their mean's."
            )
        if abs(error - (truth - mean).abs().mean().item()) < 1e-3:
            raise Diagnosis("This is the mean absolute error; variances go with squared errors.")
        raise Diagnosis(f"The error of the samples' mean is {right_error:.3f} here; yours is {error:.3f}.")
    known = [
        (variance**0.5, "The factor 1 + 1/S is missing: the mean of S samples is itself a little off."),
        (
            samples.var(0, correction=0).mean().item() ** 0.5,
            "The variance divides by S - 1: with 4 samples, dividing by S makes it a quarter too small. And the factor "
            "1 + 1/S belongs to it.",
        ),
        (
            (samples.var(0, correction=0).mean().item() * 1.25) ** 0.5,
            "The variance divides by S - 1: with 4 samples, dividing by S makes it a quarter too small.",
        ),
        (variance * 1.25, "The spread is a variance; take its root, so that it has the unit of the data."),
        (
            samples.std(0).mean().item() * 1.25**0.5,
            "Average the variances over the data, then take the root. A mean of roots is smaller than the root of the mean.",
        ),
        (
            (samples.var().item() * 1.25) ** 0.5,
            "You mixed all data into one variance; it goes over the samples, dimension 0.",
        ),
    ]
    right = (variance * 1.25) ** 0.5
    if abs(spread - right) > 1e-3:
        for wrong, words in known:
            if abs(spread - wrong) < 1e-3:
                raise Diagnosis(words)
        raise Diagnosis(f"The spread should be {right:.3f} here; yours is {spread:.3f}.")
