"""SVG: the vectorised training pass equals a loop over time, predictions obey it, batch norms do as they are told."""

import dataclasses
from typing import get_args

import pytest
import torch
from small import generator
from torch import nn
from torch.distributions import Normal, kl_divergence

import srvp_lite
from srvp_lite import checkpoint, metrics
from srvp_lite.config import Experiment, ModelConfig, SRVPConfig, SVGConfig, TrainConfig
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.model.build import MODELS, build_model
from srvp_lite.model.clips import prediction_options
from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.svg import SVG, batch_statistics
from srvp_lite.presets import preset
from srvp_lite.training.loop import train
from srvp_lite.training.step import Step

WEIGHTS = preset("svg-lite").train.loss_weights
SMALL = SVGConfig(nx=16, nf=4, g_dim=8, z_dim=3, rnn_size=12, n_past=3)


def model_of(config=SMALL, seed=0):
    torch.manual_seed(seed)
    model = SVG(config).eval()
    for p in model.parameters():  # the initial weights are too small to tell a wrong wire by
        p.data += 0.1 * torch.randn_like(p)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
    return model


def clips_of(config=SMALL, n=2, t=6, seed=1):
    return torch.rand(n, t, config.nc, config.nx, config.nx, generator=generator(seed))


@pytest.fixture
def no_noise(monkeypatch):
    monkeypatch.setattr(Gaussian, "sample", lambda self, generator=None: self.mean)


class Cells:
    """A `Recurrent` of the package, stepped by LSTM cells: the second way to compute it."""

    def __init__(self, recurrent, n_clips):
        self.r, lstm = recurrent, recurrent.lstm
        self.cells, self.state = [], []
        for layer in range(lstm.num_layers):
            cell = nn.LSTMCell(lstm.hidden_size, lstm.hidden_size)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(cell, name).data.copy_(getattr(lstm, f"{name}_l{layer}"))
            self.cells.append(cell)
            self.state.append((torch.zeros(n_clips, lstm.hidden_size),) * 2)

    def __call__(self, x):
        x = self.r.embed(x)
        for i, cell in enumerate(self.cells):
            self.state[i] = cell(x, self.state[i])
            x = self.state[i][0]
        return self.r.out(x)


def split(raw):
    mean, log_variance = raw.chunk(2, -1)
    return mean, (0.5 * log_variance).exp()


@pytest.mark.parametrize("last_frame_skip", [False, True])
@pytest.mark.parametrize("network", ["dcgan", "vgg"])
@torch.no_grad()
def test_training_pass_is_the_papers_loop_over_time(no_noise, network, last_frame_skip):
    size = dict(network=network, nx=64 if network == "vgg" else 16, last_frame_skip=last_frame_skip)
    model = model_of(dataclasses.replace(SMALL, **size))
    x = clips_of(model.config)
    predictor, posterior, prior = (Cells(r, len(x)) for r in (model.predictor, model.posterior, model.prior))
    frames, kl = [], 0.0
    for t in range(1, x.shape[1]):
        h, features = model.encoder(x[:, t - 1])
        if t < model.config.n_past or last_frame_skip:
            skips = features
        q, p = split(posterior(model.encoder(x[:, t])[0])), split(prior(h))
        kl = kl + kl_divergence(Normal(*q), Normal(*p)).sum(1)
        frames.append(model.decoder(torch.tanh(predictor(torch.cat([h, q[0]], 1))), skips))
    frames = torch.stack(frames, 1)
    out = model(x)
    torch.testing.assert_close(out.frames, frames, atol=1e-5, rtol=0)
    loss, terms = model.loss(out, x, WEIGHTS)
    torch.testing.assert_close(terms["kl_z"], kl, rtol=1e-4, atol=1e-5)
    mse = sum(nn.functional.mse_loss(frames[:, t], x[:, t + 1]) for t in range(x.shape[1] - 1))
    torch.testing.assert_close(loss, mse + model.config.beta * kl.mean(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("last_frame_skip", [False, True])
@torch.no_grad()
def test_prediction_is_the_loop_on_its_own_frames(no_noise, last_frame_skip):
    model = model_of(dataclasses.replace(SMALL, last_frame_skip=last_frame_skip))
    x = clips_of(t=3)
    predictor, posterior, prior = (Cells(r, len(x)) for r in (model.predictor, model.posterior, model.prior))
    seen, frames = x[:, 0], []
    for t in range(1, 8):
        h, features = model.encoder(seen)
        if t < 3 or last_frame_skip:
            skips = features
        p = split(prior(h))
        if t < 3:
            z, seen = split(posterior(model.encoder(x[:, t])[0]))[0], x[:, t]
            predictor(torch.cat([h, z], 1))
        else:
            seen = model.decoder(torch.tanh(predictor(torch.cat([h, p[0]], 1))), skips)
            frames.append(seen)
    futures = model.predict(x, 5, 3)
    assert futures.shape == (3, 2, 5, 1, 16, 16)
    for future in futures:
        torch.testing.assert_close(future, torch.stack(frames, 1), atol=1e-5, rtol=0)


def test_parameters_are_those_of_the_authors_code():
    # Counted there for 64x64: 12,614,057, of which 2,048 are biases that the batch norms behind them cancel.
    assert sum(p.numel() for p in SVG(SVGConfig()).parameters()) == 12_614_057 - 2_048


def test_noise_comes_from_the_generator_and_samples_differ():
    model, x = model_of(), clips_of(t=4)
    a, b = (model.predict(x, 4, 2, generator=generator(3)) for _ in range(2))
    assert torch.equal(a, b) and not torch.equal(a[0], a[1])
    assert a.amin() > 0 and a.amax() < 1


@torch.no_grad()
def test_batch_statistics_make_a_future_depend_on_its_neighbours_and_leave_no_trace(no_noise):
    model, x = model_of(), clips_of(n=4, t=4)
    state = {name: t.clone() for name, t in model.state_dict().items()}
    alone, together = model.predict(x[:2], 3)[0], model.predict(x, 3)[0, :2]
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=0)
    alone, together = (model.predict(v, 3, batch_norm="batch")[0, :2] for v in (x[:2], x))
    assert (alone - together).abs().max() > 1e-3
    assert all(torch.equal(t, state[name]) for name, t in model.state_dict().items())
    assert not model.training and not any(m.training for m in model.modules())


@torch.no_grad()
def test_batch_statistics_are_those_of_training_mode():
    model, x = model_of(), clips_of(n=4, t=1)[:, 0]
    with batch_statistics(model):
        ours, _ = model.encoder(x)
    theirs, _ = model.train().encoder(x)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.bad_input
def test_what_svg_cannot_do_is_said():
    model, x = model_of(), clips_of(t=4)
    for options, words in [
        (dict(batch_norm="mine"), "'running' or 'batch'"),
        (dict(n_samples=0), "n_samples must be at least 1"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.predict(x, 3, **options)
    for options, words in [
        (dict(frame_rate=2), "SVG goes from frame to frame: it has no frame_rate; leave it out"),
        (dict(steps_per_frame=4, frame_rate=2), "no steps_per_frame and no frame_rate"),
    ]:
        with pytest.raises(ValueError, match=words):
            prediction_options(model, **options)
        with pytest.raises(TypeError, match="unexpected keyword"):
            model.predict(x, 3, **options)
    with pytest.raises(ValueError, match="at least 2 frames"):
        model.predict(x[:, :1], 3)
    with pytest.raises(TypeError, match="floats in"):
        model(x.mul(255).byte())
    with pytest.raises(ValueError, match="two conditioning frames"):
        SVGConfig(n_past=1)
    with pytest.raises(ValueError, match="beta must be positive"):
        SVGConfig(beta=0.0)
    with pytest.raises(ValueError, match="n_past=5 and n_cond=4"):
        Experiment(SVGConfig(), train=TrainConfig(n_cond=4))


@pytest.mark.slow
def test_it_trains_saves_loads_and_is_scored(tmp_path):
    t = dataclasses.replace(
        preset("svg-lite").train, batch_size=4, n_frames=7, n_frames_test=8, val_clips=4, val_samples=2,
        constant_steps=6, decay_steps=4, val_interval=5, checkpoint_interval=5, log_interval=5,
    )  # fmt: skip
    small = dataclasses.replace(preset("svg-lite").model, nf=4, g_dim=8, z_dim=3, rnn_size=12)
    experiment = dataclasses.replace(preset("svg-lite"), model=small, train=t)
    assert Experiment.from_dict(experiment.to_dict()) == experiment
    best = train(experiment, tmp_path / "svg")
    model = srvp_lite.load(best)
    assert isinstance(model, SVG) and model.config == small
    assert checkpoint.load_experiment(best) == experiment
    x = clips_of(small, t=8)
    scores = score_samples(model, x, 5, 3).metrics["psnr"]
    futures = model.predict(x[:, :5], 3, 3, generator=generator())
    assert scores.shape == metrics.psnr(futures, x[None, :, 5:].expand_as(futures)).shape == (3, 2, 3)


@pytest.mark.slow
def test_its_loss_falls():
    experiment = dataclasses.replace(
        preset("svg-lite"), model=dataclasses.replace(preset("svg-lite").model, nf=4, g_dim=8, rnn_size=12)
    )
    step, x = Step(experiment, torch.device("cpu")), clips_of(experiment.model, n=4, t=8) * 0.2
    losses = [step(x, i, 2e-3)["loss"].item() for i in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def test_every_kind_of_configuration_has_its_model():
    assert set(MODELS) == set(get_args(ModelConfig))
    assert isinstance(build_model(SMALL), SVG)
    assert isinstance(build_model(SRVPConfig(nx=16, nf=4)), srvp_lite.SRVP)


def test_options_that_are_not_set_are_nobodys():
    model = model_of()
    assert prediction_options(model, steps_per_frame=None, frame_rate=None) == {}
    assert prediction_options(model, batch_norm="batch", frame_rate=None) == {"batch_norm": "batch"}
    assert prediction_options(srvp_lite.SRVP(SRVPConfig(nx=16, nf=4)), frame_rate=2) == {"frame_rate": 2}
