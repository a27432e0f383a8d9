"""The content variable w: what does not move.

Built in chapter 6. Each encoding goes through the same layer, the results are summed, and a second layer reads the
sum: the order of the frames cannot matter, so w has no way to encode motion.

Paper, section 3.2; in the book's notation the w of equation (4), observation.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Content(nn.Module):
    """w = tanh(W2 sum_i relu(W1 h_i)): encodings (B, k, nhx) in any order -> w (B, nw) in (-1, 1)."""

    def __init__(self, nhx: int, nw: int):
        super().__init__()
        self.each_frame = nn.Sequential(nn.Linear(nhx, nw), nn.ReLU())
        self.together = nn.Sequential(nn.Linear(nw, nw), nn.Tanh())

    def forward(self, h: Float[Tensor, "b k nhx"]) -> Float[Tensor, "b nw"]:
        return self.together(self.each_frame(h).sum(dim=1))


def random_frames(
    n_clips: int,
    n_frames: int,
    k: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Int[Tensor, "b k"]:
    """For each clip, k of its n_frames frame indices, drawn without replacement: shape (n_clips, k)."""
    return torch.rand(n_clips, n_frames, generator=generator, device=device).argsort(dim=1)[:, :k]
