"""Checks of chapter 2: a reparameterised sample, a KL divergence, the size of a convolution's output, the nll."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from srvp_lite.model.gaussian import LOG_2PI, Gaussian
from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["conv_output_size", "frame_nll", "gaussian_kl", "reparameterised_sample"]


@exercise("Right: fresh noise for every number, and gradients reach both the mean and the standard deviation.")
def reparameterised_sample(answer: Callable) -> None:
    """`sample(mean, std, generator)`: one sample of N(mean, std^2), differentiable in both."""
    n, scales = 4000, torch.tensor([0.2, 1.0, 3.0])
    mean = torch.tensor([-2.0, 0.0, 5.0]).repeat(n, 1).requires_grad_()
    std = scales.repeat(n, 1).requires_grad_()
    s = as_tensor(answer(mean, std, torch.Generator().manual_seed(0)), "The sample")
    same_shape(s, (n, 3), "The sample", "one number for each mean")
    noise = ((s - mean) / std).detach()
    if noise.abs().max() < 1e-6:
        raise Diagnosis("You return the mean: where is the noise?")
    if close(noise[0], noise[1]) and close(noise[0], noise[-1]):
        raise Diagnosis(
            "Every row gets the same noise. Draw as much of it as there are means: torch.randn(mean.shape, ...)."
        )
    if close(noise[:, 0], noise[:, 1]):
        raise Diagnosis("All coordinates share one noise; they must be independent. Draw with the shape of mean.")
    if noise.min() >= 0:
        raise Diagnosis("Your noise is never negative. torch.rand is uniform on [0, 1); torch.randn is Gaussian.")
    spread = (s - mean).detach().std(dim=0)
    if close(spread, scales**2, 0.1):
        raise Diagnosis(
            "Your samples spread by the square of std. The noise is multiplied by std, not by the variance."
        )
    if close(spread, scales.sqrt(), 0.1):
        raise Diagnosis("Your samples spread by the root of std. std is a standard deviation already: no root.")
    if close(spread, torch.ones(3), 0.1):
        raise Diagnosis("Your samples spread by 1 whatever std is. Multiply the noise by std.")
    if not close(spread, scales, 0.1):
        raise Diagnosis(
            f"Samples of standard deviations {scales.tolist()} spread by {[round(v, 2) for v in spread.tolist()]}."
        )
    if not torch.equal(s, answer(mean, std, torch.Generator().manual_seed(0))):
        raise Diagnosis(
            "The same generator gives two different samples: pass it on, torch.randn(..., generator=generator)."
        )
    if not s.requires_grad:
        raise Diagnosis(
            "No gradient flows through your sample: it is cut off from mean and std. Compute mean + std * noise with "
            "ordinary tensor operations, outside torch.no_grad() and without detach()."
        )
    grads = torch.autograd.grad(s.sum(), (mean, std), allow_unused=True)
    for name, grad, expected in zip(("mean", "std"), grads, (torch.ones(n, 3), noise)):
        if grad is None or not grad.any():
            raise Diagnosis(f"No gradient reaches {name}. The sample must depend on it through mean + std * noise.")
        if not close(grad, expected, 1e-3):
            raise Diagnosis(f"The gradient with respect to {name} is not that of mean + std * noise.")


@exercise("Right, coordinate by coordinate.")
def gaussian_kl(answer: Callable) -> None:
    """`kl(mean_q, std_q, mean_p, std_p)`: KL(q || p) of each coordinate, all of shape (..., n)."""
    g = torch.Generator().manual_seed(0)
    mean_q, mean_p = torch.randn(2, 5, 3, generator=g)
    std_q, std_p = 0.3 + 2 * torch.rand(2, 5, 3, generator=g)
    kl = as_tensor(answer(mean_q, std_q, mean_p, std_p), "The divergence")
    q, p = Gaussian(mean_q, std_q), Gaussian(mean_p, std_p)
    expected, log_ratio = q.kl(p), (std_q / std_p).log()
    if kl.ndim == 0:
        how = "averaged" if close(kl, expected.mean()) else "summed"
        raise Diagnosis(
            f"You return one number, {how} over the batch and the coordinates. Keep one number per coordinate; who "
            "calls the function decides what to sum."
        )
    if tuple(kl.shape) == (5,):
        raise Diagnosis("You summed over the coordinates. Keep them apart here: the shape is that of the means.")
    if tuple(kl.shape) == (3,):
        raise Diagnosis("You summed or averaged over the batch. Keep one number per coordinate of each element.")
    same_shape(kl, (5, 3), "The divergence", "that of the means")
    if close(kl, p.kl(q)):
        raise Diagnosis(
            "The arguments are swapped: this is KL(p || q). The expectation is over q, the first of the two."
        )
    if close(kl, expected + log_ratio):
        raise Diagnosis("The log term is missing: log(std_p / std_q).")
    if close(kl, expected + 2 * log_ratio):
        raise Diagnosis("The log term has the wrong sign: a narrow q costs more, so it is log(std_p / std_q).")
    if close(kl, expected - log_ratio):
        raise Diagnosis(
            "The log term counts twice: log(std_p / std_q), or half of the logarithm of the variances' ratio."
        )
    if close(kl, expected + 0.5):
        raise Diagnosis("The -1/2 is missing, so the divergence of a Gaussian from itself is not 0.")
    if close(kl, 2 * expected):
        raise Diagnosis("Twice what it should be: is the 1/2 in front of the squares there?")
    if close(kl, Gaussian(mean_q, std_q.sqrt()).kl(Gaussian(mean_p, std_p.sqrt()))):
        raise Diagnosis("You used the standard deviations as if they were variances: square them.")
    if (kl < -1e-5).any():
        raise Diagnosis(f"A KL divergence is never negative; one of yours is {kl.min():.3f}.")
    if not close(kl, expected):
        raise Diagnosis(
            f"For q = N({mean_q[0, 0]:.2f}, {std_q[0, 0]:.2f}²) and p = N({mean_p[0, 0]:.2f}, {std_p[0, 0]:.2f}²) it should "
            f"be {expected[0, 0]:.4f}; yours is {kl[0, 0]:.4f}."
        )


@exercise("Right. With kernel 4, stride 2 and padding 1 every stage halves an even size exactly.")
def conv_output_size(answer: Callable) -> None:
    """`output_size(n, kernel, stride, padding)`: pixels along one side after a strided convolution."""
    cases = [(32, 4, 2, 1), (4, 4, 1, 0), (32, 3, 1, 1), (64, 5, 3, 2), (9, 4, 2, 0), (28, 7, 4, 1)]
    true = [torch.nn.functional.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p).shape[-1]
            for n, k, s, p in cases]  # fmt: skip
    given = [returned(answer(*case)) for case in cases]
    guesses = {
        "The + 1 is missing: a window has its first place before it makes any step.": [
            (n + 2 * p - k) // s for n, k, s, p in cases
        ],
        "Padding is added on both sides: 2 * padding.": [(n + p - k) // s + 1 for n, k, s, p in cases],
        "The padding is missing: the padded side has n + 2 * padding pixels.": [
            (n - k) // s + 1 for n, k, s, p in cases
        ],
        "You divide the padded side by the stride, but the window needs room too: subtract the kernel first.": [
            (n + 2 * p) // s for n, k, s, p in cases
        ],
        "This is rounded up. A window that would stick out at the end is not placed: round down, with //.": [
            math.ceil((n + 2 * p - k) / s) + 1 for n, k, s, p in cases
        ],
    }
    if any(isinstance(v, float) and v != int(v) for v in given):
        raise Diagnosis("You return a fraction of a pixel. Round the number of steps down: use // for the division.")
    for words, wrong in guesses.items():
        if given == wrong:
            raise Diagnosis(words)
    for case, v, expected in zip(cases, given, true):
        if v != expected:
            raise Diagnosis(
                "{} pixels with kernel {}, stride {} and padding {} should give ".format(*case)
                + f"{expected}; yours gives {v}."
            )


@exercise("Right: one number per clip, in nats, constant included.")
def frame_nll(answer: Callable) -> None:
    """`nll(frames, x, obs_std)`: -log N(x; frames, obs_std^2) summed over a clip, (B, T, C, H, W) -> (B,)."""
    g = torch.Generator().manual_seed(0)
    frames, x = torch.rand(2, 4, 3, 1, 8, 8, generator=g)
    obs_std, n = 0.3, x[0].numel()
    nll = as_tensor(answer(frames, x, obs_std), "The negative log likelihood")
    squares = (frames - x).square().flatten(1).sum(1)
    half_log_2pi, log_std = n * 0.5 * LOG_2PI, n * math.log(obs_std)
    error = squares / (2 * obs_std**2)
    expected = error + half_log_2pi + log_std
    if nll.ndim == 0:
        raise Diagnosis(
            "You return one number for the whole batch. Sum over time, channels and pixels, not over clips."
        )
    same_shape(nll, (4,), "The negative log likelihood", "one number per clip")
    wrong = {
        "The sign is turned: this is the log likelihood, and the loss is its negative.": -expected,
        "The constant is dropped: each pixel also costs log(obs_std) + log(2 pi) / 2.": error,
        "Half of the constant is missing: log(2 pi) / 2 for each pixel.": error + log_std,
        "Half of the constant is missing: log(obs_std) for each pixel.": error + half_log_2pi,
        "The constant is counted once; it belongs to every pixel of every frame.": error
        + 0.5 * LOG_2PI
        + math.log(obs_std),
        "You averaged over the pixels. The log density of a clip is the sum over them: a mean would make the KL terms "
        "weigh as much as all pixels together.": expected / n,
        "obs_std is missing under the squares: divide by 2 obs_std**2.": squares / 2 + half_log_2pi + log_std,
        "You divided by 2 obs_std; the square is missing: 2 obs_std**2.": squares / (2 * obs_std)
        + half_log_2pi
        + log_std,
        "The 1/2 in front of the squares is missing.": 2 * error + half_log_2pi + log_std,
        "obs_std seems to be missing altogether: this is the loss for obs_std = 1.": squares / 2 + half_log_2pi,
    }
    for words, value in wrong.items():
        if close(nll, value):
            raise Diagnosis(words)
    if not close(nll, expected):
        raise Diagnosis(f"The first clip should cost {expected[0]:.2f} nats; yours costs {nll[0]:.2f}.")
