"""One clip's content on another clip's motion: w from here, y from there (paper, sections 3.2 and 4).

The model says x_t = g(y_t, w). If the split is real, the two halves can be recombined.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from srvp_lite.model.clips import evaluation_mode
from srvp_lite.model.srvp import SRVP


@torch.no_grad()
def content_of(model: SRVP, x: Float[Tensor, "b t c h w"]) -> tuple[Float[Tensor, "b nw"], list[Tensor] | None]:
    """What does not move: w of the last nt_inf frames and, for a model with skips, the last frame's features."""
    with evaluation_mode(model):
        h, skips = model.encode(x)
        return model.content(model.content_encodings(h)), skips


@torch.no_grad()
def motion_of(
    model: SRVP,
    x: Float[Tensor, "b t c h w"],
    n_frames: int = 0,
    n_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "sb t_all ny"]:
    """What moves: the states of the clips from the posterior, then those of `n_frames` more from the prior.

    Returns (n_samples * B, T + n_frames, ny), samples outermost. One generator gives here the states behind
    `SRVP.reconstruct`, or those behind `SRVP.predict` for n_frames > 0.
    """
    if n_frames < 0 or n_samples < 1:
        raise ValueError(
            f"n_frames must be at least 0 and n_samples at least 1, got n_frames={n_frames}, n_samples={n_samples}"
        )
    steps = model.config.steps_per_frame
    with evaluation_mode(model):
        if not n_frames:
            return model.infer(x, n_samples, generator).y
        given = model.infer(x, n_samples, generator, draw="y_1 first").y
        future, _ = model.dynamics.generate(given[:, -1], n_frames, steps, generator)
        return torch.cat([given, future[:, steps - 1 :: steps]], dim=1)


@torch.no_grad()
def decode(
    model: SRVP, w: Float[Tensor, "b nw"], y: Float[Tensor, "b t ny"], skips: list[Tensor] | None = None
) -> Float[Tensor, "b t c h w"]:
    """`SRVP.decode_in_parts` in evaluation mode, without gradients."""
    with evaluation_mode(model):
        return model.decode_in_parts(w, y, skips)


def swap_content(
    model: SRVP,
    content_from: Float[Tensor, "b t_content c h w"],
    motion_from: Float[Tensor, "b t_motion c h w"],
    n_frames: int = 0,
    n_samples: int | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*s b t_all c h w"]:
    """Clips with the looks of `content_from` and the motion of `motion_from`, pair by pair.

    w, and the skip features of a model that has them, are read from the last frames of `content_from`; y from
    `motion_from`, whole clips through the posterior. With `n_frames`, so many are predicted after those. The two may
    differ in length, not in number: to combine all with all there is `swap_grid`.

    Returns (B, T + n_frames, C, H, W) in (0, 1), T being the length of `motion_from`; with `n_samples` as many draws
    of the motion, (n_samples, B, T + n_frames, C, H, W). A clip swapped with itself is `SRVP.reconstruct` of it, and
    its predicted part `SRVP.predict`, if the generators agree.
    """
    if len(content_from) != len(motion_from):
        raise ValueError(
            f"clips are swapped pair by pair, so there must be as many of both, got {len(content_from)} contents and "
            f"{len(motion_from)} motions; swap_grid combines all with all"
        )
    n = 1 if n_samples is None else n_samples
    y = motion_of(model, motion_from, n_frames, n, generator)
    w, skips = content_of(model, content_from)
    skips = None if skips is None else [s.repeat(n, 1, 1, 1) for s in skips]
    frames = decode(model, w.repeat(n, 1), y, skips)
    return frames if n_samples is None else frames.unflatten(0, (n, -1))


def swap_grid(
    model: SRVP,
    contents: Float[Tensor, "n_contents t_content c h w"],
    motions: Float[Tensor, "n_motions t_motion c h w"],
    n_frames: int = 0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n_motions n_contents t_all c h w"]:
    """Every content on every motion: a row moves as one, a column looks as one. Arguments as in `swap_content`.

    Each motion is drawn once, so the clips of a row share their y exactly.
    """
    y = motion_of(model, motions, n_frames, 1, generator).repeat_interleave(len(contents), dim=0)
    w, skips = content_of(model, contents)
    skips = None if skips is None else [s.repeat(len(motions), 1, 1, 1) for s in skips]
    return decode(model, w.repeat(len(motions), 1), y, skips).unflatten(0, (len(motions), len(contents)))
