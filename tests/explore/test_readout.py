"""Read-outs: sklearn's numbers, chance where there is nothing to read, and what the shipped model's variables hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small import generator

import srvp_lite
from srvp_lite import explore
from srvp_lite.data.open import moving_digits


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([0.0, 1.0, 30.0]), st.integers(0, 1000))
def test_a_fit_is_sklearns(ridge, seed):
    g = generator(seed)
    X = torch.randn(40, 5, generator=g) * torch.tensor([1.0, 10.0, 0.1, 3.0, 1.0]) + 2
    Y = X @ torch.randn(5, 2, generator=g) + torch.randn(40, 2, generator=g)
    theirs = make_pipeline(StandardScaler(), Ridge(ridge) if ridge else LinearRegression())
    theirs.fit(X.double().numpy(), Y.double().numpy())
    ours, new = explore.fit_readout(X, Y, ridge), torch.randn(9, 5, generator=g)
    expected = torch.from_numpy(theirs.predict(new.double().numpy()))
    torch.testing.assert_close(ours(new), expected, atol=1e-6, rtol=1e-6)
    truth = torch.randn(9, 2, generator=g)
    assert explore.r_squared(ours, new, truth) == pytest.approx(r2_score(truth.numpy(), expected.numpy()), abs=1e-6)


def test_a_constant_column_gets_no_weight():
    X = torch.cat([torch.randn(30, 2, generator=generator()), torch.ones(30, 1)], 1)
    readout = explore.fit_readout(X, X[:, :1] * 2 + 1, ridge=0.0)
    torch.testing.assert_close(readout.weight[:, 0], torch.tensor([2.0, 0.0, 0.0]).double(), atol=1e-6, rtol=0)
    assert explore.r_squared(readout, X, X[:, :1] * 2 + 1) == pytest.approx(1)


def test_identity_is_read_where_it_is_and_nowhere_else():
    labels = torch.randint(10, (600, 2), generator=generator(1))
    shown = torch.nn.functional.one_hot(labels, 10).sum(1).float()
    known = explore.read_identity(shown[:400], labels[:400], shown[400:], labels[400:])
    assert known["right"]["value"] == pytest.approx(1) and known["shuffled"] < 0.4
    noise = torch.randn(600, 6, generator=generator(2))
    unknown = explore.read_identity(noise[:400], labels[:400], noise[400:], labels[400:])
    assert unknown["right"]["low"] < 0.22 and unknown["right"]["value"] < 0.3
    # Answering with the two most frequent digits, counted by hand.
    top = labels[:400].flatten().bincount(minlength=10).topk(2).indices
    expected = (labels[400:, :, None] == top).any(-1).double().mean().item()
    assert unknown["constant"] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:Label not 9 is present")
def test_a_digit_that_the_fit_never_shows_is_never_the_answer():
    """Its regression is a constant, which must not win against nine doubtful ones."""
    labels = torch.randint(9, (600, 2), generator=generator(3))
    shown = torch.nn.functional.one_hot(labels, 10).sum(1)
    X = shown + 1.5 * torch.randn(600, 10, generator=generator(4))
    nine = torch.full((200, 2), 9)
    assert explore.read_identity(X[:400], labels[:400], X[400:], nine)["right"]["value"] == 0


def test_intervals_cover_the_truth_as_often_as_they_say():
    covered = 0
    for seed in range(60):
        values = torch.randn(50, generator=generator(seed)) + 3
        found = explore.bootstrap(lambda v: v.mean(), values, n_draws=200, generator=generator(seed))
        assert found["low"] <= found["value"] <= found["high"]
        assert found["value"] == pytest.approx(values.mean().item())
        covered += found["low"] < 3 < found["high"]
    assert covered >= 50  # of 60; 57 are expected, 49 or fewer have less than one chance in a thousand


@pytest.mark.slow
def test_the_shipped_model_splits_motion_from_identity():
    model = srvp_lite.load("lite-stochastic")
    data = srvp_lite.load_experiment("lite-stochastic").data
    fit, new = moving_digits(data, "train"), moving_digits(data, "test")
    found = explore.disentangling(model, fit, new, n_fit=600, n_new=200)
    assert set(found) == {"y", "w", "h", "y, untrained", "w, untrained"}
    assert found["y"]["place"]["low"] > 0.9 and found["y"]["velocity"]["low"] > 0.6 > 0.2
    assert found["w"]["velocity"]["high"] < 0.2
    assert found["w"]["identity"]["right"]["low"] > found["y"]["identity"]["right"]["high"]
    assert found["y, untrained"]["place"]["high"] < found["y"]["place"]["low"]


@pytest.mark.bad_input
def test_wrong_rows_are_named():
    with pytest.raises(ValueError, match="one row per clip"):
        explore.fit_readout(torch.randn(4, 2), torch.randn(5, 1))
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        explore.fit_readout(torch.randn(4, 2), torch.randn(4, 1), -1.0)
    with pytest.raises(ValueError, match=r"X_new \(3, 2\), labels_new \(4, 2\)"):
        labels = torch.zeros(4, 2, dtype=torch.long)
        explore.read_identity(torch.randn(4, 2), labels, torch.randn(3, 2), labels)
    with pytest.raises(ValueError, match="as many clips each"):
        explore.bootstrap(lambda a, b: 0.0, torch.zeros(3), torch.zeros(4))
