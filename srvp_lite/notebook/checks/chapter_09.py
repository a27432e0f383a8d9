"""Checks of chapter 9: a read-out's R squared, the order of digits that a swap chose, the area under the ROC curve."""

from __future__ import annotations

from collections.abc import Callable

import torch

from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["area_under_curve", "order_of_a_swap", "read_out_score"]


@exercise("Right: each column against its own mean, then the average.")
def read_out_score(answer: Callable) -> None:
    """`r_squared(read, truth)`: both (N, m), what was read and what is true on new clips -> one number."""
    g = torch.Generator().manual_seed(0)
    truth = torch.randn(50, 3, generator=g) * torch.tensor([1.0, 4.0, 0.5]) + torch.tensor([3.0, -2.0, 10.0])
    read = truth + torch.randn(50, 3, generator=g) * torch.tensor([0.8, 1.0, 0.1]) + 0.3
    got = torch.as_tensor(returned(answer(read, truth))).double()
    rest, centred = (read - truth).square(), truth - truth.mean(0)
    each = 1 - rest.sum(0) / centred.square().sum(0)
    if got.shape == (3,):
        raise Diagnosis("You return one number a column. Average them at the end.")
    if got.shape != ():
        raise Diagnosis(f"The score is one number; yours has shape {tuple(got.shape)}.")
    pooled = 1 - rest.sum() / centred.square().sum()
    correlation = torch.stack([torch.corrcoef(torch.stack([read[:, i], truth[:, i]]))[0, 1] ** 2 for i in range(3)])
    guess = read - read.mean(0)
    known = [
        (
            pooled,
            "You added up all columns first, so the column with the largest unit decides. Score each, then average.",
        ),
        (correlation.mean(), "This is the squared correlation: it forgives a read-out that is always off by the same."),
        ((1 - rest.sum(0) / truth.square().sum(0)).mean(), "The truth is compared with 0; compare it with its mean."),
        (
            (rest.sum(0) / centred.square().sum(0)).mean(),
            "This is the share that is left unexplained; 1 minus it is R².",
        ),
        (
            (1 - rest.sum(0) / guess.square().sum(0)).mean(),
            "You divide by the variance of what was read; divide by the truth's.",
        ),
        (
            1 - rest.sum() / (truth - truth.mean()).square().sum(),
            "One mean over all columns makes the spread look large. Each column has its own mean.",
        ),
    ]
    for wrong, words in known:
        if close(got, wrong.double()):
            raise Diagnosis(words)
    if not close(got, each.mean().double()):
        raise Diagnosis(f"For the check's clips the score is {each.mean():.4f}; yours is {got:.4f}.")


@exercise("Right: one order a clip, the one that is nearest over the whole clip.")
def order_of_a_swap(answer: Callable) -> None:
    """`which_order(frames, drawn)`: (B, T, H, W) and (K, B, T, H, W) -> which of the K fits each clip best, (B,)."""
    g = torch.Generator().manual_seed(0)
    drawn = torch.rand(2, 6, 4, 5, 5, generator=g)
    choice = torch.tensor([0, 1, 1, 0, 1, 0])
    frames = drawn[choice, torch.arange(6)] + 0.3 * torch.randn(6, 4, 5, 5, generator=g)
    some = torch.arange(4)
    frames[some, 0] = drawn[1 - choice[some], some, 0]  # in some first frames the other order fits
    got = as_tensor(answer(frames, drawn), "the orders")
    errors = (frames - drawn).square().mean(dim=(-2, -1))  # (K, B, T)
    if got.shape == (6, 4):
        raise Diagnosis("You choose anew for each frame. A digit does not change paths: choose once a clip.")
    if got.ndim == 0:
        raise Diagnosis("You choose one order for all clips. Each clip has its own.")
    same_shape(got, (6,), "the result", "one order a clip")
    if got.is_floating_point():
        raise Diagnosis("You return how far the nearest one is; asked is which one: use argmin, not amin.")
    if torch.equal(got, errors.mean(2).argmax(0)):
        raise Diagnosis("This is the order that fits worst: a squared error is better when it is smaller.")
    if torch.equal(got, errors[:, :, 0].argmin(0)):
        raise Diagnosis("You looked at the first frame only. Average the error over the frames.")
    if not torch.equal(got, choice):
        raise Diagnosis(f"The check's clips were made in the orders {choice.tolist()}; yours are {got.tolist()}.")


@exercise("Right: every pair is asked once, and a tie counts half.")
def area_under_curve(answer: Callable) -> None:
    """`auc(scores, positive)`: numbers (N,) and booleans (N,) -> P(a positive scores higher), ties counting half."""
    g = torch.Generator().manual_seed(0)
    positive = torch.rand(60, generator=g) < 0.4
    scores = (torch.randint(5, (60,), generator=g) + positive).float()
    got = torch.as_tensor(returned(answer(scores, positive))).double()
    if got.shape != ():
        raise Diagnosis(f"The area is one number; yours has shape {tuple(got.shape)}.")
    a, b = scores[positive][:, None], scores[~positive][None]
    higher, tied = (a > b).double().mean(), (a == b).double().mean()
    known = [
        (higher, "Ties are counted as lost. A tie says nothing either way: it counts half."),
        (higher + tied, "Ties are counted as won. A tie says nothing either way: it counts half."),
        (1 - higher - tied / 2, "This is the probability that the positive scores lower. Turn it round."),
        (
            (higher + tied / 2) * a.numel() * b.numel(),
            "This is the number of pairs won; divide by the number of pairs.",
        ),
        (
            ((scores > scores.median()) == positive).double().mean(),
            "This is the accuracy at one threshold; compare all pairs.",
        ),
        (
            (scores[:, None] > scores[None]).double().mean() + (scores[:, None] == scores[None]).double().mean() / 2,
            "You compare all steps with all steps. Only pairs of a positive with a negative count.",
        ),
    ]
    for wrong, words in known:
        if close(got, wrong):
            raise Diagnosis(words)
    if not close(got, higher + tied / 2):
        raise Diagnosis(f"For the check's numbers the area is {higher + tied / 2:.4f}; yours is {got:.4f}.")
