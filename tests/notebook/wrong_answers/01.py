"""Typical wrong answers to chapter 1's exercises, and words of the diagnosis each should get."""

WRONG = {
    "1.1": [
        ("def best_single_guess(f, p): return f.mean(0)", "plain mean"),
        ("def best_single_guess(f, p): return f[p.argmax()]", "most likely future"),
        ("def best_single_guess(f, p): return (p.view(-1, 1, 1, 1) * f).mean(0)", "averaged once more"),
        ("def best_single_guess(f, p): return p.view(-1, 1, 1, 1) * f", "should have shape (1, 6, 6)"),
        ("def best_single_guess(f, p): return p * f", "stopped with RuntimeError"),
    ],
    "1.2": [
        ("def reflect(x, v, limit): return x + v, v", "should end inside the walls"),
        ("def reflect(x, v, limit): return min(max(x + v, 0), limit), -v if not 0 <= x + v <= limit else v", "stops at the wall"),
        (
            "def reflect(x, v, limit):\n    x += v\n    if x > limit: return 2 * limit - x, -v\n"
            "    return (-x, -v) if x < 0 else (x, v)",
            "should end inside the walls",
        ),
        (
            "def reflect(x, v, limit):\n    x += v\n    while not 0 <= x <= limit: x = -x if x < 0 else 2 * limit - x\n"
            "    return x, v",
            "should leave with velocity",
        ),
        ("def reflect(x, v, limit): return x + v", "Return two numbers"),
    ],
    "1.3": [
        ("def psnr(p, t): return 10 * torch.log10(1 / (p - t).square().mean())", "one number for the whole batch"),
        ("def psnr(p, t): return 10 * torch.log10(1 / (p - t).square().mean(dim=(-3, -2, -1)))", "averaged over the channels before"),
        ("def psnr(p, t): return 10 * torch.log10(1 / (p - t).square().mean(dim=(-2, -1)))", "one score per channel"),
        ("def psnr(p, t): return 10 * torch.log10((p - t).square().mean(dim=(-2, -1))).mean(-1)", "sign is turned"),
        ("def psnr(p, t): return 10 * torch.log(1 / (p - t).square().mean(dim=(-2, -1))).mean(-1)", "natural logarithm"),
        ("def psnr(p, t): return 10 * torch.log10(255**2 / (p - t).square().mean(dim=(-2, -1))).mean(-1)", "peak of these frames is 1"),
    ],
}  # fmt: skip
