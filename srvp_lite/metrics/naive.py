"""Predictions that need no model: what any model must beat."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def copy_last(x_cond: Float[Tensor, "b t c h w"], n_frames: int) -> Float[Tensor, "b n c h w"]:
    """The last conditioning frame, repeated n_frames times."""
    return x_cond[:, -1:].expand(-1, n_frames, -1, -1, -1)


def mean_frame(x_cond: Float[Tensor, "b t c h w"], n_frames: int) -> Float[Tensor, "b n c h w"]:
    """The average of the conditioning frames, repeated n_frames times."""
    return x_cond.mean(dim=1, keepdim=True).expand(-1, n_frames, -1, -1, -1)
