"""Typical wrong answers to chapter 8's exercises, and words of the diagnosis each should get."""

FRECHET = "def frechet(mean_a, std_a, mean_b, std_b):\n    "
SPREAD = "def spread_and_error(samples, truth):\n    S = len(samples)\n    error = (truth - samples.mean(0)).square().mean().sqrt()\n    "

WRONG = {
    "8.2": [
        ("def best_of(scores): return scores.amax(0).mean(1)", "best sample for each frame anew"),
        ("def best_of(scores): return scores.mean((0, 2))", "mean over the samples"),
        ("def best_of(scores): return scores.mean(2).amin(0)", "worst sample"),
        ("def best_of(scores): return scores.mean(2).amax(0).mean()", "one number"),
        ("def best_of(scores): return scores.amax(0)", "a score for each frame"),
        ("def best_of(scores): return scores.mean(2).amax(1)", "one number a sample"),
        ("def best_of(scores): return scores[0].mean(1)", "first sample"),
        ("def best_of(scores): return scores.amax((0, 2))", "best frame of the best sample"),
    ],
    "8.1": [
        (FRECHET + "return (mean_a - mean_b).square().sum()", "Only the means"),
        (FRECHET + "return (std_a - std_b).square().sum()", "Only the widths"),
        (FRECHET + "return ((mean_a - mean_b) ** 2 + (std_a**2 - std_b**2) ** 2).sum()", "compare the variances"),
        (FRECHET + "return ((mean_a - mean_b) ** 2 + (std_a - std_b) ** 2).sum().sqrt()", "root at the end"),
        (FRECHET + "return ((mean_a - mean_b) ** 2 + (std_a - std_b) ** 2).mean()", "average over the coordinates"),
        (FRECHET + "return (mean_a - mean_b) ** 2 + (std_a - std_b) ** 2", "one number, summed"),
        (FRECHET + "return ((mean_a - mean_b) ** 2 + std_a**2 + std_b**2).sum()", "minus twice the product"),
        (FRECHET + "return (mean_a - mean_b).abs().sum() + (std_a - std_b).square().sum()", "distance is squared"),
    ],
    "8.3": [
        (SPREAD + "return samples.var(0).mean().sqrt(), error", "factor 1 + 1/S is missing"),
        (SPREAD + "return (samples.var(0, correction=0).mean() * (1 + 1 / S)).sqrt(), error", "divides by S - 1"),
        (SPREAD + "return samples.var(0).mean() * (1 + 1 / S), error", "spread is a variance"),
        (SPREAD + "return samples.std(0).mean() * (1 + 1 / S) ** 0.5, error", "then take the root"),
        (SPREAD + "return (samples.var() * (1 + 1 / S)).sqrt(), error", "mixed all data"),
        (SPREAD + "return (samples.var(0).mean() * (1 + 1 / S)).sqrt(), error**2", "error is a mean square"),
        (
            SPREAD + "return (samples.var(0).mean() * (1 + 1 / S)).sqrt(), (truth - samples).square().mean().sqrt()",
            "single samples",
        ),
        (
            SPREAD + "return (samples.var(0).mean() * (1 + 1 / S)).sqrt(), (truth - samples.mean(0)).abs().mean()",
            "mean absolute",
        ),
        (SPREAD + "return error", "two numbers"),
        (SPREAD + "return error, (samples.var(0).mean() * (1 + 1 / S)).sqrt()", "spread first, then the error"),
    ],
}
