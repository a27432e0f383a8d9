"""Frame rates: one future whatever the camera, closed forms of roughness, and the sweep against the protocol."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import SIZES, generator

import srvp_lite
from srvp_lite import explore, metrics
from srvp_lite.config import SRVPConfig
from srvp_lite.data.open import moving_digits
from srvp_lite.evaluation import Scoring, evaluate
from srvp_lite.model import ode
from srvp_lite.model.srvp import SRVP

THIRD = 1 / 3


def small(**changes):
    torch.manual_seed(0)
    return SRVP(SRVPConfig(**SIZES | changes))


@pytest.fixture(scope="module")
def x():
    return torch.rand(2, 4, 1, 16, 16, generator=generator(1))


# at_rates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("own_steps", [1, 3])
def test_rate_1_is_the_models_prediction(x, skip, own_steps):
    model = small(skip=skip, steps_per_frame=own_steps)
    expected = model.predict(x, 5, 3, generator=generator(7))
    shown = explore.at_rates(model, x, 5, (1, 4), n_samples=3, generator=generator(7))
    torch.testing.assert_close(shown[1], expected)


@pytest.mark.parametrize(
    "method, steps", [("euler", None), ("euler", 4), ("midpoint", 2), ("rk4", 1), ("dopri5", None)]
)
def test_all_rates_show_one_future(x, method, steps):
    """Each rate alone gives what it shows among the others, and common instants are equal to the last bit."""
    model = small()
    rates = (THIRD, 0.5, 1, 1.5, 2.4, 8)
    shown = explore.at_rates(model, x, 6, rates, method, steps, n_samples=2, generator=generator(3))
    for rate in rates:
        times = [i / rate for i in range(1, math.floor(6 * rate + 1e-9) + 1)]
        alone = ode.predict(model, x, times, 2, method, steps, generator=generator(3))
        assert shown[rate].shape == (2, 2, len(times), 1, 16, 16)
        torch.testing.assert_close(shown[rate], alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(shown[0.5], shown[1][:, :, 1::2]) and torch.equal(shown[THIRD], shown[1][:, :, 2::3])
    assert torch.equal(shown[1], shown[8][:, :, 7::8]) and torch.equal(shown[1.5][:, :, 2::3], shown[1][:, :, 1::2])
    for a, b in [(0.5, 8), (1.5, 2.4), (THIRD, 1.5)]:
        assert (explore.agreement(shown[a], shown[b], a, b) == 100).all()


def test_more_steps_at_a_higher_rate_are_those_of_the_model(x):
    model = small()
    expected = model.predict(x, 3, 2, steps_per_frame=8, frame_rate=4, generator=generator(5))
    shown = explore.at_rates(model, x, 3, [4], steps_per_frame=8, n_samples=2, generator=generator(5))
    torch.testing.assert_close(shown[4], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(rates=(1, 0)), "a frame rate is a positive number, 1 being that of the data, got 0"),
        (dict(rates=(float("nan"),)), "positive number"),
        (dict(rates=(float("inf"),)), "positive number"),
        (dict(rates=(0.25,)), "rate 0.25 shows a first frame after 4 intervals, n_frames=3 ends before"),
        (dict(rates=()), "rates is empty"),
        (dict(n_frames=0), "n_frames must be at least 1"),
        (dict(method="dopri5", steps_per_frame=2), "chooses its own steps"),
        (dict(method="runge"), "there are euler, midpoint, rk4, dopri5"),
    ],
)
def test_errors_of_at_rates(x, changes, words):
    with pytest.raises(ValueError, match=words):
        explore.at_rates(**{**dict(model=small(), x_cond=x, n_frames=3), **changes})


# roughness and agreement ---------------------------------------------------------------------------------------------


def paths(n_clips, n_frames, n, seed):
    return torch.randn(n_clips, n_frames, n, generator=generator(seed), dtype=torch.float64)


@given(n_frames=st.integers(3, 12), n=st.integers(1, 5), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_roughness_knows_neither_unit_nor_origin_nor_direction_of_time(n_frames, n, scale, seed):
    v = paths(2, n_frames, n, seed)
    expected = explore.roughness(v)
    assert (expected > 0).all() and (expected <= 2 * math.sqrt((n_frames - 1) / (n_frames - 2)) + 1e-9).all()
    for same in (-scale * v + paths(1, 1, n, seed + 1), v.flip(1), v.flip(2), v[:, :, :, None, None]):
        torch.testing.assert_close(explore.roughness(same), expected)
    torch.testing.assert_close(explore.roughness(v[None].expand(3, -1, -1, -1), time=2), expected.expand(3, -1))


def test_roughness_in_closed_form():
    t = torch.arange(9, dtype=torch.float64)
    line = torch.stack([3 * t + 1, -2 * t], dim=-1)[None]
    angle = 0.3
    circle = torch.stack([(angle * t).cos(), (angle * t).sin()], dim=-1)[None]
    to_and_fro = (t % 2)[None, :, None]
    assert explore.roughness(line).item() == pytest.approx(0, abs=1e-12)
    assert explore.roughness(torch.ones(1, 5, 3)).item() == 0, "nothing moves"
    assert explore.roughness(circle).item() == pytest.approx(2 * math.sin(angle / 2))
    assert explore.roughness(to_and_fro).item() == pytest.approx(2)


def test_twice_the_frames_halve_the_roughness_of_smooth_motion_only():
    """Of a line with a kink at each frame it falls by the square root of 2."""

    def smooth(rate):
        t = torch.arange(8 * 40 * rate, dtype=torch.float64) / (40 * rate)
        return explore.roughness(torch.stack([t.cos(), t.sin()], -1)[None]).item()

    kinked = paths(1, 400, 3, 0).cumsum(1)
    between = (kinked[:, 1:] + kinked[:, :-1]) / 2
    doubled = torch.stack([kinked[:, :-1], between], dim=2).flatten(1, 2)
    assert smooth(1) / smooth(2) == pytest.approx(2, rel=1e-3)
    ratio = (explore.roughness(kinked) / explore.roughness(doubled)).item()
    assert ratio == pytest.approx(math.sqrt(2), rel=1e-2)


def test_agreement_compares_common_instants():
    a, b = torch.rand(2, 6, 1, 4, 4, generator=generator(1)), torch.rand(2, 4, 1, 4, 4, generator=generator(2))
    values = explore.agreement(a, b, 1.5, 1)  # a shows 2/3, 4/3, 2, ..., 4; b shows 1, 2, 3, 4
    torch.testing.assert_close(values, metrics.psnr(a[:, [2, 5]], b[:, [1, 3]]))
    torch.testing.assert_close(explore.agreement(b, a, 1, 1.5), values)


@pytest.mark.bad_input
def test_errors_of_roughness_and_agreement():
    with pytest.raises(ValueError, match="at least 3 frames, got 2"):
        explore.roughness(torch.rand(1, 2, 3))
    with pytest.raises(ValueError, match="time=2 must name the dimension of the frames"):
        explore.roughness(torch.rand(1, 4, 3), time=2)
    with pytest.raises(ValueError, match="share no instant"):
        explore.agreement(torch.rand(1, 1, 1, 4, 4), torch.rand(1, 1, 1, 4, 4), 1, 2)
    with pytest.raises(ValueError, match="positive number"):
        explore.agreement(torch.rand(1, 1, 1, 4, 4), torch.rand(1, 1, 1, 4, 4), 1, -2)


# steps_sweep ---------------------------------------------------------------------------------------------------------


def test_the_sweep_gives_the_scores_of_the_protocol():
    model, clips = small(), torch.rand(5, 7, 1, 16, 16, generator=generator(2))
    sweep = explore.steps_sweep(model, clips, 4, (3, 1), n_samples=4, generator=generator(9))
    for k in (3, 1):
        psnr = evaluate(model, clips, 4, 4, generator(9), Scoring(("psnr",), steps_per_frame=k)).metrics["psnr"]
        assert sweep[k]["best"] == pytest.approx(psnr.best_of[4])
        assert sweep[k]["expected"] == pytest.approx(psnr.expected)
    assert sweep[3]["difference"] == {"mean": 0, "interval": 0}
    gap = sweep[1]["expected"]["mean"] - sweep[3]["expected"]["mean"]
    assert sweep[1]["difference"]["mean"] == pytest.approx(gap, abs=1e-5)


def test_the_trained_model_is_best_at_the_steps_it_was_trained_with():
    """Its f is a map from frame to frame, and no converged equation."""
    name = "lite-deterministic"
    model, data = srvp_lite.load(name), moving_digits(srvp_lite.load_experiment(name).data, "test")
    sweep = explore.steps_sweep(model, data.sample(40, 20, generator(1)), 5, (1, 4), n_samples=3)
    gap = sweep[4]["difference"]
    assert gap["mean"] + gap["interval"] < 0


@pytest.mark.bad_input
def test_an_empty_sweep_is_an_error(x):
    with pytest.raises(ValueError, match="steps is empty"):
        explore.steps_sweep(small(), x, 3, ())
