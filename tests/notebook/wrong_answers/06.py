"""Typical wrong answers to chapter 6's exercises, and words of the diagnosis each should get."""


def predict(**changes):
    """A prediction that is right but for the lines given."""
    lines = {
        "w": "w = model.content(h[:, -k:])",
        "y_1": "y_1 = model.inference.q_y(h[:, :k]).sample(generator)",
        "z": "z = model.inference.q_z(h).sample(generator)",
        "past": "past, _ = model.dynamics.rollout(y_1, z, K)",
        "future": "future, _ = model.dynamics.generate(past[:, -1], n_frames, K, generator)",
        "result": "return model.decode(w, future[:, K - 1 :: K])",
    } | changes
    head = "def predict(model, x, n_frames, generator):\n    k, K = model.config.nt_inf, model.config.steps_per_frame\n"
    return head + "    h, _ = model.encode(x)\n" + "".join(f"    {line}\n" for line in lines.values())


WRONG = {
    "6.1": [
        ("def content(h, first, second): return second(first(h).relu().mean(1)).tanh()", "mean over the frames"),
        ("def content(h, first, second): return second(first(h).relu().amax(1)).tanh()", "maximum over the frames"),
        ("def content(h, first, second): return second(first(h).sum(1).relu()).tanh()", "ReLU comes after the sum"),
        ("def content(h, first, second): return second(first(h.sum(1)).relu()).tanh()", "sum the encodings before"),
        ("def content(h, first, second): return second(first(h.flatten(1)).relu()).tanh()", "laid side by side"),
        ("def content(h, first, second): return second(first(h).relu().sum(1))", "tanh at the end is missing"),
        ("def content(h, first, second): return second(first(h).sum(1)).tanh()", "ReLU is missing"),
        ("def content(h, first, second): return second(first(h).relu()).tanh()", "one w for each frame"),
        ("def content(h, first, second): return second(first(h).relu().sum(0)).tanh()", "summed over the clips"),
        ("def content(h, first, second): return second(first(h[:, -1]).relu()).tanh()", "frames are shuffled"),
    ],
    "6.2": [
        (
            "def random_frames(n_clips, n_frames, k, generator):\n"
            "    return torch.randint(n_frames, (n_clips, k), generator=generator)",
            "with replacement",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator):\n"
            "    return torch.randperm(n_frames, generator=generator)[:k].expand(n_clips, k)",
            "All clips get the same frames, though",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator): return torch.arange(n_frames)[-k:].expand(n_clips, k)",
            "the same at every call",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator):\n"
            "    return torch.rand(n_clips, n_frames, generator=generator)[:, :k]",
            "not frames",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator): return torch.rand(n_clips, n_frames).argsort(1)[:, :k]",
            "generator that is passed in",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator):\n"
            "    start = torch.randint(n_frames - k + 1, (n_clips, 1), generator=generator)\n"
            "    return start + torch.arange(k)",
            "neighbours",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator):\n"
            "    return torch.rand(n_clips, n_frames - 1, generator=generator).argsort(1)[:, :k]",
            "same chance",
        ),
        (
            "def random_frames(n_clips, n_frames, k, generator):\n"
            "    return torch.rand(n_clips, n_frames, generator=generator).argsort(1)",
            "Keep k of them",
        ),
    ],
    "6.3": [
        (
            "def decode_all(decoder, w, y):\n    B, T = y.shape[:2]\n"
            "    return decoder(torch.cat([w.repeat(T, 1), y.flatten(0, 1)], 1)).unflatten(0, (B, T))",
            "another clip's content",
        ),
        (
            "def decode_all(decoder, w, y):\n    B, T = y.shape[:2]\n"
            "    return decoder(torch.cat([y.flatten(0, 1), w.repeat_interleave(T, 0)], 1)).unflatten(0, (B, T))",
            "w first, then y",
        ),
        (
            "def decode_all(decoder, w, y):\n"
            "    return torch.stack([decoder(torch.cat([w, y_t], 1)) for y_t in y.unbind(1)], 1)",
            "called 3 times",
        ),
        (
            "def decode_all(decoder, w, y):\n"
            "    return decoder(torch.cat([w.repeat_interleave(y.shape[1], 0), y.flatten(0, 1)], 1))",
            "in one row",
        ),
        (
            "def decode_all(decoder, w, y):\n"
            "    return decoder(torch.cat([w[:, None].expand(-1, y.shape[1], -1), y], -1))",
            "one vector for each frame",
        ),
        (
            "def decode_all(decoder, w, y):\n    B, T = y.shape[:2]\n"
            "    return decoder(torch.cat([w.repeat_interleave(T, 0), y.flatten(0, 1)], 1)).unflatten(0, (T, B))",
            "(T, B, C, H, W)",
        ),
    ],
    "6.4": [
        (predict(w="w = model.content(h[:, :k])"), "first k frames"),
        (predict(w="w = model.content(h)"), "all frames given"),
        (
            predict(w="w = model.content(h[:, torch.randperm(h.shape[1], generator=generator)[:k]])"),
            "w from random frames",
        ),
        (predict(y_1="y_1 = model.inference.q_y(h[:, -k:]).sample(generator)"), "y_1 comes from the last k frames"),
        (
            predict(
                z="n = h.shape[1] - 1",
                past="past, _ = model.dynamics.generate(y_1, n, K, generator)",
            ),
            "z from the prior, as if they had not been seen",
        ),
        (
            predict(result="return model.decode(w, torch.cat([past[:, -1:], future[:, K - 1 :: K]], 1)[:, :n_frames])"),
            "last one given, once more",
        ),
        (predict(result="return model.decode(w, future)"), "every Euler step"),
        (predict(result="return model.decode(w, future[:, ::K])"), "first Euler step"),
        (
            predict(result="return model.decode(w, torch.cat([past, future[:, K - 1 :: K]], 1))"),
            "return the given frames too",
        ),
        (
            predict(future="future, _ = model.dynamics.generate(y_1, n_frames, K, generator)"),
            "predict from the first frame on",
        ),
    ],
}  # fmt: skip
