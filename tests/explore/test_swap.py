"""Swaps: identities with the model's own passes, drawn counterfactuals, a reader that never errs, the real model."""

import math

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from small import SIZES, awake, generator

import srvp_lite
from srvp_lite import explore
from srvp_lite.config import SRVPConfig
from srvp_lite.data.moving_mnist import MovingMNIST
from srvp_lite.data.open import moving_digits
from srvp_lite.explore.swap import decode
from srvp_lite.explore.swap_scores import apart, best_order, draw_pairs
from srvp_lite.metrics import psnr
from srvp_lite.model.srvp import SRVP


@pytest.fixture(params=[dict(), dict(skip=True), dict(steps_per_frame=2)], ids=["plain", "skips", "two steps"])
def model(request):
    """In training mode, so that the functions have to leave it by themselves."""
    return awake(**request.param)


@pytest.fixture
def clips():
    return torch.rand(2, 3, 5, 1, 16, 16, generator=generator(1))


# Swaps ---------------------------------------------------------------------------------------------------------------


def test_a_swap_with_itself_is_the_reconstruction(model, clips):
    a = clips[0]
    swapped = explore.swap_content(model, a, a, generator=generator(2))
    torch.testing.assert_close(swapped, model.reconstruct(a, generator(2)))
    assert model.training and not swapped.requires_grad


def test_with_itself_and_a_future_it_is_the_prediction(model, clips):
    a = clips[0]
    swapped = explore.swap_content(model, a, a, 4, n_samples=3, generator=generator(2))
    assert swapped.shape == (3, 3, 9, 1, 16, 16)
    torch.testing.assert_close(swapped[:, :, 5:], model.predict(a, 4, 3, generator=generator(2)))


def test_w_and_skips_come_from_one_and_y_from_the_other(model, clips):
    a, b = clips
    model.eval()
    with torch.no_grad():
        moving, looks = model(a, generator(2)), model(b, generator(3))
        expected = model.decode(looks.w, moving.y, model.encode(b)[1])
    swapped = explore.swap_content(model, b, a, generator=generator(2))
    torch.testing.assert_close(swapped, expected)
    assert (swapped - moving.frames).abs().max() > 1e-4, "and it is another clip"
    longer = explore.swap_content(model, torch.cat([a, b], dim=1), a, generator=generator(2))
    torch.testing.assert_close(longer, expected, msg="w is read from the last frames")


def test_a_grid_holds_all_pairs(model, clips):
    contents, motions = clips[0], clips[1][:2]
    grid = explore.swap_grid(model, contents, motions, generator=generator(2))
    assert grid.shape == (2, 3, 5, 1, 16, 16)
    for j in range(3):
        column = explore.swap_content(model, contents[[j, j]], motions, generator=generator(2))
        torch.testing.assert_close(grid[:, j], column)
    order = torch.tensor([2, 0, 1])
    permuted = explore.swap_grid(model, contents[order], motions, generator=generator(2))
    torch.testing.assert_close(permuted, grid[:, order])
    same = explore.swap_grid(model, motions, motions, 2, generator=generator(2))
    torch.testing.assert_close(same[[0, 1], [0, 1], 5:], model.predict(motions, 2, generator=generator(2))[0])


def test_decoding_in_parts_changes_nothing(model, clips):
    w, skips = explore.content_of(model, clips.flatten(0, 1))
    y = torch.randn(6, 1500, 3, generator=generator(3))
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(decode(model, w, y, skips), model.decode(w, y, skips))


@pytest.mark.bad_input
def test_errors_of_swaps(clips):
    model, (a, b) = SRVP(SRVPConfig(**SIZES)), clips
    with pytest.raises(ValueError, match="got 2 contents and 3 motions; swap_grid combines all with all"):
        explore.swap_content(model, a[:2], b)
    with pytest.raises(ValueError, match="n_frames=-1"):
        explore.swap_content(model, a, b, n_frames=-1)
    with pytest.raises(ValueError, match="n_samples=0"):
        explore.swap_content(model, a, b, n_samples=0)
    with pytest.raises(ValueError, match="at least 3 frames"):
        explore.swap_content(model, a[:, :2], b)
    with pytest.raises(ValueError, match="divide bytes by 255"):
        explore.swap_grid(model, a, 255 * b)


# The truth of a swap -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return MovingMNIST(split="test")


@pytest.mark.parametrize("n_digits, n_orders", [(1, 1), (2, 2), (3, 6)])
def test_a_clip_swapped_with_itself_is_the_clip(n_digits, n_orders):
    """From one seed, `motions` and `sample_with_truth` draw the same, so the sprites' numbers are known."""
    data = MovingMNIST(split="test", n_digits=n_digits)
    clips = data.sample_with_truth(4, 6, generator(1))
    which, positions, _ = data.motions(4, 6, generator(1))
    drawn = explore.counterfactual(data, which, positions)
    assert drawn.shape == (n_orders, 4, 6, 1, 32, 32)
    assert torch.equal(drawn[0], clips.frames) and torch.equal(data.labels[which], clips.labels)


def test_counterfactuals_pixel_by_pixel(data):
    """Against a slow drawing: content's sprites, one on each path, in both orders."""
    which, _, _ = data.motions(3, 5, generator(1))
    _, paths, _ = data.motions(3, 5, generator(2))
    drawn = explore.counterfactual(data, which, paths)
    for i, order in enumerate([(0, 1), (1, 0)]):
        slow = torch.zeros(3, 5, 32, 32)
        for clip in range(3):
            for t in range(5):
                for path, digit in enumerate(order):
                    row, column = paths[clip, path, t].tolist()
                    sprite = data.sprites[which[clip, digit]].float()
                    slow[clip, t, row : row + 12, column : column + 12] += sprite
        torch.testing.assert_close(drawn[i][:, :, 0], slow.clamp(max=255) / 255)
    assert torch.equal(drawn.flip(0), explore.counterfactual(data, which.flip(1), paths)), "the set of both is one"


def test_pairs_share_no_digit_and_know_their_sprites(data):
    (a, which_a), (b, which_b) = draw_pairs(data, 30, 5, generator(4))
    assert len(a.frames) == len(b.frames) == 30
    assert not any(set(x) & set(y) for x, y in zip(a.labels.tolist(), b.labels.tolist()))
    for clips, which in ((a, which_a), (b, which_b)):
        assert torch.equal(explore.counterfactual(data, which, clips.positions)[0], clips.frames)
    with pytest.raises(ValueError, match="have no digit in common; ask for fewer pairs"):
        draw_pairs(MovingMNIST(split="test", n_digits=9), 10, 2)


def test_the_better_order_counts(data):
    which, paths, _ = data.motions(4, 5, generator(1))
    both = explore.counterfactual(data, which, paths)
    mixed = torch.stack([both[0, 0], both[1, 1], both[0, 2], both[1, 3]])
    assert (best_order(mixed, both) == 100).all()
    expected = torch.maximum(*(psnr(0.5 * mixed, b).mean(1) for b in both))
    torch.testing.assert_close(best_order(0.5 * mixed, both), expected)


def test_squares_are_apart_where_they_share_no_pixel(data):
    _, paths, _ = data.motions(20, 10, generator(3))
    ones = torch.ones(20, 2, 12, 12)
    from srvp_lite.data.moving_mnist import draw

    alone = [draw(ones[:, [i]], paths[:, [i]], 32) for i in range(2)]
    meet = (alone[0] * alone[1]).flatten(2).any(dim=2)
    free = apart(paths, 12)
    assert torch.equal(free[:, 0], ~meet) and torch.equal(free[:, 1], ~meet) and 0.05 < meet.float().mean() < 0.95
    assert apart(paths[:, :1], 12).all(), "one digit is always alone"


def test_a_perfect_reader_reads_true_frames_without_error(data):
    """One nearest neighbour among the very sprites that were drawn."""
    reader = KNeighborsClassifier(1).fit(data.images.flatten(1).numpy(), data.labels.numpy())
    clips = data.sample_with_truth(20, 8, generator(5))
    seen = explore.read_digits(clips.frames, clips.positions, reader)
    free = apart(clips.positions, 12)
    assert torch.equal(seen >= 0, free)
    assert torch.equal(seen[free], clips.labels[:, :, None].expand_as(seen)[free])
    share = explore.share_seen(seen, clips.labels)
    assert (share[free.any(dim=(1, 2))] == 1).all()
    none = (clips.labels + 1) % 10
    for n in range(20):
        places = [s for s in seen[n].flatten().tolist() if s >= 0]
        expected = sum(s in none[n].tolist() for s in places) / len(places) if places else math.nan
        assert explore.share_seen(seen, none)[n].item() == pytest.approx(expected, nan_ok=True)


@pytest.mark.bad_input
def test_errors_of_counterfactuals_and_readings(data):
    which, paths, _ = data.motions(3, 5, generator(1))
    with pytest.raises(ValueError, match=r"content is \(B, n\) and motion \(B, n, T, 2\)"):
        explore.counterfactual(data, which[:2], paths)
    with pytest.raises(ValueError, match="the numbers come from MovingMNIST.motions"):
        explore.counterfactual(data, which + 1000, paths)
    reader = explore.digit_classifier(data)
    with pytest.raises(ValueError, match=r"B = 3 and T = 4, got \(3, 2, 5, 2\)"):
        explore.read_digits(torch.rand(3, 4, 1, 32, 32), paths, reader)


@pytest.mark.parametrize("name", ["lite-deterministic", "lite-stochastic"])
def test_in_the_shipped_models_identity_follows_w_and_motion_follows_y(name):
    config = srvp_lite.load_experiment(name).data
    reader = explore.digit_classifier(moving_digits(config, "train"))
    data = moving_digits(config, "test")
    assert reader.score(data.images.flatten(1).numpy(), data.labels.numpy()) > 0.95
    scores = explore.swap_score(srvp_lite.load(name), data, reader, n_pairs=60, generator=generator(1))
    swap, own, true, perfect = (scores[k] for k in ("swap", "no swap", "true frames", "perfect swap"))

    def surely_more(a, b, by=0.0):
        return a["mean"] - a["interval"] > b["mean"] + b["interval"] + by

    assert surely_more(swap["digits content"], swap["digits motion"], 0.1)
    assert surely_more(own["digits motion"], own["digits content"], 0.1)
    assert surely_more(swap["psnr perfect"], own["psnr perfect"]), "nearer to the drawn swap than without a swap"
    assert surely_more(own["psnr motion"], swap["psnr motion"])
    assert surely_more(swap["pixels content"], swap["pixels motion"], 4), "the paths stay"
    for exact, of in ((true, "motion"), (perfect, "content")):
        assert exact[f"digits {of}"]["mean"] > 0.95
    assert true["psnr motion"]["mean"] == 100 == perfect["psnr perfect"]["mean"]
    assert true["pixels motion"]["mean"] == 0
