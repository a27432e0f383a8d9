"""Networks fused for prediction: the same function, whatever the layer's shape; the model gets its own back."""

import copy
import dataclasses

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small import generator
from torch import nn

from srvp_lite.bench.speed import shake_batch_norms
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.evaluation.scoring import PixelMoments, in_parts
from srvp_lite.metrics import psnr, ssim
from srvp_lite.model.build import build_model
from srvp_lite.model.clips import frames_at_once
from srvp_lite.model.fused import MatmulConvTranspose, fuse, fused_networks
from srvp_lite.presets import preset
from srvp_lite.utils.seeds import seed_of

CONFIGS = {name: preset(name).model for name in ("lite", "smmnist", "kth", "human36m", "bair", "svg-lite")}


@given(
    n_in=st.integers(1, 5),
    n_out=st.integers(1, 12),
    stride=st.integers(1, 3),
    m=st.integers(1, 3),
    padding=st.integers(0, 2),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_products_are_the_transposed_convolution(n_in, n_out, stride, m, padding, height, width, bias, seed):
    assume((min(height, width) + m - 1) * stride > 2 * padding)  # something is left of the image
    g = generator(seed)
    layer = nn.ConvTranspose2d(n_in, n_out, m * stride, stride, padding, bias=bias).double().requires_grad_(False)
    x = torch.randn(3, n_in, height, width, generator=g, dtype=torch.float64)
    products = MatmulConvTranspose(layer)
    expected, pixels = layer(x), x.permute(0, 2, 3, 1).reshape(-1, n_in)
    for ours in (
        products(x),
        products.side_by_side(products.product_per_block(pixels, 3, height, width)),
        products.side_by_side(products.one_product(pixels, 3, height, width)),
    ):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_networks_compute_the_same(name):
    g = generator(1)
    model = build_model(CONFIGS[name]).double().eval()
    shake_batch_norms(model, g)
    c = CONFIGS[name]
    with torch.no_grad():
        frames = torch.rand(3, c.nc, c.nx, c.nx, generator=g, dtype=torch.float64)
        h, features = model.encoder(frames)
        ours, our_features = fuse(model.encoder)(frames)
        torch.testing.assert_close(ours, h, rtol=0, atol=1e-10)
        for a, b in zip(our_features, features, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
        n_latent = next(m for m in model.decoder.modules() if isinstance(m, nn.ConvTranspose2d)).in_channels
        skips = features if getattr(c, "skip", True) else None
        for n in (3, 6):  # vectors: one for each row of the skips, or two
            vector = torch.randn(n, n_latent, generator=g, dtype=torch.float64)
            expected = model.decoder(vector, None if skips is None else [s.repeat_interleave(n // 3, 0) for s in skips])
            for decoder in (model.decoder, fuse(model.decoder)):
                torch.testing.assert_close(decoder(vector, skips), expected, rtol=0, atol=1e-10)


def test_a_model_in_training_mode_is_copied_in_evaluation_mode_and_left_alone():
    model = build_model(CONFIGS["lite"]).train()
    shake_batch_norms(model, generator(2))
    before, encoder, decoder = copy.deepcopy(model.state_dict()), model.encoder, model.decoder
    x = torch.rand(2, 8, 1, 32, 32)
    expected = model.predict(x, 5, 3, generator=generator())
    with fused_networks(model):
        assert model.decoder is not decoder
        ours = model.predict(x, 5, 3, generator=generator())
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    assert model.encoder is encoder and model.decoder is decoder and model.training and decoder.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    with pytest.raises(KeyboardInterrupt), fused_networks(model):
        raise KeyboardInterrupt
    assert model.encoder is encoder and model.decoder is decoder


def test_no_batch_norm_is_left_and_the_weights_have_the_precision_asked_for():
    model = build_model(CONFIGS["smmnist"])
    with fused_networks(model, bf16=True):
        for network in (model.encoder, model.decoder):
            assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
            assert {p.dtype for p in network.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("n_clips", [1, 5])
def test_metrics_in_parts_are_the_metrics(metric, n_clips):
    g = generator()
    futures = torch.rand(3, n_clips, 40, 1, 64, 64, generator=g)
    truth = torch.rand(1, n_clips, 40, 1, 64, 64, generator=g)
    torch.testing.assert_close(in_parts(metric, futures, truth), metric(futures, truth.expand_as(futures)))


def test_frames_decoded_at_once_depend_on_the_widest_layer():
    cpu = torch.device("cpu")
    counts = [frames_at_once(CONFIGS[name], cpu) for name in ("kth", "smmnist", "lite")]
    assert counts == sorted(counts) and 1 <= counts[0] < counts[1]
    assert all(
        frames_at_once(CONFIGS[n], torch.device("cuda")) > frames_at_once(CONFIGS[n], cpu) for n in ("kth", "lite")
    )


@pytest.mark.parametrize("at_once", [1, 3, 7, 100])
def test_frames_decoded_in_parts_are_the_same(monkeypatch, at_once):
    config = dataclasses.replace(CONFIGS["kth"], nf=4, nhx=8, nh_inf=8, nh_res=8)
    model, x = build_model(config).eval(), torch.rand(2, 5, 1, 64, 64)
    whole = model.predict(x, 6, 2, generator=generator())
    monkeypatch.setattr("srvp_lite.model.srvp.frames_at_once", lambda config, device: at_once)
    parts = model.predict(x, 6, 2, generator=generator())
    assert whole.shape == (2, 2, 6, 1, 64, 64)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)


def test_a_model_in_64_bits_stays_there():
    model, clips = build_model(CONFIGS["lite"]).double(), torch.rand(2, 9, 1, 32, 32, dtype=torch.float64)
    scores = score_samples(model, clips, 5, 2, torch.Generator().manual_seed(1)).metrics["psnr"]
    with torch.no_grad():
        noise = generator(seed_of(1, 0, 0, "evaluate"))
        futures = model.predict(clips[:, :5], 4, 2, generator=noise)
    expected = psnr(futures, clips[None, :, 5:].expand_as(futures)).float()
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_moments_of_samples(n):
    samples = torch.rand(n, 3, 2, 1, 4, 4, generator=generator(), dtype=torch.float64)
    moments = PixelMoments()
    for sample in samples:
        moments.add(sample)
    torch.testing.assert_close(moments.mean(), samples.mean(0))
    torch.testing.assert_close(moments.variance(), samples.var(0) if n > 1 else torch.zeros_like(samples[0]))
