"""The Gaussian against torch.distributions, and against its own samples."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import generator
from torch.distributions import Normal, kl_divergence

from srvp_lite.model.gaussian import Gaussian


def random_gaussian(seed, shape=(4, 3), dtype=torch.float64):
    g = generator(seed)
    mean = torch.randn(shape, generator=g, dtype=dtype)
    return Gaussian(mean, torch.rand(shape, generator=g, dtype=dtype) + 0.1)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_kl_and_log_prob_equal_torch_distributions(seed_q, seed_p):
    q, p = random_gaussian(seed_q), random_gaussian(seed_p + 1)
    Q, P = Normal(q.mean, q.std), Normal(p.mean, p.std)
    torch.testing.assert_close(q.kl(p), kl_divergence(Q, P))
    torch.testing.assert_close(q.log_prob(p.mean), Q.log_prob(p.mean))
    assert (q.kl(p) >= 0).all()
    torch.testing.assert_close(q.kl(q), torch.zeros_like(q.mean))


def test_kl_is_the_mean_log_ratio_over_samples():
    q, p = random_gaussian(0), random_gaussian(1)
    many = Gaussian(q.mean.expand(200_000, 4, 3), q.std.expand(200_000, 4, 3))
    z = many.sample(generator(2))
    ratio = q.log_prob(z) - p.log_prob(z)
    error = ratio.std(0) / len(z) ** 0.5
    assert ((ratio.mean(0) - q.kl(p)).abs() < 5 * error).all()


def test_samples_have_the_mean_and_std_and_pass_gradients():
    q = random_gaussian(3)
    mean, std = q.mean.requires_grad_(), q.std.requires_grad_()
    z = Gaussian(mean.expand(100_000, 4, 3), std.expand(100_000, 4, 3)).sample(generator(4))
    assert ((z.mean(0) - q.mean).abs() < 5 * q.std / len(z) ** 0.5).all()
    torch.testing.assert_close(z.std(0), q.std, rtol=0.02, atol=0)
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.full_like(mean, len(z)))


def test_from_raw_is_float32_even_in_half_precision_and_never_zero():
    raw = torch.tensor([[1.5, -200.0]], dtype=torch.bfloat16)
    q = Gaussian.from_raw(raw)
    assert q.mean.dtype == torch.float32 and q.mean.item() == 1.5
    assert q.std.item() > 0
    assert Gaussian.from_raw(raw.double()).mean.dtype == torch.float64


@pytest.mark.bad_input
def test_from_raw_needs_an_even_number():
    with pytest.raises(ValueError, match="even last dimension; got \\(2, 5\\)"):
        Gaussian.from_raw(torch.zeros(2, 5))
