"""Uncertainty: areas under curves as sklearn has them, KL as torch has it, and models known to be calibrated or not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.metrics import roc_auc_score
from small import awake, generator
from torch.distributions import Normal, kl_divergence

from srvp_lite import explore


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_area_under_the_curve_is_sklearns_ties_and_all(seed, levels):
    g = generator(seed)
    scores = torch.randint(levels, (40,), generator=g).float()
    positive = torch.cat([torch.tensor([True, False]), torch.rand(38, generator=g) < 0.3])
    assert explore.auc(scores, positive) == pytest.approx(roc_auc_score(positive.numpy(), scores.numpy()))


def test_variance_is_that_of_the_samples():
    futures = torch.rand(5, 2, 3, 2, 4, 4, generator=generator())
    expected = futures.double().var(0).mean(2).float()
    torch.testing.assert_close(explore.variance_map(futures), expected)
    torch.testing.assert_close(explore.disagreement(futures), expected.mean((-2, -1)))
    same = futures[:1].expand(4, -1, -1, -1, -1, -1)
    assert explore.variance_map(same).abs().max() == 0


@torch.no_grad()
def test_kl_is_torchs_and_in_evaluation_mode():
    model, x = awake(), torch.rand(2, 6, 1, 16, 16, generator=generator(1))
    kl = explore.kl_per_step(model, x, generator())
    assert model.training
    out = model.eval()(x, generator())
    expected = kl_divergence(Normal(out.q_z.mean, out.q_z.std), Normal(out.p_z.mean, out.p_z.std)).sum(-1)
    torch.testing.assert_close(kl, expected)


def test_surprise_counts_the_steps_after_a_bounce_as_far_as_told():
    bounces = torch.zeros(3, 6, dtype=torch.bool)
    bounces[0, 2] = bounces[1, 0] = bounces[2, 5] = True
    kl = torch.zeros(3, 5)
    kl[0, 1] = kl[0, 2] = kl[2, 4] = 1.0  # the bounces of clips 0 and 2, and the step after the first
    options = dict(n_draws=20, generator=generator())
    assert explore.surprise_auc(kl, bounces, **options)["value"] == pytest.approx(
        (1 + 12 / 13 + 1 / 26) / 2 + 0.01, abs=0.03
    )
    # With a lag of one, the step after the bounce counts too; so does the one after the bounce in frame 1.
    hit = torch.zeros(3, 5, dtype=torch.bool)
    hit[0, 1] = hit[0, 2] = hit[1, 0] = hit[2, 4] = True
    expected = roc_auc_score(hit.flatten().numpy(), kl.flatten().numpy())
    assert explore.surprise_auc(kl, bounces, lag=1, **options)["value"] == pytest.approx(expected)


def gaussians(width, n=40_000, samples=20):
    """A truth from Gaussians of known widths, and samples of a model that is right, or too sure, or too unsure."""
    g = generator(3)
    std = 0.2 + torch.rand(n, generator=g)
    mean = torch.randn(n, generator=g)
    truth = mean + std * torch.randn(n, generator=g)
    return mean + width * std * torch.randn(samples, n, generator=g), truth


@pytest.mark.parametrize("width, ratio", [(1.0, 1.0), (0.5, 0.5), (2.0, 2.0)])
def test_reliability_lies_on_the_diagonal_for_a_calibrated_model_only(width, ratio):
    futures, truth = gaussians(width)
    found = explore.reliability(futures, truth, 8)
    assert found["count"].sum() == len(truth)
    assert (found["predicted"].diff() > 0).all()
    n = 10  # samples that are judged
    # error^2 = std^2 (1 + width^2 / n), predicted = width^2 std^2 (1 + 1 / n)
    expected = ratio**2 * (1 + 1 / n) / (1 + ratio**2 / n)
    torch.testing.assert_close(
        found["predicted"] / found["observed"], torch.full((8,), expected).double(), rtol=0.08, atol=0
    )


def test_ranks_are_flat_for_a_calibrated_model_only():
    counts = {}
    for width in (1.0, 0.5, 2.0):
        futures, truth = gaussians(width, n=21_000)
        counts[width] = explore.rank_histogram(explore.ranks(futures, truth, generator()), 20)
        assert counts[width].sum() == 21_000 and len(counts[width]) == 21
    assert chisquare(counts[1.0].numpy()).pvalue > 0.001 > chisquare(counts[0.5].numpy()).pvalue
    ends, middle = counts[0.5][[0, -1]].float().mean(), counts[0.5][8:13].float().mean()
    assert ends > 2 * middle
    ends, middle = counts[2.0][[0, -1]].float().mean(), counts[2.0][8:13].float().mean()
    assert middle > 2 * ends


def test_ties_are_broken_by_chance():
    rank = explore.ranks(torch.zeros(3, 4000), torch.zeros(4000), generator())
    assert chisquare(explore.rank_histogram(rank, 3).numpy()).pvalue > 0.001


@pytest.mark.bad_input
def test_wrong_shapes_and_counts_are_named():
    for call, words in [
        (lambda: explore.variance_map(torch.zeros(1, 2, 3, 1, 4, 4)), "at least two futures"),
        (lambda: explore.surprise_auc(torch.zeros(2, 4), torch.zeros(2, 4).bool()), r"bounces \(B, T\), frame 1 incl"),
        (lambda: explore.surprise_auc(torch.zeros(2, 3), torch.zeros(2, 4).bool(), lag=-1), "at least 0, got -1"),
        (lambda: explore.reliability(torch.zeros(3, 5), torch.zeros(5)), "at least 4 samples"),
        (lambda: explore.reliability(torch.zeros(4, 5), torch.zeros(5), 6), "from 1 to the number of entries, 5"),
        (lambda: explore.ranks(torch.zeros(4, 5), torch.zeros(4)), "one of what truth|what truth is one of"),
        (lambda: explore.rank_histogram(torch.tensor([5]), 4), "ranks among 4 samples are 0 to 4"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
