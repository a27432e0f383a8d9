"""Ablations: each variant computes what its name says, and nothing else changes."""

import dataclasses
import warnings
from typing import get_args, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import SIZES, generator
from torch import nn

from srvp_lite.checkpoint.official import save_official
from srvp_lite.config import Experiment, SRVPConfig
from srvp_lite.model.ablations import POSTERIORS, TRANSITIONS
from srvp_lite.model.mlp import mlp
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset

SMALL = SRVPConfig(**SIZES)
WEIGHTS = preset("lite").train.loss_weights


def model_of(seed=0, **changes):
    torch.manual_seed(seed)
    return SRVP(dataclasses.replace(SMALL, **changes)).eval()


def clips(n=2, t=6, seed=1):
    return torch.rand(n, t, 1, 16, 16, generator=generator(seed))


@torch.no_grad()
def test_gru_transition_is_torchs_gru_with_y_as_its_hidden_state():
    d = model_of(transition="gru").dynamics
    gru = nn.GRU(2, 3, batch_first=True)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(gru, f"{name}_l0").copy_(getattr(d.f, name))
    y_1, z = torch.randn(4, 3), torch.randn(4, 7, 2)
    y, residuals = d.rollout(y_1, z, 1)
    expected, _ = gru(z, y_1[None])
    torch.testing.assert_close(y[:, 1:], expected)
    torch.testing.assert_close(residuals, y.diff(dim=1))


@torch.no_grad()
def test_mlp_transition_forgets_the_state_it_came_from_but_through_the_network():
    d = model_of(transition="mlp").dynamics
    y_1, z = torch.randn(4, 3), torch.randn(4, 5, 2)
    y, residuals = d.rollout(y_1, z, 1)
    at = y_1
    for t in range(5):
        at = d.f(torch.cat([at, z[:, t]], 1))
        torch.testing.assert_close(y[:, t + 1], at)
    torch.testing.assert_close(residuals, y.diff(dim=1))


def test_configurations_and_tables_name_the_same_parts():
    known = get_type_hints(SRVPConfig)
    assert set(TRANSITIONS) == set(get_args(known["transition"]))
    assert set(POSTERIORS) == set(get_args(known["q_z"]))


@pytest.mark.parametrize("kind, f", [("mlp", lambda: mlp(5, 16, 3, 2)), ("gru", lambda: nn.GRUCell(2, 3))])
def test_no_network_is_made_to_be_thrown_away(kind, f):
    """From one seed, the weights are those of f and the prior, made one after the other."""
    torch.manual_seed(3)
    ours = TRANSITIONS[kind](ny=3, nz=2, nh_res=16, nlayers_res=2, res_gain=1.41)
    torch.manual_seed(3)
    expected = [*f().parameters(), *mlp(3, 16, 4, 2).parameters()]
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), expected, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_window_sees_two_frames_and_the_lstm_all_before(t, seed):
    h = torch.randn(1, 8, 8, generator=generator(seed), requires_grad=True)
    for q_z, seen in (("window", {t, t + 1}), ("lstm", set(range(t + 2)))):
        q = model_of(q_z=q_z).inference.q_z(h)
        assert q.mean.shape == (1, 7, 2)
        (grad,) = torch.autograd.grad(q.mean[0, t].sum() + q.std[0, t].sum(), h)
        assert set(grad[0].abs().sum(-1).nonzero()[:, 0].tolist()) == seen


def test_without_z_nothing_is_drawn_but_the_first_state():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = model_of(nz=0)
    x = clips()
    out = model(x, generator())
    _, terms = model.loss(out, x, WEIGHTS)
    assert out.z.shape == (2, 5, 0) and torch.equal(terms["kl_z"], torch.zeros(2))
    y = torch.randn(2, 3)
    a, b = (model.dynamics.generate(y, 4, 1, generator(s))[0] for s in (1, 2))
    assert torch.equal(a, b)
    loss, _ = model.loss(out, x, WEIGHTS)
    loss.backward()
    assert all(p.grad is not None for p in model.dynamics.f.parameters())


@torch.no_grad()
def test_without_w_frames_follow_from_y_alone():
    model, x = model_of(use_w=False), clips()
    out = model(x, generator())
    assert out.w.shape == (2, 0)
    torch.testing.assert_close(model.decode(torch.zeros(2, 0), out.y), out.frames)
    assert model.decoder.from_vector[0].in_channels == SMALL.ny


def test_a_variant_changes_its_own_part_only():
    whole = {name: p.shape for name, p in model_of().named_parameters()}
    for changes, part in [
        (dict(transition="mlp"), "dynamics.f"),
        (dict(transition="gru"), "dynamics.f"),
        (dict(q_z="window"), "inference"),
        (dict(nz=0), ("dynamics", "inference.to_z")),
        (dict(use_w=False), ("content", "decoder.from_vector")),
        (dict(steps_per_frame=2), "nothing"),
    ]:
        other = {name: p.shape for name, p in model_of(**changes).named_parameters()}
        changed = {n for n in whole.keys() | other.keys() if whole.get(n) != other.get(n)}
        assert all(name.startswith(part) for name in changed)
        assert bool(changed) == (changes not in (dict(transition="mlp"), dict(steps_per_frame=2)))


@pytest.mark.parametrize(
    "changes", [dict(transition="mlp"), dict(transition="gru"), dict(nz=0), dict(use_w=False), dict(q_z="window")]
)
def test_every_variant_predicts_trains_and_comes_back(changes, tmp_path):
    from srvp_lite import checkpoint

    model, x = model_of(**changes), clips()
    assert model.predict(x[:, :3], 4, 2).shape == (2, 2, 4, 1, 16, 16)
    loss, _ = model.train().loss(model(x), x, WEIGHTS)
    loss.backward()
    assert loss.isfinite()
    checkpoint.save(model, tmp_path / "m.safetensors")
    again = checkpoint.load(tmp_path / "m.safetensors")
    assert again.config == model.config
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))


@pytest.mark.bad_input
def test_what_variants_cannot_do_is_said(tmp_path):
    from srvp_lite.model import ode

    with pytest.raises(ValueError, match="one step per frame"):
        dataclasses.replace(SMALL, transition="gru", steps_per_frame=2)
    with pytest.raises(ValueError, match="transition must be one of residual, mlp, gru"):
        dataclasses.replace(SMALL, transition="rk4")
    with pytest.raises(ValueError, match="q_z must be one of lstm, window"):
        dataclasses.replace(SMALL, q_z="all")
    with pytest.raises(ValueError, match="nz must be a whole number of at least 0"):
        dataclasses.replace(SMALL, nz=-1)
    with pytest.raises(ValueError, match="ny must be a whole number of at least 1"):
        dataclasses.replace(SMALL, ny=0)
    model = model_of(transition="mlp")
    for options in (dict(frame_rate=2), dict(steps_per_frame=2)):
        with pytest.raises(ValueError, match="mlp transition goes from frame to frame"):
            model.predict(clips(), 2, **options)
    with pytest.raises(ValueError, match="no differential equation"):
        ode.predict(model, clips(), [1.0])
    with pytest.raises(ValueError, match="from frame to frame in one step"):
        model.dynamics.one_frame(torch.zeros(1, 3), torch.zeros(1, 2), 2)
    with pytest.raises(ValueError, match="only the full SRVP model"):
        save_official(model, tmp_path, Experiment(dataclasses.replace(SRVPConfig(), transition="mlp")))
