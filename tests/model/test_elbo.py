"""The loss against torch.distributions and closed forms."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small import generator
from torch.distributions import Normal, kl_divergence

from srvp_lite.model import content, dynamics, inference
from srvp_lite.model import elbo as elbo_module
from srvp_lite.model.elbo import elbo
from srvp_lite.model.gaussian import Gaussian


@pytest.fixture
def out():
    g = generator()

    def normal(*shape):
        return torch.randn(shape, generator=g, dtype=torch.float64)

    def gaussian(*shape):
        return Gaussian(normal(*shape), normal(*shape).exp())

    return SimpleNamespace(
        frames=torch.rand(3, 4, 1, 8, 8, generator=g, dtype=torch.float64),
        q_y=gaussian(3, 5),
        q_z=gaussian(3, 3, 2),
        p_z=gaussian(3, 3, 2),
        residuals=normal(3, 6, 5),
    )


def test_terms_equal_torch_distributions(out):
    x = torch.rand(3, 4, 1, 8, 8, dtype=torch.float64)
    loss, terms = elbo(out, x, beta_y=0.5, beta_z=2, obs_std=0.7, residual_penalty=0.1)
    expected = {
        "nll": -Normal(out.frames, 0.7).log_prob(x).flatten(1).sum(1),
        "kl_y": kl_divergence(Normal(out.q_y.mean, out.q_y.std), Normal(0, 1)).sum(1),
        "kl_z": kl_divergence(Normal(out.q_z.mean, out.q_z.std), Normal(out.p_z.mean, out.p_z.std)).sum((1, 2)),
        "residual": out.residuals.square().sum(-1).sqrt().sum(1),
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)
    e = expected
    total = e["nll"] + 0.5 * e["kl_y"] + 2 * e["kl_z"] + 0.1 * e["residual"]
    torch.testing.assert_close(terms["loss"], total)
    torch.testing.assert_close(loss, total.mean())


def test_clips_do_not_mix(out):
    """A clip's terms do not change when another clip does."""
    x = torch.rand(3, 4, 1, 8, 8, dtype=torch.float64)
    _, before = elbo(out, x, 1, 2, 1, 1)
    x[2] = 0
    _, after = elbo(out, x, 1, 2, 1, 1)
    for name in before:
        assert torch.equal(before[name][:2], after[name][:2])
    assert before["nll"][2] != after["nll"][2]


def test_half_precision_frames_are_summed_in_float32(out):
    x = torch.rand(3, 4, 1, 8, 8)
    out.frames = out.frames.bfloat16()
    _, terms = elbo(out, x, 1, 2, 1, 1)
    exact = -Normal(out.frames.double(), 1.0).log_prob(x.double()).flatten(1).sum(1)
    torch.testing.assert_close(terms["nll"].double(), exact, rtol=1e-6, atol=0)


def test_still_states_have_a_finite_gradient(out):
    """The norm of a zero residual has no gradient of its own; training must not turn it into NaN."""
    out.residuals = torch.zeros(3, 6, 5, dtype=torch.float64, requires_grad=True)
    loss, _ = elbo(out, torch.rand(3, 4, 1, 8, 8, dtype=torch.float64), 1, 2, 1, 1)
    loss.backward()
    assert out.residuals.grad.isfinite().all()


def test_the_equations_that_docstrings_cite_are_numbered_so():
    """The page counts its labelled equations from 1, in order."""
    page = (Path(__file__).parents[2] / "book" / "notation.md").read_text()
    labels = ["first-state", "prior", "residual-update", "observation", "euler-step", "posterior", "loss"]
    assert re.findall(r":label: (\S+)", page) == labels
    cited = re.findall(r"\((\d)\), ([a-z-]+)", " ".join(m.__doc__ for m in (content, dynamics, elbo_module, inference)))
    assert len(cited) >= 6 and all(labels[int(number) - 1] == label for number, label in cited)


@pytest.mark.bad_input
def test_bad_input(out):
    with pytest.raises(ValueError, match=r"\(3, 4, 1, 8, 8\) and the clips \(3, 5, 1, 8, 8\)"):
        elbo(out, torch.rand(3, 5, 1, 8, 8), 1, 2, 1, 1)
    with pytest.raises(ValueError, match="obs_std .* must be positive, got 0"):
        elbo(out, torch.rand(3, 4, 1, 8, 8), 1, 2, 0, 1)
