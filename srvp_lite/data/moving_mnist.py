"""Moving MNIST: digits drift over a small canvas and bounce off its walls, made as they are needed.

Built in chapter 1. Motion is exact inside a frame interval: a digit that meets a wall does so at its true instant,
and spends the rest of the interval with its new velocity. In the deterministic version the wall reflects it; in the
stochastic one it draws a new velocity, which is the only randomness of the data after the first frame (paper,
section 4.1 and appendix).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from srvp_lite.data.digits import bent, load_digits, read_mnist
from srvp_lite.data.scenes import Scene, add_noise, draw_scene, paint
from srvp_lite.utils.device import precise_dtype

EPSILON = 1e-8  # a wall touched to within this is not crossed


def bounce(
    position: Int[Tensor, "n 2"],
    velocity: Int[Tensor, "n 2"],
    n_frames: int,
    limit: int,
    stochastic: bool = False,
    max_speed: int = 4,
    generator: torch.Generator | None = None,
) -> tuple[Int[Tensor, "n t 2"], Int[Tensor, "n t 2"]]:
    """Moves N points between walls at 0 and `limit`, along rows and columns.

    `position` and `velocity` (N, 2) hold row and column, in pixels and pixels per frame; positions lie in
    [0, limit]. At a wall the velocity across it is reflected or, if `stochastic`, both components are drawn anew from
    the whole numbers in [-max_speed, max_speed] and the one across the wall is turned away from it. Several hits may
    fall inside one interval.

    Returns positions (N, n_frames, 2), rounded to whole pixels, the first one the given, and the velocities
    (N, n_frames, 2) with which each frame is reached. Raises ValueError for points outside the walls.
    """
    if n_frames < 1:
        raise ValueError(f"n_frames must be at least 1, got {n_frames}")
    if limit < 1:
        raise ValueError(f"the walls stand at 0 and limit, so limit must be at least 1 pixel, got {limit}")
    if position.ndim != 2 or position.shape[1] != 2 or position.shape != velocity.shape:
        raise ValueError(
            f"positions and velocities must both be (N, 2), got {tuple(position.shape)} and {tuple(velocity.shape)}"
        )
    if len(position) and not (position.amin() >= 0 and position.amax() <= limit):
        raise ValueError(
            f"positions must lie between the walls, in [0, {limit}], got {position.amin()} to {position.amax()}"
        )
    # Instants of hits are fractions: float64 keeps a long run of reflections on its whole pixels.
    precise = precise_dtype(position.device)
    p, v = position.to(precise), velocity.to(precise)
    frames = torch.arange(n_frames, device=p.device, dtype=precise)
    positions, velocities = p[:, None] + v[:, None] * frames[:, None], v[:, None].repeat(1, n_frames, 1)
    # Every point goes on to its next wall at once, and those that meet none before the last frame are done with: as
    # many rounds as the busiest point has hits. Each point moves on a straight line since time t, from p, by v.
    moving = torch.arange(len(p), device=p.device)
    t = torch.zeros_like(p[:, :1])
    while True:
        wall = (v > 0) * limit
        until = ((wall - p) / v).where(v != 0, torch.inf)  # how long until each coordinate meets its wall
        first = until.amin(dim=1, keepdim=True)
        at = until <= first + EPSILON  # the coordinates that meet it: both, in a corner
        t, p = t + first, torch.where(at, wall, p + v * first)
        hits = (t[:, 0] < n_frames - 1 - EPSILON).nonzero()[:, 0]
        if not len(hits):
            return positions.round().long(), velocities.long()
        moving, t, p, v, at = moving[hits], t[hits], p[hits], v[hits], at[hits]
        if stochastic:
            new = torch.randint(-max_speed, max_speed + 1, v.shape, generator=generator, device=v.device, dtype=precise)
            v = torch.where(at, torch.copysign(new, -v), new)
        else:
            v = torch.where(at, -v, v)
        later = (frames > t + EPSILON)[:, :, None]
        positions[moving] = torch.where(later, p[:, None] + v[:, None] * (frames - t)[:, :, None], positions[moving])
        velocities[moving] = torch.where(later, v[:, None], velocities[moving])


def draw(
    sprites: Shaped[Tensor, "b n d d"], positions: Int[Tensor, "b n t 2"], frame_size: int
) -> Shaped[Tensor, "b t frame_size frame_size"]:
    """Draws n sprites per clip at given rows and columns: summed where they overlap, cut at the brightest value.

    Floats in [0, 1] or bytes; the frames come in the sprites' own kind. Positions lie in [0, frame_size - d].
    """
    (n_clips, n, d), n_frames, size = sprites.shape[:3], positions.shape[2], frame_size**2
    # A frame is a row of frame_size^2 pixels, and there a digit `row` lower and `column` further right stands
    # row * frame_size + column further along. So draw it once in the upper left corner, put a margin of nothing in
    # front and move the window the other way: one copy of contiguous memory per digit and frame.
    margin = (frame_size - d) * (frame_size + 1)
    corner = F.pad(sprites, (0, frame_size - d)).flatten(2)
    tape = F.pad(corner, (margin, size - corner.shape[-1])).flatten()
    windows = tape.as_strided((len(tape) - size + 1, size), (1, 1))
    tapes = torch.arange(n_clips * n, device=positions.device).view(n_clips, n, 1) * (margin + size)
    starts = tapes + margin - positions[..., 0] * frame_size - positions[..., 1]
    starts = [starts[:, i].flatten() for i in range(n)]
    frames = tape.new_empty(n_clips * n_frames, size)
    # On a CPU, a few hundred frames at a time, which stay in its cache from one operation to the next.
    group = 256 if frames.device.type == "cpu" else len(frames)
    for some, first, *others in zip(frames.split(group), *(start.split(group) for start in starts)):
        torch.index_select(windows, 0, first, out=some)
        for other in others:
            one = windows.index_select(0, other)
            if some.dtype == torch.uint8:
                some += torch.minimum(one, 255 - some)  # bytes would start again at 0 past 255
            else:
                some.add_(one).clamp_(max=1)
    return frames.view(n_clips, n_frames, frame_size, frame_size)


@dataclass(frozen=True)
class Clips:
    """Clips and the truth behind them."""

    frames: Float[Tensor, "b t c h w"]
    """Frames, in [0, 1]."""
    positions: Int[Tensor, "b n t 2"]
    """Row and column of each digit's upper left corner."""
    velocities: Int[Tensor, "b n t 2"]
    """Velocity with which each digit reaches each frame, in pixels per frame."""
    labels: Int[Tensor, "b n"]
    """Which digit each one is."""
    scene: Scene | None = None
    """What stands still in the clips, where the data set has scenes; `scenes.paint` gives the frames without noise."""

    @property
    def bounces(self) -> Bool[Tensor, "b t"]:
        """Whether some digit met a wall on its way to a frame (always False for the first). In the stochastic version
        a digit may draw the velocity it had; such a hit leaves no trace and is not counted."""
        changed = (self.velocities.diff(dim=2) != 0).any(dim=-1).any(dim=1)
        return torch.nn.functional.pad(changed, (1, 0))


class MovingMNIST:
    """Endless clips of moving digits, made where they are used, from a seeded generator.

    `digits`: "sklearn" (bundled, no network) or "mnist" (IDX files, found as `data.digits.find_mnist` says);
    `split`: which digits, "train", "val" or "test"; `augment`: how many shapes of each training digit, itself and
    copies bent a little (see `data.digits.bent`); no other split has such copies; `scene`: in colour, on a textured
    ground, behind a pillar, with noise (`data.scenes`). The defaults are the book's lite size; the paper's is
    `MovingMNIST("mnist", digit_size=28, frame_size=64, max_speed=4)`.
    """

    def __init__(
        self,
        digits: str = "sklearn",
        split: str = "train",
        root: str | Path | None = None,
        digit_size: int = 12,
        frame_size: int = 32,
        n_digits: int = 2,
        max_speed: int = 2,
        stochastic: bool = True,
        augment: int = 1,
        scene: bool = False,
    ):
        if not 1 <= digit_size < frame_size:
            raise ValueError(
                f"digits of {digit_size} pixels do not move on frames of {frame_size}; they must be smaller"
            )
        if n_digits < 1:
            raise ValueError(f"n_digits must be at least 1, got {n_digits}")
        if max_speed < 0:
            raise ValueError(f"max_speed must not be negative, got {max_speed}")
        if augment < 1:
            raise ValueError(f"augment counts the shapes of a training digit, itself included, got {augment}")
        self.images, self.labels = load_digits(digits, split, root, digit_size)
        if split == "train" and augment > 1:
            self.images, self.labels = bent(self.images, augment), self.labels.repeat(augment)
        self.sprites = (self.images * 255).round().byte()  # drawn as bytes: a quarter of the memory to move
        self.frame_size, self.n_digits, self.max_speed, self.stochastic = frame_size, n_digits, max_speed, stochastic
        self.scene = scene

    def to(self, device: str | torch.device) -> MovingMNIST:
        """The same data set, making its clips on `device`."""
        for name in ("images", "sprites", "labels"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def sample(
        self, n_clips: int, n_frames: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """New clips (n_clips, n_frames, C, H, W), float in [0, 1]; `generator` lives on the data set's device."""
        return self.sample_bytes(n_clips, n_frames, generator).float().div_(255)

    def sample_bytes(
        self, n_clips: int, n_frames: int, generator: torch.Generator | None = None
    ) -> UInt8[Tensor, "b t c h w"]:
        """The clips `sample` makes, as bytes."""
        if self.scene:
            return (self.sample_with_truth(n_clips, n_frames, generator).frames * 255).round().byte()
        which, positions, _ = self.motions(n_clips, n_frames, generator)
        return draw(self.sprites[which], positions, self.frame_size)[:, :, None]

    def sample_with_truth(self, n_clips: int, n_frames: int, generator: torch.Generator | None = None) -> Clips:
        """The clips `sample` makes, with the positions, velocities and labels of their digits."""
        which, positions, velocities = self.motions(n_clips, n_frames, generator)
        truth = positions, velocities, self.labels[which]
        if self.scene:
            scene = draw_scene(n_clips, self.n_digits, self.frame_size, generator, positions.device)
            return Clips(add_noise(paint(scene, self.images[which], positions), generator), *truth, scene)
        frames = draw(self.sprites[which], positions, self.frame_size)[:, :, None]
        return Clips(frames.float().div_(255), *truth)

    def motions(
        self, n_clips: int, n_frames: int, generator: torch.Generator | None = None
    ) -> tuple[Int[Tensor, "b n"], Int[Tensor, "b n t 2"], Int[Tensor, "b n t 2"]]:
        """Which digits the clips show, and their positions and velocities at each frame."""
        device, limit = self.sprites.device, self.frame_size - self.sprites.shape[-1]

        def random_integers(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high + 1, shape, generator=generator, device=device)

        shape = (n_clips, self.n_digits)
        which = random_integers(0, len(self.sprites) - 1, *shape)
        position = random_integers(0, limit, n_clips * self.n_digits, 2)
        velocity = random_integers(-self.max_speed, self.max_speed, n_clips * self.n_digits, 2)
        positions, velocities = bounce(position, velocity, n_frames, limit, self.stochastic, self.max_speed, generator)
        return which, positions.unflatten(0, shape), velocities.unflatten(0, shape)


# The official test sets ----------------------------------------------------------------------------------------------


def official_test_set(mnist_dir: str | Path | None = None, deterministic: bool = False) -> np.ndarray:
    """The 5,000 test clips of the paper, byte for byte: uint8 (5000, T, 64, 64), T = 25 or, deterministic, 100.

    Two 28x28 digits a clip, each of the 10,000 MNIST test digits used once. `mnist_dir` is where `data.digits`
    looks for MNIST's files. The sets follow from NumPy's legacy generator with seed 42, whose stream passes from
    digit to digit, so the stochastic trajectories cannot be made side by side: they take a few seconds.
    """
    n_frames, size, digit, max_speed = (100 if deterministic else 25), 64, 28, 4
    images, _ = read_mnist("test", mnist_dir)
    rng = np.random.RandomState(42)
    order = rng.permutation(len(images))
    limit = size - digit
    positions = np.empty((len(order), n_frames, 2), np.int64)
    for i in range(len(order)):
        start = [int(rng.randint(0, limit + 1)) for _ in range(2)] + [
            int(rng.randint(-max_speed, max_speed + 1)) for _ in range(2)
        ]
        positions[i] = one_trajectory(start, n_frames, limit, None if deterministic else rng, max_speed)
    sprites = torch.from_numpy(images[order]).view(-1, 2, digit, digit)
    moves = torch.from_numpy(positions).view(-1, 2, n_frames, 2)
    groups = zip(sprites.split(250), moves.split(250))
    return np.concatenate([draw(s, m, size).numpy() for s, m in groups])


def one_trajectory(
    start: list[int], n_frames: int, limit: int, rng: np.random.RandomState | None, max_speed: int
) -> list[tuple[int, int]]:
    """Rounded positions of one digit, in plain numbers, for the official sets; `start` is row, column and their speeds.

    The same motion as `bounce`, with the draws at a hit in the official order (row speed, then column speed) and
    the official arithmetic (overshoot, then go back along the line to the wall), because a position that ends
    half-way between two pixels is rounded by its last bit.
    """
    *p, v_row, v_col = start
    v = [v_row, v_col]
    positions = []
    for _ in range(n_frames):
        while any(over := [c < -EPSILON or c > limit + EPSILON for c in p]):
            walls = [0 if c < 0 else limit for c in p]
            hit = list(p)
            if v[0] and v[1]:
                slope = v[1] / v[0]
                offset = p[1] - slope * p[0]
                crossings = [(walls[0], slope * walls[0] + offset), ((walls[1] - offset) / slope, walls[1])]
                for axis in (0, 1):  # of two walls overshot, the one met first is crossed between the other two
                    if over[axis] and not -EPSILON <= crossings[axis][1 - axis] <= limit + EPSILON:
                        over[axis] = False
                hit = list(crossings[1 if over[1] else 0])
            else:
                axis = 0 if v[0] else 1
                hit[axis] = walls[axis]
            axis = 0 if v[0] else 1
            left = (p[axis] - hit[axis]) / v[axis]
            away = [1 if c < 0 else -1 for c in p]
            if rng is not None:
                v = [int(rng.randint(-max_speed, max_speed + 1)) for _ in range(2)]
            v = [sign * abs(c) if o else c for c, o, sign in zip(v, over, away)]
            p = [h + c * left for h, c in zip(hit, v)]
        positions.append((round(p[0]), round(p[1])))
        p = [a + b for a, b in zip(p, v)]
    return positions
