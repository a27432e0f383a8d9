"""Checks of chapter 1: averages of futures, a wall, PSNR."""

from __future__ import annotations

from collections.abc import Callable

import torch

from srvp_lite import metrics
from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["average_of_futures", "psnr", "reflect"]


@exercise("Right. The squared error is smallest at the mean of the futures, weighted by their probabilities.")
def average_of_futures(answer: Callable) -> None:
    """`best_single_guess(futures (n, ...), probabilities (n,))`: the one picture of least expected squared error."""
    g = torch.Generator().manual_seed(0)
    futures, p = torch.rand(3, 1, 6, 6, generator=g), torch.tensor([0.5, 0.3, 0.2])
    guess = as_tensor(answer(futures, p), "The guess")
    same_shape(guess, (1, 6, 6), "The guess", "one picture, like each future")
    if close(guess, futures.mean(0)):
        raise Diagnosis("This is the plain mean. A likely future should pull harder: weight each by its probability.")
    if close(guess, futures[p.argmax()]):
        raise Diagnosis(
            "This is the most likely future. It is what a person would bet on, yet its expected squared error is "
            "larger: write the expected error as a function of the guess and set its derivative to zero."
        )
    if close(guess, (futures * p.view(-1, 1, 1, 1)).mean(0)):
        raise Diagnosis(
            "Weighted, then averaged once more: the probabilities sum to 1 already, so use a sum over futures."
        )
    if not close(guess, torch.einsum("n,nchw->chw", p, futures)):
        raise Diagnosis(
            "The expected squared error of your guess is not the smallest. Which average has that property?"
        )


@exercise("Right, also for a digit fast enough to meet both walls in one interval.")
def reflect(answer: Callable) -> None:
    """`reflect(x, v, limit)`: position and velocity after one interval between walls at 0 and limit."""
    cases = [
        ((5.0, 2.0, 10.0), (7.0, 2.0), "away from any wall"),
        ((9.0, 3.0, 10.0), (8.0, -3.0), "at the far wall"),
        ((1.0, -3.0, 10.0), (2.0, 3.0), "at the near wall, at 0"),
        ((7.0, 3.0, 10.0), (10.0, 3.0), "that just touches the wall"),
        ((5.0, 27.0, 10.0), (8.0, -27.0), "that meets several walls in one interval"),
    ]
    for (x, v, limit), (expected_x, expected_v), where in cases:
        try:
            new_x, new_v = returned(answer(x, v, limit))
        except (TypeError, ValueError) as error:
            raise Diagnosis(f"Return two numbers, the new position and the new velocity ({error}).") from error
        new_x, new_v = float(new_x), float(new_v)
        case = f"A digit {where} (x={x:g}, v={v:g}, limit={limit:g})"
        if not 0 <= new_x <= limit:
            raise Diagnosis(f"{case} should end inside the walls; yours ends at {new_x:g}.")
        if new_x in (0, limit) and new_x != expected_x:
            raise Diagnosis(
                f"{case} should end at {expected_x:g}; yours stops at the wall. What is left of the interval is spent "
                "on the way back: mirror the overshoot at the wall."
            )
        if abs(new_x - expected_x) > 1e-6:
            raise Diagnosis(f"{case} should end at {expected_x:g}; yours ends at {new_x:g}.")
        if abs(new_v - expected_v) > 1e-6 and not (where.startswith("that just") and new_v == -expected_v):
            raise Diagnosis(f"{case} should leave with velocity {expected_v:g}; yours leaves with {new_v:g}.")


@exercise("Right: one number per frame, each frame scored on its own.")
def psnr(answer: Callable) -> None:
    """`psnr(prediction, truth)`: (B, T, C, H, W) in [0, 1] -> (B, T), in dB, mean over channels."""
    g = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 3, 3, 8, 8, generator=g)
    noise = torch.randn(truth.shape, generator=g) * torch.rand(2, 3, 3, 1, 1, generator=g) * 0.3
    prediction = (truth + noise).clamp(0, 1)
    score = as_tensor(answer(prediction, truth), "The score")
    expected = metrics.psnr(prediction, truth)
    mse = (prediction - truth).square()
    if score.ndim == 0:
        raise Diagnosis(
            "You return one number for the whole batch. Score each frame on its own: average the squared error over "
            "height and width only (dim=(-2, -1))."
        )
    if tuple(score.shape) == (2, 3, 3):
        raise Diagnosis("You return one score per channel, (B, T, C). Average the decibels over the channels too.")
    same_shape(score, (2, 3), "The score", "(B, T), one number per frame")
    if close(score, -expected):
        raise Diagnosis("The sign is turned: a smaller error should give a larger PSNR.")
    if close(score, 10 * torch.log10(1 / mse.mean(dim=(-3, -2, -1)))):
        raise Diagnosis(
            "Your error is averaged over the channels before the logarithm. The paper takes the logarithm per channel, "
            "then averages the decibels; on grey frames both agree, on colour they do not."
        )
    if close(score, expected * torch.log(torch.tensor(10.0))):
        raise Diagnosis("This is the natural logarithm; decibels use log10.")
    if close(score, expected / 2):
        raise Diagnosis(
            "Half of what it should be: 20 log10 goes with the root of the MSE, 10 log10 with the MSE itself."
        )
    if close(score, 10 * torch.log10(255**2 / mse.mean(dim=(-2, -1))).mean(-1)):
        raise Diagnosis("The peak of these frames is 1, not 255: they lie in [0, 1].")
    if close(score, 10 * torch.log10(1 / mse.sum(dim=(-2, -1))).mean(-1)):
        raise Diagnosis("You sum the squared error over the pixels; PSNR takes their mean.")
    if not close(score, expected, 1e-3):
        raise Diagnosis(
            f"The first frame should score {expected[0, 0]:.2f} dB and scores {score[0, 0]:.2f} dB. "
            "The formula is 10 log10(1 / MSE), per frame and channel."
        )
