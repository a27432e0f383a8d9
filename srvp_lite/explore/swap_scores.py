"""Did a swap work? Measured twice, with controls: against what a perfect swap would show, and by reading the digits.

Moving digits are drawn from sprites and paths, so the clip that a swap should give can be drawn as well. Real videos
have no such truth; there one can only look.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from srvp_lite import metrics
from srvp_lite.data.moving_mnist import Clips, MovingMNIST, draw
from srvp_lite.explore.latents import centre
from srvp_lite.explore.swap import content_of, decode, motion_of
from srvp_lite.metrics.intervals import mean_and_interval
from srvp_lite.model.srvp import SRVP


@runtime_checkable
class DigitReader(Protocol):
    """A fitted classifier of digits, as scikit-learn makes them."""

    n_features_in_: int
    """Pixels of a digit."""

    def predict(self, X: Any) -> Any:
        """Rows of pixels, (n, n_features_in_), to digits, (n,); NumPy arrays."""
        ...


def counterfactual(
    data: MovingMNIST, content: Int[Tensor, "b n"], motion: Int[Tensor, "b n t 2"]
) -> Float[Tensor, "orders b t 1 h w"]:
    """What perfect swaps would show: the sprites of one set of clips on the paths of another.

    `content` are numbers of sprites of `data`, `motion` rows and columns, both as `MovingMNIST.motions` gives them.
    Which digit goes on which path is for the model to choose, so all orders are drawn: for two digits (2, B, T, 1, H,
    W), the given order first. Floats in [0, 1].
    """
    if motion.ndim != 4 or content.shape != motion.shape[:2]:
        raise ValueError(
            f"content is (B, n) and motion (B, n, T, 2), with as many digits each, got {tuple(content.shape)} and "
            f"{tuple(motion.shape)}"
        )
    if not (content.amin() >= 0 and content.amax() < len(data.sprites)):
        raise ValueError(
            f"content numbers the {len(data.sprites)} sprites of this data set from 0, got {content.amin()} to "
            f"{content.amax()}; labels are something else, the numbers come from MovingMNIST.motions"
        )
    orders = [list(order) for order in itertools.permutations(range(content.shape[1]))]
    frames = torch.stack([draw(data.sprites[content[:, order]], motion, data.frame_size) for order in orders])
    return frames[:, :, :, None].float() / 255


def best_order(
    frames: Float[Tensor, "b t c h w"], candidates: Float[Tensor, "orders b t c h w"]
) -> Float[Tensor, " b"]:
    """Mean PSNR of each clip against whichever of the candidates fits it best, in dB."""
    return metrics.psnr(frames.expand_as(candidates), candidates).mean(dim=-1).amax(dim=0)


def digit_classifier(data: MovingMNIST, n: int = 5000) -> DigitReader:
    """A support vector classifier of single digits, trained on the first `n` sprites of `data`: the training split's,
    where it is to read held-out clips."""
    from sklearn.svm import SVC

    return SVC().fit(data.images[:n].flatten(1).cpu().numpy(), data.labels[:n].cpu().numpy())


def apart(positions: Int[Tensor, "b n t 2"], size: int) -> Bool[Tensor, "b n t"]:
    """Whether the square of `size` pixels of each digit meets no other one."""
    distance = (positions[:, :, None] - positions[:, None]).abs().amax(dim=-1)  # (B, n, n, T)
    itself = torch.eye(positions.shape[1], dtype=torch.bool, device=positions.device)
    return ((distance >= size) | itself[:, :, None]).all(dim=2)


def read_digits(
    frames: Float[Tensor, "b t 1 h w"], positions: Int[Tensor, "b n t 2"], classifier: DigitReader
) -> Int[Tensor, "b n t"]:
    """Which digit a classifier sees at each of the given places, 0..9; -1 where two digits overlap, as nobody could.

    `positions` are upper left corners; the square has as many pixels as the classifier was trained on.
    """
    size, n_frames = math.isqrt(classifier.n_features_in_), frames.shape[1]
    if positions.ndim != 4 or positions.shape[0] != frames.shape[0] or positions.shape[2] != n_frames:
        raise ValueError(
            f"positions must be (B, n, T, 2) with B = {frames.shape[0]} and T = {n_frames}, got "
            f"{tuple(positions.shape)}"
        )
    squares = frames[:, :, 0].unfold(2, size, 1).unfold(3, size, 1)  # (B, T, H - size + 1, W - size + 1, size, size)
    b = torch.arange(len(frames), device=frames.device)[:, None, None]
    t = torch.arange(n_frames, device=frames.device)
    free = apart(positions, size)
    seen = torch.full(free.shape, -1, device=frames.device)
    if free.any():
        crops = squares[b, t, positions[..., 0], positions[..., 1]][free].flatten(1)
        seen[free] = torch.as_tensor(classifier.predict(crops.cpu().numpy())).to(seen)
    return seen


def share_seen(seen: Int[Tensor, "b n t"], labels: Int[Tensor, "b m"]) -> Float[Tensor, " b"]:
    """Of the places that could be read, the share at which one of the clip's `labels` was seen; NaN without any."""
    hit = (seen[:, :, :, None] == labels[:, None, None]).any(dim=-1)
    return hit.sum(dim=(1, 2)) / (seen >= 0).sum(dim=(1, 2))


def draw_pairs(
    data: MovingMNIST, n_pairs: int, n_frames: int, generator: torch.Generator | None = None
) -> tuple[tuple[Clips, Tensor], tuple[Clips, Tensor]]:
    """Pairs of clips (content, motion) with no digit in common, each with the numbers of its sprites.

    They come from the seed that `generator` started from, 0 without one.
    """
    seed = 0 if generator is None else generator.initial_seed()
    n, device = 3 * n_pairs + 20, data.sprites.device

    def clips_and_sprites(seed: int) -> tuple[Clips, Tensor]:
        one, same = (torch.Generator(device).manual_seed(seed) for _ in range(2))  # which draw the same motions
        return data.sample_with_truth(n, n_frames, one), data.motions(n, n_frames, same)[0]

    def only(c: Clips, which: Tensor) -> tuple[Clips, Tensor]:
        return Clips(c.frames[kept], c.positions[kept], c.velocities[kept], c.labels[kept]), which[kept]

    content, motion = clips_and_sprites(2 * seed), clips_and_sprites(2 * seed + 1)
    different = ~(content[0].labels[:, :, None] == motion[0].labels[:, None]).flatten(1).any(dim=1)
    kept = different.nonzero()[:n_pairs, 0]
    if len(kept) < n_pairs:
        raise ValueError(f"of {n} pairs of clips only {len(kept)} have no digit in common; ask for fewer pairs")
    return only(*content), only(*motion)


def swap_score(
    model: SRVP,
    data: MovingMNIST,
    classifier: DigitReader,
    n_pairs: int = 200,
    n_frames: int = 15,
    generator: torch.Generator | None = None,
) -> dict[str, dict[str, dict[str, float]]]:
    """How well swaps work, over pairs of clips of `data` that have no digit in common.

    For four kinds of clips, all on the motion clip's paths, `swap` and the controls `no swap` (the motion clip's own
    w, the same y), `true frames` (the motion clip itself) and `perfect swap` (drawn): PSNR in dB against a perfect
    swap, the better of its two orders (`psnr perfect`), against the motion clip and the content clip; the share of
    readable places at which `classifier` sees a digit of the content clip and of the motion clip; and the distance in
    pixels of the centre of brightness from either clip's, over all frames. Each with the half width of its 95 %
    interval over pairs. A swap that works is near `perfect` where `no swap` is near `motion`. Clips and noise come
    from the seed that `generator` started from, 0 without one.
    """
    (content, which), (motion, _) = draw_pairs(data, n_pairs, n_frames, generator)
    seed = 0 if generator is None else generator.initial_seed()
    y = motion_of(model, motion.frames, generator=torch.Generator(motion.frames.device).manual_seed(seed))
    perfect = counterfactual(data, which, motion.positions)
    versions = {}
    for name, clips in {"swap": content, "no swap": motion}.items():
        w, skips = content_of(model, clips.frames)
        versions[name] = decode(model, w, y, skips)
    versions |= {"true frames": motion.frames, "perfect swap": perfect[0]}
    scores = {}
    for name, frames in versions.items():
        seen = read_digits(frames, motion.positions, classifier)
        numbers = {"psnr perfect": best_order(frames, perfect)}
        for of, clips in {"content": content, "motion": motion}.items():
            numbers[f"psnr {of}"] = metrics.psnr(frames, clips.frames).mean(dim=1)
            numbers[f"digits {of}"] = share_seen(seen, clips.labels)
            numbers[f"pixels {of}"] = (centre(frames) - centre(clips.frames)).norm(dim=-1).mean(dim=1)
        scores[name] = {key: mean_and_interval(v[v.isfinite()]) for key, v in numbers.items()}
    return scores
