"""Typical wrong answers to chapter 2's exercises, and words of the diagnosis each should get."""

WRONG = {
    "2.1": [
        ("def sample(m, s, g):\n    with torch.no_grad():\n        return m + s * torch.randn(m.shape, generator=g)", "No gradient flows"),
        ("def sample(m, s, g): return torch.normal(m, s, generator=g)", "No gradient reaches mean"),
        ("def sample(m, s, g): return m + s.detach() * torch.randn(m.shape, generator=g)", "No gradient reaches std"),
        ("def sample(m, s, g): return m + s * torch.randn(1, generator=g)", "Every row gets the same noise"),
        ("def sample(m, s, g): return m + s * torch.randn(m.shape[-1], generator=g)", "Every row gets the same noise"),
        ("def sample(m, s, g): return m + s**2 * torch.randn(m.shape, generator=g)", "by the square of std"),
        ("def sample(m, s, g): return m + s.sqrt() * torch.randn(m.shape, generator=g)", "by the root of std"),
        ("def sample(m, s, g): return m + s * torch.rand(m.shape, generator=g)", "never negative"),
        ("def sample(m, s, g): return m + s * torch.randn_like(m)", "pass it on"),
        ("def sample(m, s, g): return m", "where is the noise"),
    ],
    "2.2": [
        ("def kl(a, s, b, t): return (torch.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5).sum()", "summed over the batch"),
        ("def kl(a, s, b, t): return (torch.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5).sum(-1)", "summed over the coordinates"),
        ("def kl(a, s, b, t): return (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5", "log term is missing"),
        ("def kl(a, s, b, t): return torch.log(s / t) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5", "wrong sign"),
        ("def kl(a, s, b, t): return torch.log(s / t) + (t**2 + (a - b) ** 2) / (2 * s**2) - 0.5", "arguments are swapped"),
        ("def kl(a, s, b, t): return 0.5 * torch.log(t / s) + (s + (a - b) ** 2) / (2 * t) - 0.5", "as if they were variances"),
        ("def kl(a, s, b, t): return torch.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2)", "-1/2 is missing"),
    ],
    "2.3": [
        ("def output_size(n, kernel, stride, padding): return (n + 2 * padding - kernel) / stride + 1", "fraction of a pixel"),
        ("def output_size(n, kernel, stride, padding): return (n + 2 * padding - kernel) // stride", "+ 1 is missing"),
        ("def output_size(n, kernel, stride, padding): return (n + padding - kernel) // stride + 1", "on both sides"),
        ("def output_size(n, kernel, stride, padding): return (n - kernel) // stride + 1", "padding is missing"),
        ("def output_size(n, kernel, stride, padding): return (n + 2 * padding) // stride", "subtract the kernel first"),
        ("def output_size(n, kernel, stride, padding): return n // stride", "should give"),
    ],
    "2.4": [
        ("def nll(f, x, s): return ((f - x) ** 2 / (2 * s**2)).flatten(1).sum(1)", "constant is dropped"),
        ("import math\ndef nll(f, x, s): return ((f - x) ** 2 / (2 * s**2) + math.log(s) + 0.5 * math.log(2 * math.pi)).flatten(1).mean(1)", "averaged over the pixels"),
        ("import math\ndef nll(f, x, s): return ((f - x) ** 2 / 2 + math.log(s) + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)", "missing under the squares"),
        ("import math\ndef nll(f, x, s): return ((f - x) ** 2 / 2 + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)", "missing altogether"),
        ("import math\ndef nll(f, x, s): return ((f - x) ** 2 / (2 * s**2) + math.log(s)).flatten(1).sum(1)", "Half of the constant"),
        ("import math\ndef nll(f, x, s): return ((f - x) ** 2 / (2 * s**2) + math.log(s) + 0.5 * math.log(2 * math.pi)).sum()", "one number for the whole batch"),
        ("import math\ndef nll(f, x, s): return -((f - x) ** 2 / (2 * s**2) + math.log(s) + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)", "sign is turned"),
    ],
}  # fmt: skip
