"""The schedule: the paper's by steps, and any by the clock."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvp_lite.config import TrainConfig, seconds
from srvp_lite.presets import preset
from srvp_lite.training.schedule import Schedule


def test_the_papers_schedule_is_constant_then_falls_linearly_to_zero():
    schedule = Schedule(preset("smmnist").train)
    assert schedule.learning_rate(0) == schedule.learning_rate(999_999) == 3e-4
    assert schedule.learning_rate(1_050_000) == pytest.approx(1.5e-4)
    assert schedule.learning_rate(1_099_999) == pytest.approx(3e-4 / 100_000)
    assert not schedule.finished(1_099_999) and schedule.finished(1_100_000)


@given(
    warmup=st.integers(0, 20), constant=st.integers(0, 50), decay=st.integers(0, 50),
    shape=st.sampled_from(["linear", "cosine"]), factor=st.floats(0.1, 30),
)  # fmt: skip
def test_every_schedule_climbs_stays_and_falls(warmup, constant, decay, shape, factor):
    """Whatever the total, as a time budget may set it."""
    config = TrainConfig(lr=1.0, warmup_steps=warmup, constant_steps=constant, decay_steps=decay, decay=shape,
                         time_budget="1h")  # fmt: skip
    total = max(1.0, (constant + decay) * factor)
    rates = [Schedule(config, total).learning_rate(step) for step in range(int(total))]
    assert all(0 <= rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert all(a <= b + 1e-12 for a, b in zip(rates[:peak], rates[1 : peak + 1]))
    if warmup == 0:
        assert all(a >= b - 1e-12 for a, b in zip(rates, rates[1:]))
        share = constant / max(1, constant + decay)
        assert all(rate == 1 for step, rate in enumerate(rates) if step < share * total - 1)


def run_by_the_clock(config, seconds_per_step, start=0.0):
    """A run on a machine whose speed is a function of the step; returns its steps, rates and time."""
    schedule, now, rates = Schedule(config), start, []
    while not schedule.finished(len(rates)):
        rates.append(schedule.learning_rate(len(rates)))
        now += seconds_per_step(len(rates) - 1)
        schedule.refit(len(rates), now)
    return rates, now


@pytest.mark.parametrize(
    "speed", [lambda s: 0.1, lambda s: 20.0 if s == 0 else 0.1, lambda s: 0.1 if s < 200 else 0.3],
    ids=["steady", "slow start", "slows down"],
)  # fmt: skip
def test_a_time_budget_ends_in_time_with_the_rate_at_zero(speed):
    config = TrainConfig(lr=1.0, constant_steps=1, decay_steps=1, time_budget="1m")
    rates, now = run_by_the_clock(config, speed)
    assert 60 - 1 < now < 60 + 0.5
    assert rates[-1] < 0.02
    if speed(300) == 0.1:
        assert abs(sum(rate > 0.99 for rate in rates) / len(rates) - 0.5) < 0.05


def test_work_after_the_last_step_is_left_time():
    schedule = Schedule(TrainConfig(time_budget="10s"))
    schedule.refit(1, 1.0, reserve=2.0)
    schedule.refit(2, 2.0, reserve=2.0)
    assert schedule.total == pytest.approx(8)  # six more steps of a second each, two seconds kept
    schedule.refit(8, 8.5, reserve=2.0)
    assert schedule.finished(8)


def test_without_a_budget_the_clock_changes_nothing():
    schedule = Schedule(dataclasses.replace(preset("lite").train, constant_steps=3, decay_steps=4))
    schedule.refit(1, 1e6)
    schedule.refit(2, 2e6)
    assert schedule.total == 7


@pytest.mark.parametrize(
    "text, expected", [("25m", 1500), ("1h30m", 5400), ("90s", 90), ("0.5h", 1800), ("2d", 172800)]
)
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "25", "m", "25 m", "25m!", "-3m", "1w"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="a time is written like 25m, 1h30m or 90s"):
        TrainConfig(time_budget=text)
    with pytest.raises(ValueError, match="longer than nothing"):
        seconds("0s")


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(batch_size=10, accumulate=4), "batch_size=10 cannot be cut into accumulate=4 equal parts"),
        (dict(accumulate=0), "accumulate must be a whole number of at least 1, got 0"),
        (dict(ema_decay=1.0), "ema_decay must be at least 0"),
        (dict(clip_grad_norm=0.0), "clip_grad_norm must be positive"),
        (dict(decay_steps=-1), "decay_steps must not be negative"),
    ],
)
def test_unfit_numbers_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**change)


def test_the_share_of_the_kl_terms_climbs_evenly_on_a_logarithmic_scale():
    config = TrainConfig(kl_start=0.01, kl_warmup=(0.2, 0.6), constant_steps=50, decay_steps=50)
    share = [Schedule(config).kl_share(step) for step in range(101)]
    assert share[:21] == pytest.approx([0.01] * 21) and share[60:] == pytest.approx([1.0] * 41)
    assert share[40] == pytest.approx(0.1)  # half of the way, in factors
    ratios = [b / a for a, b in zip(share[20:60], share[21:61])]
    assert ratios == pytest.approx([100 ** (1 / 40)] * 40)


@given(start=st.floats(1e-3, 1), shares=st.lists(st.floats(0, 1), min_size=2, max_size=2), steps=st.integers(1, 200))
def test_the_share_of_the_kl_terms_never_falls_and_ends_at_one(start, shares, steps):
    config = TrainConfig(kl_start=start, kl_warmup=(min(shares), max(shares)), constant_steps=steps, decay_steps=0)
    share = [Schedule(config).kl_share(step) for step in range(steps + 1)]
    assert share == sorted(share) and start * (1 - 1e-9) <= share[0] and share[-1] == pytest.approx(1.0)


def test_without_a_warmup_all_of_the_kl_terms_counts_always():
    schedule = Schedule(preset("smmnist").train)
    assert {schedule.kl_share(step) for step in (0, 1, 500_000, 1_100_000)} == {1.0}


@pytest.mark.parametrize("changes, words", [
    (dict(kl_start=0.0), "kl_start is a share"), (dict(kl_start=1.5), "kl_start is a share"),
    (dict(kl_warmup=(0.6, 0.2)), "two shares"), (dict(kl_warmup=(0.0, 1.2)), "two shares"),
])  # fmt: skip
def test_senseless_warmups_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**changes)
