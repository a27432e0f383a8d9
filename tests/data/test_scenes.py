"""Scenes against pixels painted one by one, and what must not change when something else does."""

import pytest
import torch
from small import generator

from srvp_lite.data.moving_mnist import MovingMNIST
from srvp_lite.data.scenes import GROUND, NOISE, PILLAR, add_noise, draw_scene, paint, visible_share


def painted_by_hand(scene, sprites, positions):
    n_clips, n_digits, d = sprites.shape[:3]
    n_frames, size = positions.shape[2], scene.ground.shape[-1]
    frames = torch.zeros(n_clips, n_frames, 3, size, size)
    for b in range(n_clips):
        left, right = scene.pillar[b].tolist()
        for t in range(n_frames):
            for row in range(size):
                for column in range(size):
                    value = scene.ground[b, :, row, column]
                    for i in range(n_digits):
                        r, c = (positions[b, i, t] * -1 + torch.tensor([row, column])).tolist()
                        if 0 <= r < d and 0 <= c < d:
                            cover = sprites[b, i, r, c]
                            value = cover * scene.colours[b, i] + (1 - cover) * value
                    frames[b, t, :, row, column] = scene.pillar_colour[b] if left <= column < right else value
    return frames


def test_every_pixel_is_ground_digit_or_pillar():
    g = generator(3)
    scene = draw_scene(3, 2, 16, g)
    sprites, positions = torch.rand(3, 2, 5, 5, generator=g), torch.randint(0, 12, (3, 2, 2, 2), generator=g)
    torch.testing.assert_close(paint(scene, sprites, positions), painted_by_hand(scene, sprites, positions))


def test_what_a_scene_is_made_of():
    scene = draw_scene(200, 3, 32, generator(1))
    assert scene.ground.amin(dim=(1, 2, 3)).allclose(torch.tensor(GROUND[0]), atol=1e-6)
    assert scene.ground.amax(dim=(1, 2, 3)).allclose(torch.tensor(GROUND[1]), atol=1e-6)
    assert ((scene.colours == 1).sum(-1) >= 1).all() and scene.colours.amin(-1).allclose(torch.tensor(0.3))
    width = scene.pillar[:, 1] - scene.pillar[:, 0]
    assert (width == round(PILLAR * 32)).all() and scene.pillar.min() == 8 and scene.pillar.max() == 24
    assert not torch.equal(scene.ground[0], scene.ground[1])


@pytest.mark.parametrize("stochastic", [False, True])
def test_clips_are_the_painted_scene_with_the_cameras_noise(stochastic):
    data = MovingMNIST(scene=True, stochastic=stochastic)
    clips = data.sample_with_truth(40, 12, generator(0))
    assert clips.frames.shape == (40, 12, 3, 32, 32)
    left, right = clips.scene.pillar[:, 0], clips.scene.pillar[:, 1]
    # Nothing of the ground moves: where no digit ever is, a pixel's mean over the clip is the ground's, noise aside.
    far = torch.ones(40, 32, 32, dtype=torch.bool)
    for b in range(40):
        for i in range(2):
            for row, column in clips.positions[b, i].tolist():
                far[b, row : row + 12, column : column + 12] = False
        far[b, :, left[b] : right[b]] = False
    noise = (clips.frames - clips.scene.ground[:, None]).movedim(2, -1)[far[:, None].expand(-1, 12, -1, -1)]
    assert abs(noise.mean()) < 3 * NOISE / noise.numel() ** 0.5 and abs(noise.std() / NOISE - 1) < 0.02
    # The same clips as bytes, and as floats made of them.
    as_bytes = data.sample_bytes(40, 12, generator(0))
    assert torch.equal(as_bytes, (clips.frames * 255).round().byte())
    assert torch.equal(data.sample(40, 12, generator(0)), as_bytes.float() / 255)


def test_motion_and_digits_are_those_of_the_plain_data_set():
    plain, scenes = (MovingMNIST(scene=scene).sample_with_truth(8, 10, generator(5)) for scene in (False, True))
    for name in ("positions", "velocities", "labels"):
        assert torch.equal(getattr(plain, name), getattr(scenes, name))
    assert plain.scene is None and plain.frames.shape[2] == 1


def test_hidden_digits_are_hidden():
    g = generator(2)
    scene, sprites = draw_scene(30, 1, 32, g), torch.ones(30, 1, 12, 12)
    positions = torch.stack([torch.full((30,), 10), scene.pillar[:, 0]], dim=-1)[:, None, None]
    assert (visible_share(scene, positions, 12) == 0).all()
    nothing = paint(scene, torch.zeros_like(sprites), positions)
    assert torch.equal(paint(scene, sprites, positions), nothing)
    beside = positions.clone()
    beside[..., 1] = scene.pillar[:, 1, None, None] - 6
    assert (visible_share(scene, beside, 12) == 0.5).all()
    seen = (paint(scene, sprites, beside) != paint(scene, torch.zeros_like(sprites), beside)).any(2).sum(dim=(-1, -2))
    assert (seen == 12 * 6).all()


def test_noise_stays_inside_the_range():
    frames = torch.cat([torch.zeros(2, 3, 3, 8, 8), torch.ones(2, 3, 3, 8, 8)])
    noisy = add_noise(frames, generator(0))
    assert noisy.min() == 0 and noisy.max() == 1 and not torch.equal(noisy, frames)
