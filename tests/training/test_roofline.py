"""Operations and bytes, counted, against arithmetic by hand and PyTorch's own counter."""

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from srvp_lite.model.elbo import elbo
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset
from srvp_lite.training.roofline import Counter, Limits, Work, limits, step_work


def test_one_product_by_hand():
    a, b = torch.rand(3, 5), torch.rand(5, 7)
    with Counter() as counter:
        a @ b
    assert counter.work.flop == 2 * 3 * 5 * 7
    assert counter.work.least_bytes == counter.work.eager_bytes == 4 * (3 * 5 + 5 * 7 + 3 * 7)
    with Counter() as counter:
        a.view(15).expand(2, 15)
    assert counter.work == Work()
    with Counter() as counter:
        a.relu()
    assert counter.work == Work(0, 0, 4 * 2 * 15)


def test_the_papers_step_by_hand():
    """From the layers' shapes: forward once and backward twice, but for the first layer, whose input needs nothing."""
    e = preset("smmnist")
    t = e.train
    n = t.batch_size * t.n_frames
    middle = 3 * 16 * 16 * 4 * 4 * 64 * 128  # the three convolutions of a network between its ends cost the same
    first, to_vector = 32 * 32 * 4 * 4 * 64, 4 * 4 * 512 * 128
    from_vector, last = 4 * 4 * (256 + 20) * 512, 32 * 32 * 4 * 4 * 64
    convolutions = 2 * n * (3 * (middle + to_vector) + 2 * first + 3 * (from_vector + middle + last))
    lstm = 3 * 2 * n * 4 * 256 * (128 + 256)
    m = e.model
    f = (m.ny + m.nz) * 512 + 2 * 512 * 512 + 512 * m.ny
    prior = m.ny * 512 + 2 * 512 * 512 + 512 * 2 * m.nz
    time_loop = 3 * 2 * t.batch_size * (t.n_frames - 1) * (f + prior)
    assert step_work(e).flop == pytest.approx(convolutions + lstm + time_loop, rel=2e-3)


def test_equal_to_pytorchs_counter_where_that_can_see():
    e = preset("lite")
    e = dataclasses.replace(e, train=dataclasses.replace(e.train, batch_size=2))
    model, x = SRVP(e.model).to("meta"), torch.empty(2, 15, 1, 32, 32, device="meta")
    with FlopCounterMode(display=False) as theirs:
        loss, _ = elbo(model(x), x, 1, 2, 1.0, 1.0)
        loss.backward()
    assert step_work(e).flop == theirs.get_total_flops()


def test_half_precision_halves_the_bytes_and_twice_the_batch_doubles_the_work():
    e = preset("lite")
    whole, half = step_work(e), step_work(e, bf16=True)
    assert half.flop == whole.flop and half.least_bytes == whole.least_bytes / 2
    assert whole.least_bytes < whole.eager_bytes
    twice = step_work(dataclasses.replace(e, train=dataclasses.replace(e.train, batch_size=32)))
    assert twice.flop == pytest.approx(2 * whole.flop, rel=1e-3)


def test_the_floor_is_the_slower_of_arithmetic_and_memory():
    work = Work(flop=100.0, least_bytes=10.0)
    assert Limits(flop_per_second=50.0, bytes_per_second=100.0).floor(work) == 2.0
    assert Limits(flop_per_second=1000.0, bytes_per_second=2.0).floor(work) == 5.0


def test_limits_are_the_work_of_the_best_repetition(monkeypatch):
    """With a clock that says two seconds for the product and four for the copy."""
    said = iter([2.0, 4.0])

    def best(call, device, seconds):
        call()
        return next(said)

    monkeypatch.setattr("srvp_lite.training.roofline.best_time", best)
    found = limits(torch.device("cpu"))
    assert found.flop_per_second == 2 * 1024**3 / 2.0
    assert found.bytes_per_second == 2 * 4 * 2**24 / 4.0  # floats of four bytes, read and written
