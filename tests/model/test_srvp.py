"""The model's promises: shapes, determinism under a generator, independence, and errors that help."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import SIZES, generator

from srvp_lite.config import LossWeights, SRVPConfig
from srvp_lite.model.clips import evaluation_mode
from srvp_lite.model.content import random_frames
from srvp_lite.model.elbo import elbo
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset


def small(**changes):
    torch.manual_seed(0)
    return SRVP(SRVPConfig(**SIZES | changes))


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_shapes_and_gradients(skip, steps):
    model = small(skip=skip, steps_per_frame=steps, nc=2)
    x = torch.rand(2, 6, 2, 16, 16)
    out = model(x, generator())
    assert out.frames.shape == x.shape
    assert out.y.shape == (2, 6, 3) and out.z.shape == (2, 5, 2) and out.w.shape == (2, 12)
    assert out.q_y.mean.shape == (2, 3) and out.q_z.std.shape == out.p_z.mean.shape == (2, 5, 2)
    assert out.residuals.shape == (2, 5 * steps, 3)
    loss, _ = elbo(out, x, 1, 2, 1, 1)
    loss.backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0, name


@pytest.mark.parametrize("skip", [False, True])
@torch.no_grad()
def test_inference_draws_in_the_order_asked_for(skip):
    """Against the parts, called one by one; samples outermost."""
    model, x = small(skip=skip).eval(), torch.rand(2, 6, 1, 16, 16)
    h, skips = model.encode(x)
    q_y, q_z = model.inference.q_y(h[:, :3]), model.inference.q_z(h)
    for draw in ("z first", "y_1 first", "means"):
        seen, g = model.infer(x, generator=generator(4), draw=draw), generator(4)
        if draw == "z first":
            z, y_1 = q_z.sample(g), q_y.sample(g)
        elif draw == "y_1 first":
            y_1, z = q_y.sample(g), q_z.sample(g)
        else:
            y_1, z = q_y.mean, q_z.mean
        torch.testing.assert_close(seen.z, z)
        torch.testing.assert_close(seen.y, model.dynamics.rollout(y_1, z, 1)[0])
        torch.testing.assert_close(seen.w, model.content(h[:, -3:]))
    three = model.infer(x, 3, generator(5))
    assert not torch.equal(three.z[:2], three.z[2:4]) and torch.equal(three.w[:2], three.w[2:4])
    torch.testing.assert_close(three.q_y.mean, q_y.mean.repeat(3, 1))
    assert (three.skips is None) == (not skip)
    for repeated, one in zip(three.skips or [], skips or []):
        torch.testing.assert_close(repeated, one.repeat(3, 1, 1, 1))


def test_a_share_counts_of_all_weights_but_the_nlls():
    model, x = small(), torch.rand(2, 6, 1, 16, 16)
    out, weights = model(x, generator()), LossWeights(beta_y=1.0, beta_z=2.0, obs_std=0.5, residual_penalty=3.0)
    _, terms = model.loss(out, x, weights, torch.tensor(0.25))
    expected = terms["nll"] + 0.25 * (terms["kl_y"] + 2 * terms["kl_z"] + 3 * terms["residual"])
    torch.testing.assert_close(terms["loss"], expected)
    assert torch.equal(model.loss(out, x, weights)[0], elbo(out, x, 1.0, 2.0, 0.5, 3.0)[0])


@given(K=st.integers(1, 12), T=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_steps_are_counted_exactly(K, T):
    """Every frame is there whatever K, powers of two or not; the states are the running sum of the residuals."""
    model = small()
    y, residuals = model.dynamics.rollout(torch.zeros(1, 3), torch.randn(1, T - 1, 2), K)
    assert y.shape == (1, T, 3) and residuals.shape == (1, (T - 1) * K, 3)
    torch.testing.assert_close(y[:, 1:], residuals.cumsum(1)[:, K - 1 :: K], rtol=1e-4, atol=1e-4)


def test_same_generator_same_result_and_another_seed_another():
    model = small()
    x = torch.rand(2, 6, 1, 16, 16)
    a, b, c = (model.predict(x, 4, 3, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    model(x, generator(3))
    model.predict(x, 2, generator=generator(3))
    assert torch.equal(torch.random.get_rng_state(), before), "a passed generator must be the only source of noise"


def test_clips_do_not_influence_each_other_in_evaluation():
    model = small(skip=True).eval()
    x = torch.rand(3, 5, 1, 16, 16)
    h, _ = model.encode(x)
    h_alone, _ = model.encode(x[1:2])
    torch.testing.assert_close(h[1:2], h_alone)


def test_filtering_never_looks_ahead():
    """q(z_t) sees the frames up to t: changing a later frame leaves it as it was."""
    model = small().eval()
    x = torch.rand(1, 8, 1, 16, 16)
    changed = x.clone()
    changed[:, 5:] = torch.rand(1, 3, 1, 16, 16)
    with torch.no_grad():
        a, b = model(x, generator()).q_z, model(changed, generator()).q_z
    # q_z[:, i] is of frame i + 1, counted from 0: frame 5 is the first that differs.
    assert torch.equal(a.mean[:, :4], b.mean[:, :4])
    assert not torch.equal(a.mean[:, 4], b.mean[:, 4])


@given(st.permutations(list(range(3))), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_content_ignores_the_order_of_frames(order, seed):
    model = small()
    h = torch.randn(2, 3, 8, generator=generator(seed))
    torch.testing.assert_close(model.content(h[:, order]), model.content(h))


def test_random_frames_are_drawn_without_replacement_and_evenly():
    t = random_frames(20_000, 6, 3, generator())
    assert t.shape == (20_000, 3)
    assert (t.sort(dim=1).values.diff(dim=1) > 0).all()
    share = torch.bincount(t.flatten(), minlength=6) / 20_000
    torch.testing.assert_close(share, torch.full((6,), 0.5), atol=0.02, rtol=0)


def test_training_reads_content_and_skips_from_anywhere_but_evaluation_from_the_end():
    model = small(skip=True)
    x = torch.rand(1, 8, 1, 16, 16)
    with evaluation_mode(model), torch.no_grad():
        before = model.encode(x)[1]
        x[:, :-1] = torch.rand(1, 7, 1, 16, 16)
        after = model.encode(x)[1]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(before, after))
    h = torch.arange(8.0).view(1, 8, 1).expand(1, 8, 8)
    model.eval()
    assert model.content_encodings(h)[0, :, 0].tolist() == [5, 6, 7]
    model.train()
    drawn = {tuple(sorted(model.content_encodings(h, generator(s))[0, :, 0].tolist())) for s in range(40)}
    assert len(drawn) > 10


@pytest.mark.parametrize("frame_rate", [1, 2, 3, 5])
def test_frame_rate_keeps_the_true_instants(frame_rate):
    """With the same sub-steps and noise, every frame_rate-th frame is the frame at the plain rate."""
    model = small()
    x = torch.rand(2, 4, 1, 16, 16)
    steps = 30
    plain = model.predict(x, 4, 2, steps_per_frame=steps, generator=generator())
    fine = model.predict(x, 4, 2, steps_per_frame=steps, frame_rate=frame_rate, generator=generator())
    assert fine.shape == (2, 2, 4 * frame_rate, 1, 16, 16)
    torch.testing.assert_close(fine[:, :, frame_rate - 1 :: frame_rate], plain)


def test_prediction_leaves_the_mode_and_makes_no_graph():
    model = small().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    future = model.predict(torch.rand(1, 4, 1, 16, 16), 2)
    assert model.training and model.encoder.training and not future.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items()), "batch statistics must not move"


GOOD = torch.rand(2, 4, 1, 16, 16)


@pytest.mark.parametrize(
    "clips, error, message",
    [
        (GOOD.numpy(), TypeError, "must be a torch tensor .* got ndarray"),
        ((GOOD * 255).byte(), TypeError, r"floats in \[0, 1\], got torch.uint8; for bytes use"),
        (GOOD[0], ValueError, r"5 dimensions, .* got \(4, 1, 16, 16\); a single clip needs x\[None\]"),
        (GOOD.expand(2, 4, 3, 16, 16), ValueError, r"takes 1 channel\(s\), .* got 3"),
        (torch.rand(2, 4, 1, 16, 32), ValueError, "frames of 16x16 pixels"),
        (GOOD[:, :2], ValueError, "at least 3 frames .* got 2"),
        (GOOD[:0], ValueError, "empty batch"),
        (GOOD * 255, ValueError, r"in \[0, 1\], got values from .* divide bytes by 255"),
        (GOOD * float("nan"), ValueError, "got values from nan"),
    ],
)
@pytest.mark.bad_input
def test_unfit_clips_are_refused_with_a_way_out(clips, error, message):
    model = small()
    for call in (model, model.encode, model.reconstruct, lambda x: model.predict(x, 3)):
        with pytest.raises(error, match=message):
            call(clips)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(n_frames=0), "n_frames must be at least 1, got 0"),
        (dict(n_frames=2, n_samples=0), "n_samples must be at least 1, got 0"),
        (dict(n_frames=2, frame_rate=0), "frame_rate must be"),
        (dict(n_frames=2, frame_rate=2, steps_per_frame=3), "choose a multiple of frame_rate=2"),
    ],
)
@pytest.mark.bad_input
def test_unfit_counts_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        small().predict(GOOD, **arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(nx=48), "power of two .* got 48"),
        (dict(ny=0), "ny must be a whole number of at least 1, got 0"),
        (dict(nz=2.5), "nz must be a whole number"),
        (dict(network="resnet"), "network must be one of dcgan, vgg, got 'resnet'"),
        (dict(network="vgg", nx=32), "made for 64x64"),
    ],
)
@pytest.mark.bad_input
def test_unfit_configurations_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SRVPConfig(**arguments)
    with pytest.raises(ValueError, match="no preset named 'cityscapes'; there are lite"):
        preset("cityscapes")


@pytest.mark.parametrize("share", [1.0, 0.1, torch.tensor(0.3)])
def test_of_all_weights_but_the_nlls_a_share_counts(share):
    model, x = small(), torch.rand(2, 6, 1, 16, 16)
    weights = LossWeights(beta_y=0.5, beta_z=2.0, obs_std=0.7, residual_penalty=1.5)
    loss, terms = model.loss(model(x, generator()), x, weights, share)
    rest = 0.5 * terms["kl_y"] + 2.0 * terms["kl_z"] + 1.5 * terms["residual"]
    torch.testing.assert_close(loss, (terms["nll"] + share * rest).mean())
