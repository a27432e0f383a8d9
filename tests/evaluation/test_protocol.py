"""The protocol, against a slow reading of it."""

import dataclasses
import itertools
import math

import pytest
import torch
from small import generator

from srvp_lite import metrics
from srvp_lite.config import SRVPConfig
from srvp_lite.evaluation import Scoring, best_worst_random, evaluate, score_samples, table
from srvp_lite.metrics.fvd import FVD
from srvp_lite.metrics.intervals import mean_and_interval
from srvp_lite.model.fused import fused_networks
from srvp_lite.model.srvp import SRVP
from srvp_lite.utils.seeds import seed_of

SMALL = SRVPConfig(nx=16, nf=4, nhx=8, ny=3, nz=2, nt_inf=3, nh_inf=12, nh_res=16)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SRVP(SMALL).eval()


@pytest.fixture(scope="module")
def clips():
    return torch.rand(5, 9, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def test_scores_are_those_of_the_predictions(model, clips):
    scores = score_samples(model, clips, 4, 3, generator(7)).metrics
    noise = torch.Generator().manual_seed(seed_of(7, 0, 0, "evaluate"))
    futures = model.predict(clips[:, :4], 5, 3, generator=noise)
    for name in ("psnr", "ssim"):
        one = getattr(metrics, name)
        expected = torch.stack([one(f, clips[:, 4:]) for f in futures])
        torch.testing.assert_close(scores[name], expected)


@pytest.mark.parametrize("frames_per_call", [1, 7, 23, 61])
def test_grouping_changes_the_noise_but_not_the_order(model, frames_per_call):
    """Clips of one grey value each, from black to white: whatever the noise, the score tells which clip it is of."""
    grey = torch.linspace(0, 1, 5)[:, None, None, None, None].expand(5, 9, 1, 16, 16)
    one_group, groups, again = (
        score_samples(model, grey, 4, 6, scoring=Scoring(frames_per_call=n))
        for n in (10_000, frames_per_call, frames_per_call)
    )
    assert not torch.equal(one_group.metrics["psnr"], groups.metrics["psnr"]), "other groups, other noise"
    assert torch.equal(groups.metrics["psnr"], again.metrics["psnr"]), "the same groups, the same noise"
    # A clip's frames differ from the model's by far more than two draws of the model do.
    distance = (groups.metrics["psnr"].mean(0)[:, None] - one_group.metrics["psnr"].mean(0)[None]).abs().mean(2)
    assert distance.argmin(dim=1).tolist() == [0, 1, 2, 3, 4], "each clip's scores stand where the clip does"


def test_best_of_n_is_per_metric_and_clip(model, clips):
    results = evaluate(model, clips, 4, 20, generator(3))
    scores = score_samples(model, clips, 4, 20, generator(3)).metrics
    for name in ("psnr", "ssim"):
        best = [max(scores[name][s, i].mean().item() for s in range(20)) for i in range(5)]
        assert results.metrics[name].best_of[20]["mean"] == pytest.approx(sum(best) / 5, abs=1e-5)
        spread = math.sqrt(sum((b - sum(best) / 5) ** 2 for b in best) / 5)
        assert results.metrics[name].best_of[20]["interval"] == pytest.approx(1.96 * spread / math.sqrt(5), abs=1e-5)
        values = [results.metrics[name].best_of[n]["mean"] for n in (1, 5, 20)]
        assert values == sorted(values)
        assert len(results.metrics[name].per_frame) == 5
        assert sum(results.metrics[name].per_frame) / 5 == pytest.approx(values[-1], abs=1e-5)
    copy = metrics.psnr(clips[:, 3:4].expand(-1, 5, -1, -1, -1), clips[:, 4:]).mean().item()
    assert results.metrics["psnr"].copy_last["mean"] == pytest.approx(copy, abs=1e-5)
    text = table(results)
    assert "best of 20" in text and "copy last frame" in text and "5 clips, 4 frames given, 5 predicted" in text


def test_bytes_score_as_their_floats(model, clips):
    as_bytes = (clips * 255).to(torch.uint8)
    a = score_samples(model, as_bytes, 4, 3, generator(7)).metrics
    b = score_samples(model, as_bytes.float() / 255, 4, 3, generator(7)).metrics
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_spread_and_error_are_those_of_the_samples(model, clips):
    """Against NumPy's variance, over all samples at once and over several calls."""
    for frames_per_call in (10_000, 10):
        scores = score_samples(model, clips, 4, 6, generator(7), Scoring(frames_per_call=frames_per_call))
        if frames_per_call == 10_000:
            noise = torch.Generator().manual_seed(seed_of(7, 0, 0, "evaluate"))
            futures = model.predict(clips[:, :4], 5, 6, generator=noise).double()
            torch.testing.assert_close(scores.spread.double(), futures.var(0).mean((2, 3, 4)), rtol=1e-4, atol=1e-9)
            expected = (futures.mean(0) - clips[:, 4:]).square().mean((2, 3, 4))
            torch.testing.assert_close(scores.error.double(), expected, rtol=1e-4, atol=1e-9)
        assert scores.spread.shape == (5, 5) and (scores.error > 0).all()


class Calibrated(torch.nn.Module):
    """A model whose samples are the truth plus noise of a known size; the truth strays by noise of its own."""

    def __init__(self, truth, spread):
        super().__init__()
        self.truth, self.spread, self.unused = truth, spread, torch.nn.Parameter(torch.zeros(()))

    def predict(self, x, n_frames, n_samples, steps=None, generator=None):
        shape = (n_samples, *self.truth.shape)
        return self.truth + self.spread * torch.randn(shape, generator=generator)


@pytest.mark.bad_input
@pytest.mark.parametrize("spread", [0.1, 0.2, 0.05])
def test_calibration_is_the_ratio_of_spread_to_error(spread):
    """The truth strays by 0.1 from where the samples are centred; of the mean of 25 samples, a little is theirs."""
    centre = torch.full((40, 6, 1, 16, 16), 0.5)
    clips = torch.cat([torch.zeros(40, 2, 1, 16, 16), centre + 0.1 * torch.randn(centre.shape)], 1)
    results = evaluate(Calibrated(centre, spread), clips, 2, 25, scoring=Scoring(frames_per_call=100_000))
    expected = (spread**2 * (1 + 1 / 25) / (0.1**2 + spread**2 / 25)) ** 0.5
    assert results.calibration.ratio == pytest.approx(expected, rel=0.02)
    assert spread != 0.1 or expected == pytest.approx(1)
    assert len(results.calibration.spread) == 6


class Stop(Exception):
    pass


def test_an_interrupted_evaluation_goes_on_and_ends_the_same(model, clips, tmp_path, monkeypatch):
    """Stopped in the third of five groups; LPIPS's and FVD's stand-ins, samples and clips in several calls."""

    def lpips(prediction, truth):
        return (prediction - truth).abs().mean(dim=(-3, -2, -1))

    def detector(videos):
        return videos.flatten(1)[:, :: videos[0].numel() // 6][:, :6] / 255 + videos.mean(dim=(1, 2, 3, 4))[:, None]

    scoring = Scoring(frames_per_call=15, loaded={"lpips": lpips, "fvd": FVD(detector=detector)})
    options = dict(n_samples=7, generator=generator(3), scoring=scoring, partial=tmp_path / "part")
    many = torch.rand(5, 13, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    whole = score_samples(model, many, 4, **{**options, "partial": None})
    assert whole.metrics.keys() == {"psnr", "ssim", "lpips"}
    assert len(whole.distances["fvd"]) == 5 and min(whole.distances["fvd"]) > 0

    predict, calls = model.predict, 0

    def stop_later(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls > 15:
            raise Stop
        return predict(*args, **kwargs)

    clock = itertools.count(0, 100)
    monkeypatch.setattr(
        "srvp_lite.evaluation.protocol.time.perf_counter", lambda: next(clock)
    )  # saves after each group
    monkeypatch.setattr(model, "predict", stop_later, raising=False)
    with pytest.raises(Stop):
        score_samples(model, many, 4, **options)
    monkeypatch.setattr(model, "predict", predict, raising=False)
    done = torch.load(tmp_path / "part")["done"]
    assert 0 < done < 5
    resumed = score_samples(model, many, 4, **options)
    for name in whole.metrics:
        assert torch.equal(whole.metrics[name], resumed.metrics[name])
    assert torch.equal(whole.spread, resumed.spread) and torch.equal(whole.error, resumed.error)
    assert resumed.distances["fvd"] == pytest.approx(whole.distances["fvd"])
    torch.manual_seed(1)
    other = dataclasses.replace(scoring, steps_per_frame=2)
    for other_model, other_clips, change, what in [
        (model, many, {"generator": generator(4)}, "seed: 3 there, 4 asked"),
        (model, many, {"scoring": other}, "steps_per_frame: None there, 2 asked"),
        (SRVP(SMALL).eval(), many, {}, "hash of the model: .* there, .* asked"),
        (model, 1 - many, {}, "hash of the clips: .* there, .* asked"),
    ]:
        with pytest.raises(ValueError, match=rf"part holds part of another evaluation \({what}\); delete it"):
            score_samples(other_model, other_clips, 4, **{**options, **change})


def test_scores_are_whole_whatever_the_model_runs_in(model, clips):
    """With bf16 the predictions are in 16 bits, PSNR and SSIM of them are not."""
    scores = score_samples(model, clips, 4, 3, generator(7), Scoring(bf16=True)).metrics
    noise = torch.Generator().manual_seed(seed_of(7, 0, 0, "evaluate"))
    with fused_networks(model, bf16=True), torch.autocast("cpu", torch.bfloat16):
        futures = model.predict(clips[:, :4], 5, 3, generator=noise).float()
        in_16_bits = metrics.ssim(futures, clips[None, :, 4:].expand_as(futures))
    expected = metrics.ssim(futures, clips[None, :, 4:].expand_as(futures))
    torch.testing.assert_close(scores["ssim"], expected, rtol=0, atol=1e-6)
    assert (in_16_bits - expected).abs().max() > 1e-5, "scores in 16 bits would be seen"


def test_lower_is_better_for_lpips(model, clips):
    class Distance:
        version = "a stand-in"

        def __call__(self, prediction, truth):
            return (prediction - truth).abs().mean(dim=(-3, -2, -1))

    results = evaluate(model, clips, 4, 20, generator(3), Scoring(loaded={"lpips": Distance()}))
    values = [results.metrics["lpips"].best_of[n]["mean"] for n in (1, 5, 20)]
    assert values == sorted(values, reverse=True)
    assert results.protocol.notes["lpips"] == "a stand-in" and "LPIPS" in table(results)


def test_best_worst_and_random_samples(model, clips):
    chosen = best_worst_random(model, clips, 4, n_samples=12, n_clips=3)
    scores = {name: metrics.psnr(v[:, 4:].float() / 255, clips[:3, 4:]).mean(1) for name, v in chosen.items()}
    assert (scores["best"] >= scores["random"]).all() and (scores["random"] >= scores["worst"]).all()
    assert all(v.dtype == torch.uint8 and v.shape == (3, 9, 1, 16, 16) for v in chosen.values())


def test_interval_of_one_clip_is_zero():
    assert mean_and_interval(torch.tensor([3.0])) == {"mean": 3.0, "interval": 0.0}


@pytest.mark.bad_input
def test_bad_input(model, clips):
    with pytest.raises(ValueError, match="unknown metric.* mse; there are psnr, ssim, lpips, fvd"):
        score_samples(model, clips, 4, scoring=Scoring(metrics=("psnr", "mse")))
    with pytest.raises(ValueError, match="fvd need weights: load them"):
        score_samples(model, clips, 4, scoring=Scoring(metrics=("fvd",)))
    with pytest.raises(ValueError, match="picked by a metric without weights, psnr, ssim; got 'lpips'"):
        best_worst_random(model, clips, 4, 2, metric="lpips")
    with pytest.raises(ValueError, match="clips of 9 frames leave nothing to predict after n_cond=9"):
        score_samples(model, clips, 9)
