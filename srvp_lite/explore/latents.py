"""Walks through the latent space: between two clips, along one coordinate of y, and along its main directions.

Whether a coordinate of y means anything is seen by moving it and looking at the frames (paper, section 4, shows
straight lines between the motions of two clips).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from srvp_lite.explore.swap import content_of, decode, motion_of
from srvp_lite.model.srvp import SRVP
from srvp_lite.utils.device import precise_dtype


def interpolate(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"], n: int) -> Float[Tensor, " n *shape"]:
    """n points on the straight line from a to b, both of them included, equally spaced."""
    if a.shape != b.shape:
        raise ValueError(f"a line needs two ends of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    if n < 2:
        raise ValueError(f"n counts both ends, so it must be at least 2, got {n}")
    along = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)
    return torch.lerp(a, b, along.view(-1, *[1] * a.ndim))


def interpolate_content(
    model: SRVP,
    clip_a: Float[Tensor, "b t c h w"],
    clip_b: Float[Tensor, "b t_b c h w"],
    n: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n b t c h w"]:
    """From the looks of a to the looks of b, on the motion of a: w (and the skip features) move, y stays.

    The first of the n is the reconstruction of a, the last `swap_content(model, clip_b, clip_a)`, if generators agree.
    """
    same_number(clip_a, clip_b)
    y = motion_of(model, clip_a, generator=generator)
    (w_a, skips_a), (w_b, skips_b) = content_of(model, clip_a), content_of(model, clip_b)
    w = interpolate(w_a, w_b, n)
    skips = None if skips_a is None or skips_b is None else [interpolate(a, b, n) for a, b in zip(skips_a, skips_b)]
    return torch.stack([decode(model, w[i], y, skips and [s[i] for s in skips]) for i in range(n)])


def interpolate_motion(
    model: SRVP,
    clip_a: Float[Tensor, "b t c h w"],
    clip_b: Float[Tensor, "b t c h w"],
    n: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n b t c h w"]:
    """From the motion of a to the motion of b, with the looks of a: whole trajectories of y move, w stays.

    The states are those behind the reconstruction of both together, `torch.cat([clip_a, clip_b])`.
    """
    same_number(clip_a, clip_b)
    if clip_a.shape[1] != clip_b.shape[1]:
        raise ValueError(
            f"trajectories are interpolated frame by frame, so clips must be of one length, got {clip_a.shape[1]} and "
            f"{clip_b.shape[1]} frames"
        )
    y_a, y_b = motion_of(model, torch.cat([clip_a, clip_b]), generator=generator).chunk(2)
    w, skips = content_of(model, clip_a)
    return torch.stack([decode(model, w, y, skips) for y in interpolate(y_a, y_b, n)])


def same_number(a: Tensor, b: Tensor) -> None:
    if len(a) != len(b):
        raise ValueError(f"clips are interpolated pair by pair, so there must be as many of both: {len(a)}, {len(b)}")


def walk(
    model: SRVP,
    x: Float[Tensor, "b t c h w"],
    dimension: int,
    values: Sequence[float] | Float[Tensor, " n"],
    t: int = -1,
    reference: Float[Tensor, "*batch ny"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n b c h w"]:
    """Frame `t` of each clip with one coordinate of its state set to each of the values, all else kept.

    `values` are standard deviations from the mean of that coordinate over `reference`, states of any leading shape
    (by default those of the clips themselves, all frames), so 0 is its mean and -2 to 2 covers what is usual.
    """
    y = motion_of(model, x, generator=generator)
    check_index("dimension", dimension, 0, y.shape[2])
    check_index("t", t, -y.shape[1], y.shape[1])
    w, skips = content_of(model, x)
    usual = (y if reference is None else reference)[..., dimension]
    frames = []
    for value in values:
        moved = y[:, t].clone()
        moved[:, dimension] = usual.mean() + float(value) * usual.std(correction=0)
        frames.append(decode(model, w, moved[:, None], skips)[:, 0])
    return torch.stack(frames)


def effects(
    model: SRVP, x: Float[Tensor, "b t c h w"], step: float = 1.0, generator: torch.Generator | None = None
) -> dict[str, Float[Tensor, " ny"]]:
    """What each coordinate of y does to the frames, for a shift by `step` of its standard deviations over all states.

    `std`: that standard deviation; `rms`: root mean square change of a pixel, of all frames of the clips; `rows`,
    `columns`: how far the centre of brightness moves down and to the right, in pixels, on average with its sign;
    `distance`: the mean length of that move, which does not cancel where the direction depends on the state. A
    coordinate that the decoder does not use shows as zeros.
    """
    y = motion_of(model, x, generator=generator)
    w, skips = content_of(model, x)
    before, std = decode(model, w, y, skips), y.std(dim=(0, 1), correction=0)
    rms, moves, distance = [], [], []
    for i, s in enumerate(std):
        moved = y.clone()
        moved[..., i] += step * s
        after = decode(model, w, moved, skips)
        move = centre(after) - centre(before)
        rms.append((after - before).square().mean().sqrt())
        moves.append(move.mean(dim=(0, 1)))
        distance.append(move.norm(dim=-1).mean())
    rows, columns = torch.stack(moves).unbind(dim=1)
    return {"std": std, "rms": torch.stack(rms), "rows": rows, "columns": columns, "distance": torch.stack(distance)}


def pca(
    v: Float[Tensor, "*batch d"], n: int = 2
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "*batch n"], Float[Tensor, " n"]]:
    """The n directions along which v varies most: principal components, projections on them, shares of variance.

    All leading dimensions of `v` are samples. Components are orthonormal rows, strongest first, each with the sign
    that makes its largest entry positive; projections are those of v minus its mean. All as precise as the device
    allows. Raises ValueError for more components than v has dimensions or samples.
    """
    rows = v.flatten(0, -2).to(precise_dtype(v.device))
    if not 1 <= n <= min(rows.shape):
        raise ValueError(f"of {rows.shape[0]} samples of {rows.shape[1]} numbers, n={n} components cannot be found")
    rows = rows - rows.mean(dim=0)
    _, lengths, directions = torch.linalg.svd(rows, full_matrices=False)
    components = directions[:n]
    largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
    components = components * largest.sign()
    shares = lengths.square() / lengths.square().sum()
    return components, (rows @ components.T).unflatten(0, v.shape[:-1]), shares[:n]


def check_index(name: str, index: int, low: int, above: int) -> None:
    if not low <= index < above:
        raise ValueError(f"{name} must be from {low} to {above - 1} here, got {index}")


def centre(frames: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b 2"]:
    """The centre of brightness of each frame: its row and column, in pixels, each pixel weighted by its value.

    Frames (..., C, H, W), not negative; the channels are averaged. A black frame has no centre: NaN.
    """
    if frames.ndim < 3:
        raise ValueError(f"expected frames (..., C, H, W), got {tuple(frames.shape)}")
    grey = frames.mean(dim=-3)
    rows, columns = (torch.arange(n, dtype=grey.dtype, device=grey.device) for n in grey.shape[-2:])
    total = grey.sum(dim=(-2, -1))
    return torch.stack([grey.sum(dim=-1) @ rows, grey.sum(dim=-2) @ columns], dim=-1) / total[..., None]
