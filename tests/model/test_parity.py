"""Equality with the official implementation, on golden vectors made with it (see golden/README.md).

The official arrays are time first; ours are batch first.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import GOLDEN

import srvp_lite
from srvp_lite.model.clips import evaluation_mode
from srvp_lite.model.elbo import elbo
from srvp_lite.model.gaussian import Gaussian

TOLERANCE = dict(rtol=0, atol=1e-5)


class Case:
    def __init__(self, name):
        self.model = srvp_lite.load(GOLDEN / name)
        self.config = self.model.config
        arrays = np.load(GOLDEN / name / "expected.npz")
        self.expected = {k: torch.from_numpy(arrays[k]) for k in arrays.files}

    def batch_first(self, key):
        return self.expected[key].transpose(0, 1)

    def gaussian(self, raw):
        return Gaussian.from_raw(raw)


@pytest.fixture(scope="module", params=["dcgan", "vgg_skip"])
def case(request):
    return Case(request.param)


def close(ours, official, **tolerance):
    torch.testing.assert_close(ours, official, **(tolerance or TOLERANCE))


def same_gaussian(ours, raw):
    expected = Gaussian.from_raw(raw)
    close(ours.mean, expected.mean)
    close(ours.std, expected.std)


@torch.no_grad()
def test_encodings_skips_and_content(case):
    h, skips = case.model.encode(case.batch_first("x_cond"))
    close(h, case.batch_first("hx"))
    close(case.model.content(h[:, -case.config.nt_inf :]), case.expected["w"])
    if case.config.skip:
        for i, skip in enumerate(skips):
            close(skip.mean(dim=(2, 3)), case.expected[f"skip_{i}"])
    else:
        assert skips is None


@torch.no_grad()
def test_posteriors_and_prior(case):
    h = case.batch_first("hx")
    same_gaussian(case.model.inference.q_y(h[:, : case.config.nt_inf]), case.expected["q_y_params"])
    same_gaussian(case.model.inference.q_z(h), case.batch_first("q_z_params")[:, 1:])
    same_gaussian(case.model.dynamics.p_z(case.expected["y_in"]), case.expected["p_z_params"])


@torch.no_grad()
def test_one_residual_step(case):
    states, _ = case.model.dynamics.one_frame(case.expected["y_in"], case.expected["z_in"], case.config.steps_per_frame)
    close(states[0], case.expected["y_step"])


def test_every_term_of_the_loss(case):
    e = case.expected
    out = SimpleNamespace(
        frames=case.batch_first("loss_x_hat"),
        q_y=Gaussian.from_raw(e["loss_q_y_params"]),
        q_z=Gaussian.from_raw(case.batch_first("loss_q_z_params")),
        p_z=Gaussian.from_raw(case.batch_first("loss_p_z_params")),
        residuals=case.batch_first("loss_res"),
    )
    x = case.batch_first("x_cond")
    loss, terms = elbo(out, x, beta_y=1, beta_z=2, obs_std=e["loss_obs_scale"].item(), residual_penalty=1)
    for ours, official in {"nll": "nll", "kl_y": "kl_y", "kl_z": "kl_z", "residual": "l2_res"}.items():
        close(terms[ours].mean(), e[official], rtol=1e-5, atol=1e-5)
    close(loss, e["loss_beta_z_2"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_whole_reconstruction_and_prediction(case):
    """The golden models have a standard deviation of 1e-8 everywhere, so their samples are their means."""
    model, e, K = case.model, case.expected, case.config.steps_per_frame
    x = case.batch_first("x_cond")
    with evaluation_mode(model):
        out = model(x)
    close(out.frames, case.batch_first("det_x_rec"))
    close(out.y, case.batch_first("det_y"))
    close(out.z, case.batch_first("det_z"))
    close(out.w, e["w"])
    close(model.reconstruct(x), case.batch_first("det_x_rec"))

    n_frames = len(e["det_x_pred"])
    close(model.predict(x, n_frames)[0], case.batch_first("det_x_pred"))
    y, z = model.dynamics.generate(out.y[:, -1], n_frames, K)
    close(y[:, K - 1 :: K], case.batch_first("det_y_pred"))
    close(z, case.batch_first("det_z_pred"))

    fine, _ = model.dynamics.generate(out.y[:, -1], n_frames, 2 * K)
    close(torch.cat([out.y[:, -1:], fine], dim=1), case.batch_first("det_y_fine"))


@torch.no_grad()
def test_prediction_at_twice_the_frame_rate_decodes_the_fine_states(case):
    model, K = case.model, case.config.steps_per_frame
    x = case.batch_first("x_cond")
    h, skips = model.encode(x)
    n_frames = len(case.expected["det_x_pred"])
    fine = model.predict(x, n_frames, steps_per_frame=2 * K, frame_rate=2)[0]
    states = case.batch_first("det_y_fine")[:, K::K]  # every half frame
    close(fine, model.decode(case.expected["w"], states, skips))


def test_parameter_counts():
    """Counts of the official models, part by part for Stochastic Moving MNIST."""
    counts = {
        "smmnist": 10_678_284,
        "mmnist": 10_678_284,
        "kth": 23_877_854,
        "human36m": 23_880_158,
        "bair": 23_847_390,
    }

    def count(module):
        return sum(p.numel() for p in module.parameters())

    models = {name: srvp_lite.SRVP(srvp_lite.preset(name).model) for name in counts}
    assert {name: count(model) for name, model in models.items()} == counts
    m = models["smmnist"]
    parts = [m.encoder, m.decoder, m.inference.first_state, m.inference.lstm, m.dynamics.prior, m.dynamics.f]
    assert [count(part) for part in parts] == [3_804_160, 5_016_448, 240_168, 395_264, 556_584, 556_564]
