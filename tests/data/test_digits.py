"""Bent copies of digits: how far they may be bent, measured on a blob."""

import math

import pytest
import torch

from srvp_lite.data.digits import bent, load_digits
from srvp_lite.data.moving_mnist import MovingMNIST


def test_copies_are_bent_a_little_and_keep_their_digit():
    images, _ = load_digits("sklearn", "train", size=12)
    copies = bent(images, 4)
    assert copies.shape == (4 * len(images), 12, 12) and torch.equal(copies[: len(images)], images)
    assert torch.equal(bent(images, 4), copies)
    first, others = images, copies[len(images) :].view(3, -1, 12, 12)
    overlap = (first * others).sum(dim=(-1, -2)) / (first.square().sum((-1, -2)) * others.square().sum((-1, -2))).sqrt()
    assert overlap.min() > 0.5 and 0.8 < overlap.mean() < 0.98
    change = (others - first).abs().amax(dim=(-1, -2))
    assert (change > 0).all() and change.mean() > 0.3


def test_the_maps_are_turns_shears_and_scalings_about_the_middle():
    """Read off the second moments of a smooth blob."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    blob = torch.exp(-((rows / 0.5) ** 2) - (columns / 0.25) ** 2)[None]
    copies = bent(blob, 300)[1:].double()
    x, y = columns.double(), rows.double()
    mass = copies.sum(dim=(-1, -2))
    assert ((copies * x).sum((-1, -2)) / mass).abs().max() < 1e-3  # the middle stays
    xx, yy, xy = (((copies * a * b).sum((-1, -2)) / mass) for a, b in ((x, x), (y, y), (x, y)))
    area = (xx * yy - xy**2).sqrt() / (0.5 * 0.5 * 0.25)  # of the blob's own ellipse; shears and turns keep it
    scale = area.sqrt()
    assert 0.84 < scale.min() < 0.88 and 1.02 < scale.max() < 1.06
    lean = xy / yy  # x grows with y by this much: a turn plus a shear, at most tan(0.21) + 0.15
    assert 0.2 < lean.abs().max() < math.tan(0.21) + 0.15


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_only_training_digits_are_bent(split):
    plain, more = MovingMNIST(split=split), MovingMNIST(split=split, augment=3)
    assert len(more.images) == len(plain.images) * (3 if split == "train" else 1)
    assert torch.equal(more.labels[: len(plain.labels)], plain.labels)
    assert len(more.labels) == len(more.images) == len(more.sprites)


def test_a_senseless_number_of_copies_is_refused():
    with pytest.raises(ValueError, match="augment counts"):
        MovingMNIST(augment=0)
