"""Scenes: coloured digits over a still textured ground, passing behind a pillar, seen by a noisy camera.

Read in chapter 6. Moving MNIST has nothing that does not move, and nothing that is ever hidden. Here each clip has a
ground of its own, which only its content can hold, and digits disappear for some frames, so that one frame does not say
where they are. Everything behind a frame is known: the ground, the colours, the pillar, the frame without noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

GROUND = (0.1, 0.5)  # darkest and brightest value of the ground
PILLAR = 12 / 32  # width of the pillar, as a share of the frame
NOISE = 0.02  # standard deviation of the camera's noise
GRIDS = (4, 11)  # corners along a side of the two layers of noise that make its texture, coarse and fine


@dataclass(frozen=True)
class Scene:
    """What stands still in each clip."""

    ground: Float[Tensor, "b 3 h w"]
    """The textured ground, in [0.1, 0.5]."""
    colours: Float[Tensor, "b n 3"]
    """Colour of each digit: one channel is 1, one is 0.3, one in between, in any order."""
    pillar: Int[Tensor, "b 2"]
    """First column of the pillar, and the first one right of it."""
    pillar_colour: Float[Tensor, "b 3"]
    """Colour of the pillar, dark."""


def draw_scene(
    n_clips: int,
    n_digits: int,
    frame_size: int,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Scene:
    """A scene for each clip. The pillar stands somewhere in the middle half of the frame, from top to bottom."""
    pillar_width = round(PILLAR * frame_size)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    coarse, fine = (
        F.interpolate(uniform(n_clips, 3, grid, grid), (frame_size, frame_size), mode="bicubic", align_corners=True)
        for grid in GRIDS
    )
    ground = coarse + fine
    low, high = (f(ground, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    ground = GROUND[0] + (GROUND[1] - GROUND[0]) * (ground - low) / (high - low)
    bright, middle = uniform(n_clips, n_digits, 3).argsort(dim=-1), uniform(n_clips, n_digits, 1)
    levels = torch.cat([torch.ones_like(middle), 0.3 + 0.7 * middle, torch.full_like(middle, 0.3)], dim=-1)
    colours = levels.gather(-1, bright)
    room = frame_size // 2 - pillar_width + 1
    left = frame_size // 4 + (uniform(n_clips) * room).long()
    return Scene(ground, colours, torch.stack([left, left + pillar_width], dim=1), 0.25 * uniform(n_clips, 3))


def paint(
    scene: Scene, sprites: Float[Tensor, "b n d d"], positions: Int[Tensor, "b n t 2"]
) -> Float[Tensor, "b t 3 h w"]:
    """Frames of a scene, without noise: the digits one over the other on the ground, the pillar over all, in [0, 1].

    A sprite's value is how much it covers. `positions` are rows and columns of the sprites' upper left corners.
    """
    n_clips, n_digits, d = sprites.shape[:3]
    n_frames, size = positions.shape[2], scene.ground.shape[-1]
    frames = scene.ground[:, None].repeat(1, n_frames, 1, 1, 1)
    inside = torch.arange(d, device=sprites.device)
    clip = torch.arange(n_clips, device=sprites.device)[:, None, None, None]
    time = torch.arange(n_frames, device=sprites.device)[None, :, None, None]
    for i in range(n_digits):
        rows = positions[:, i, :, 0, None, None] + inside[:, None]
        columns = positions[:, i, :, 1, None, None] + inside
        cover = sprites[:, i, None].expand(-1, n_frames, -1, -1)[..., None]
        under = frames[clip, time, :, rows, columns]  # (b, t, d, d, 3)
        frames[clip, time, :, rows, columns] = under + cover * (scene.colours[:, i, None, None, None] - under)
    column = torch.arange(size, device=sprites.device)
    behind = (column >= scene.pillar[:, :1]) & (column < scene.pillar[:, 1:])
    return torch.where(behind[:, None, None, None], scene.pillar_colour[:, None, :, None, None], frames)


def add_noise(
    frames: Float[Tensor, "b t 3 h w"], generator: torch.Generator | None = None
) -> Float[Tensor, "b t 3 h w"]:
    """What the camera makes of the frames: each value a little off, never outside [0, 1]."""
    noise = torch.randn(frames.shape, generator=generator, device=frames.device)
    return (frames + NOISE * noise).clamp(0, 1)


def visible_share(scene: Scene, positions: Int[Tensor, "b n t 2"], digit_size: int) -> Float[Tensor, "b n t"]:
    """How much of each digit's square is not behind the pillar, from 0 to 1."""
    column = positions[..., 1]
    left, right = scene.pillar[:, 0, None, None], scene.pillar[:, 1, None, None]
    hidden = (torch.minimum(column + digit_size, right) - torch.maximum(column, left)).clamp(min=0)
    return 1 - hidden / digit_size
