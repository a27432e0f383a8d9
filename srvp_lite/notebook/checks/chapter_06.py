"""Checks of chapter 6: the content network, its random frames, decoding all frames at once, prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from srvp_lite.config import SRVPConfig
from srvp_lite.model.srvp import SRVP
from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, same_shape

__all__ = ["content_network", "decode_all_frames", "frames_without_replacement", "prediction"]


@exercise("Right: one w for each clip, whatever the order of its frames.")
def content_network(answer: Callable) -> None:
    """`content(h (B, k, nhx), first, second)`: w = tanh(second(sum_i relu(first(h_i)))), shape (B, nw)."""
    g = torch.Generator().manual_seed(0)
    first, second = nn.Linear(6, 10), nn.Linear(10, 10)
    with torch.no_grad():
        for p in (*first.parameters(), *second.parameters()):
            p.copy_(0.5 * torch.randn(p.shape, generator=g))
    h = torch.randn(3, 4, 6, generator=g)
    with torch.no_grad():
        try:
            w = as_tensor(answer(h, first, second), "w")
        except RuntimeError as error:
            if "cannot be multiplied" not in str(error):
                raise
            raise Diagnosis(
                "The sizes do not fit: `first` reads one encoding of nhx numbers at a time. Give it h as it is, "
                "(B, k, nhx); frames laid side by side would need a wider layer, and it would know their order."
            ) from error
        a = first(h).relu()
        expected = second(a.sum(1)).tanh()
        if w.shape == (3, 4, 10):
            raise Diagnosis("You return one w for each frame, (B, k, nw). Sum over the frames before `second`.")
        if w.shape == (4, 10):
            raise Diagnosis("You summed over the clips, dimension 0. The frames are dimension 1.")
        same_shape(w, (3, 10), "w", "one vector for each clip")
        known = [
            (second(a.mean(1)).tanh(), "This is the mean over the frames; the formula has a sum."),
            (second(a.amax(1)).tanh(), "This is the maximum over the frames; the formula has a sum."),
            (
                second(first(h).sum(1).relu()).tanh(),
                "Your ReLU comes after the sum. Each frame goes through it first; otherwise the network sees only the "
                "average encoding of the frames.",
            ),
            (
                second(first(h.sum(1)).relu()).tanh(),
                "You sum the encodings before `first` and its ReLU. Each frame goes through both on its own.",
            ),
            (second(first(h).sum(1)).tanh(), "The ReLU is missing between `first` and the sum."),
            (second(a.sum(1)), "The tanh at the end is missing: w should lie between -1 and 1."),
            (second(a).tanh().sum(1), "You sum after `second` and its tanh. The sum stands between the two layers."),
            (second(a).sum(1).tanh(), "You sum after `second`, so its bias counts once for each frame."),
        ]
        for wrong, words in known:
            if close(w, wrong):
                raise Diagnosis(words)
        if not close(w, as_tensor(answer(h.flip(1), first, second), "w")):
            raise Diagnosis("Your w changes when the frames are shuffled. Treat all of them alike.")
        if not close(w, expected):
            raise Diagnosis(
                "The order does not matter, as it should be, but this is not tanh(second(sum of relu(first(h))))."
            )


@exercise("Right: k different frames, each clip its own, every frame with the same chance.")
def frames_without_replacement(answer: Callable) -> None:
    """`random_frames(n_clips, n_frames, k, generator)`: integers (n_clips, k) in 0..n_frames - 1, all different."""

    def draw(seed: int, n_clips: int = 4000, n_frames: int = 8, k: int = 3) -> torch.Tensor:
        return as_tensor(answer(n_clips, n_frames, k, torch.Generator().manual_seed(seed)), "The indices")

    t = draw(0)
    if t.shape == (3,):
        raise Diagnosis("You return one set of k frames. Every clip draws its own: shape (n_clips, k).")
    if t.shape == (4000, 8):
        raise Diagnosis("You return all frames in random order. Keep k of them for each clip.")
    same_shape(t, (4000, 3), "The indices", "k frames for each clip")
    if t.is_floating_point():
        raise Diagnosis("These are random numbers, not frames. argsort turns them into indices.")
    if t.min() < 0 or t.max() > 7:
        raise Diagnosis(f"Frames are counted from 0 to 7 here; yours run from {t.min()} to {t.max()}.")
    if (t == t[0]).all():
        fixed = "and the same at every call" if bool((draw(1) == t).all()) else "though other ones at the next call"
        raise Diagnosis(f"All clips get the same frames, {fixed}. Each clip draws on its own.")
    repeated = (t.sort(1).values.diff(dim=1) == 0).any(1).double().mean().item()
    if repeated > 0:
        raise Diagnosis(
            f"{repeated:.0%} of the clips got a frame twice: this draws with replacement. Shuffle the frames and keep k."
        )
    if (t.diff(dim=1) == 1).all():
        raise Diagnosis(
            "The frames are neighbours: only the first is random. Each set of k frames should be as likely."
        )
    if not torch.equal(draw(0), t):
        raise Diagnosis("Two calls with equal generators differ: draw from the generator that is passed in.")
    if bool((draw(1) == t).all()):
        raise Diagnosis("Two generators with different seeds give the same frames. Draw from the generator.")
    share = torch.bincount(t.flatten(), minlength=8) / 4000
    if (share - 3 / 8).abs().max() > 0.05:
        worst = (share - 3 / 8).abs().argmax()
        raise Diagnosis(
            f"Not every frame has the same chance: frame {worst} is in {share[worst]:.0%} of the clips, "
            f"it should be in {3 / 8:.0%}."
        )


@exercise("Right: every frame has its own state and its clip's content, and the decoder was called once.")
def decode_all_frames(answer: Callable) -> None:
    """`decode_all(decoder, w (B, nw), y (B, T, ny))`: frames (B, T, C, H, W) from one call on (B T, nw + ny)."""
    g = torch.Generator().manual_seed(0)
    w, y = torch.rand(2, 4, generator=g), torch.rand(2, 3, 5, generator=g)
    paint = torch.randn(9, 16, generator=g)
    seen = []

    def decoder(vector):
        seen.append(tuple(vector.shape))
        if vector.ndim != 2 or vector.shape[1] != 9:
            raise Diagnosis(
                f"The decoder takes one vector for each frame, (B T, nw + ny), here (6, 9); yours got "
                f"{tuple(vector.shape)}."
            )
        return (vector @ paint).view(-1, 1, 4, 4)

    def frames(ww, yy):
        return (torch.cat([ww, yy], -1).flatten(0, -2) @ paint).view(2, 3, 1, 4, 4)

    x = as_tensor(answer(decoder, w, y), "The frames")
    each = w[:, None].expand(-1, 3, -1)
    expected = frames(each, y)
    if x.shape == (6, 1, 4, 4):
        raise Diagnosis(
            "These are all frames in one row, (B T, C, H, W). Give them back their two dimensions: unflatten."
        )
    if x.shape == (3, 2, 1, 4, 4):
        raise Diagnosis("You return (T, B, C, H, W). Clips come first in this book: (B, T, C, H, W).")
    same_shape(x, (2, 3, 1, 4, 4), "The frames", "(B, T, C, H, W)")
    if close(x, expected):
        if len(seen) > 1:
            raise Diagnosis(f"The frames are right, but the decoder was called {len(seen)} times. One call is enough.")
        return
    if close(x, frames(w.repeat(3, 1), y.flatten(0, 1))):
        raise Diagnosis(
            "Some frames have another clip's content. `repeat` gives w_1, w_2, w_1, w_2, ...; the flattened states come "
            "as clip 1, clip 1, ..., clip 2, so w must too: `repeat_interleave`, or `expand` before `flatten`."
        )
    if close(x, frames(y, each)):
        raise Diagnosis("The decoder was trained on w first, then y: torch.cat([w, y], dim=-1).")
    if close(x, frames(w.roll(1, 0)[:, None].expand(-1, 3, -1), y)):
        raise Diagnosis("Each clip has the other clip's content.")
    if close(x, frames(each, y[:, :1].expand(-1, 3, -1))):
        raise Diagnosis("Every frame has the first state. Each frame has its own.")
    if close(x, frames(each.transpose(0, 1).reshape(2, 3, 4), y.transpose(0, 1).reshape(2, 3, 5))):
        raise Diagnosis("The frames are right but in the wrong places: unflatten in the order in which you flattened.")
    raise Diagnosis("Frame t of clip b should be decoded from w[b] beside y[b, t]; at least one is not.")


@exercise("Right: the past through the posterior, the future through the prior, w from the last frames given.")
def prediction(answer: Callable) -> None:
    """`predict(model, x (B, T, C, H, W), n_frames, generator)`: the next frames, (B, n_frames, C, H, W)."""
    model, x, n = small_model(), torch.rand(2, 8, 1, 16, 16, generator=torch.Generator().manual_seed(1)), 4
    k, steps = model.config.nt_inf, model.config.steps_per_frame

    def noise():
        return torch.Generator().manual_seed(3)

    def variant(content=slice(-k, None), first=slice(None, k), posterior=True, every=steps - 1, shift=0):
        h, _ = model.encode(x)
        w, y_1 = model.content(h[:, content]), model.inference.q_y(h[:, first]).mean
        if posterior:
            y, _ = model.dynamics.rollout(y_1, model.inference.q_z(h).mean, steps)
        else:
            y = torch.cat([y_1[:, None], model.dynamics.generate(y_1, 7, steps, noise())[0][:, steps - 1 :: steps]], 1)
        new, _ = model.dynamics.generate(y[:, -1], n, steps, noise())
        y = torch.cat([y, new[:, every::steps]], 1)[:, 8 + shift : 8 + shift + n]
        return model.decode(w, y)

    with torch.no_grad():
        frames = as_tensor(answer(model, x, n, noise()), "The prediction")
        if frames.ndim == 6:
            raise Diagnosis("One future is asked for: (B, n_frames, C, H, W), without a dimension for samples.")
        if frames.ndim == 5 and frames.shape[1] == 8 + n:
            raise Diagnosis("You return the given frames too. Only the new ones are asked for.")
        if frames.ndim == 5 and frames.shape[1] == n * steps:
            raise Diagnosis(
                f"You return every Euler step. This model takes {steps} steps per frame: keep the last one of each frame."
            )
        same_shape(frames, (2, n, 1, 16, 16), "The prediction", "(B, n_frames, C, H, W)")
        if not close(frames, as_tensor(answer(model, x, n, torch.Generator().manual_seed(9)), "The prediction"), 1e-3):
            raise Diagnosis(
                "All Gaussians of the check's model are nearly certain, yet two runs differ: you read w from random frames. "
                "That is for training. In a prediction, w comes from the last k frames given."
            )
        known: list[tuple[dict[str, Any], str]] = [
            (dict(content=slice(None, k)), "Your w comes from the first k frames. Take the last k: they are fresher."),
            (
                dict(content=slice(None)),
                "Your w comes from all frames given. The sum was trained on k: take the last k.",
            ),
            (
                dict(first=slice(-k, None)),
                "Your y_1 comes from the last k frames. The first state belongs to the first frame: h[:, :k].",
            ),
            (
                dict(posterior=False),
                "You go through the given frames with z from the prior, as if they had not been seen. There z comes "
                "from q_z; the prior begins after them.",
            ),
            (dict(shift=-1), "Your first frame is the last one given, once more. The prediction begins after it."),
            (
                dict(posterior=False, shift=-7),
                "You predict from the first frame on. Roll y through the given frames and go on from its last state.",
            ),
            (dict(every=0), "You keep the first Euler step of each frame; the frame is at its last: [K - 1 :: K]."),
        ]
        for options, words in known:
            if close(frames, variant(**options), 1e-3):
                raise Diagnosis(words)
        if not close(frames, variant(), 1e-3):
            raise Diagnosis(
                "The frames differ from the model's. In order: encode; w from the last k encodings; y_1 from the first k; "
                "z from q_z for the given frames; rollout; generate from the last state; decode."
            )


def small_model() -> SRVP:
    """A small random model whose Gaussians have almost no spread, so that the order of the draws does not matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = SRVPConfig(
            nx=16,
            nf=4,
            nhx=8,
            ny=4,
            nz=3,
            nt_inf=3,
            nh_inf=12,
            nh_res=16,
            nlayers_inf=2,
            nlayers_res=2,
            steps_per_frame=2,
        )
        model = SRVP(config).eval()
        for p in model.parameters():
            if p.ndim == 4:  # the paper's small weights would hide every difference in an untrained network
                nn.init.kaiming_normal_(p)
    for layer in (model.inference.first_state[-1], model.inference.to_z, model.dynamics.prior[-1]):
        assert isinstance(layer, nn.Linear)
        n = layer.out_features // 2
        with torch.no_grad():
            layer.weight[:n] *= 3
            layer.weight[n:], layer.bias[n:] = 0, -60
    return model
