"""The protocol, against a slow reading of it."""

import dataclasses
import json
import math
import subprocess
import sys

import pytest
import torch

import srvp_lite
from srvp_lite import SRVP, ModelConfig, metrics
from srvp_lite.config import PRESETS
from srvp_lite.evaluate import evaluate, mean_and_interval, score_samples, table

SMALL = ModelConfig(nx=16, nf=4, nhx=8, ny=3, nz=2, nt_inf=3, nh_inf=12, nh_res=16)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SRVP(SMALL).eval()


@pytest.fixture(scope="module")
def clips():
    return torch.rand(5, 9, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def test_scores_are_those_of_the_predictions(model, clips):
    scores = score_samples(model, clips, n_cond=4, n_samples=3, seed=7)
    futures = model.predict(clips[:, :4], 5, 3, generator=torch.Generator().manual_seed(7))
    for name in ("psnr", "ssim"):
        one = getattr(metrics, name)
        expected = torch.stack([one(f, clips[:, 4:]) for f in futures])
        torch.testing.assert_close(scores[name], expected)


@pytest.mark.parametrize("frames_per_call", [1, 7, 23, 10_000])
def test_grouping_changes_the_noise_but_not_the_shape_or_the_order(model, clips, frames_per_call):
    scores = score_samples(model, clips, 4, 6, frames_per_call=frames_per_call)
    assert scores["psnr"].shape == (6, 5, 5) and scores["psnr"].isfinite().all()
    again = score_samples(model, clips, 4, 6, frames_per_call=frames_per_call)
    assert torch.equal(scores["ssim"], again["ssim"])


def test_best_of_n_is_per_metric_and_clip(model, clips):
    results = evaluate(model, clips, 4, n_samples=20, seed=3)
    scores = score_samples(model, clips, 4, 20, seed=3)
    for name in ("psnr", "ssim"):
        best = [max(scores[name][s, i].mean().item() for s in range(20)) for i in range(5)]
        assert results[name]["best_of"]["20"]["mean"] == pytest.approx(sum(best) / 5, abs=1e-5)
        spread = math.sqrt(sum((b - sum(best) / 5) ** 2 for b in best) / 5)
        assert results[name]["best_of"]["20"]["interval"] == pytest.approx(1.96 * spread / math.sqrt(5), abs=1e-5)
        values = [results[name]["best_of"][n]["mean"] for n in ("1", "5", "20")]
        assert values == sorted(values)
        assert len(results[name]["per_frame"]) == 5
        assert sum(results[name]["per_frame"]) / 5 == pytest.approx(values[-1], abs=1e-5)
    copy = metrics.psnr(clips[:, 3:4].expand(-1, 5, -1, -1, -1), clips[:, 4:]).mean().item()
    assert results["psnr"]["copy_last"]["mean"] == pytest.approx(copy, abs=1e-5)
    text = table(results)
    assert "best of 20" in text and "copy last frame" in text and "5 clips, 4 frames given, 5 predicted" in text


def test_interval_of_one_clip_is_zero():
    assert mean_and_interval(torch.tensor([3.0])) == {"mean": 3.0, "interval": 0.0}


@pytest.mark.bad_input
def test_bad_input(model, clips):
    with pytest.raises(ValueError, match="unknown metric.* fvd; there are psnr, ssim"):
        score_samples(model, clips, 4, metric_names=("fvd",))
    with pytest.raises(ValueError, match="clips of 9 frames leave nothing to predict after n_cond=9"):
        score_samples(model, clips, 9)


# The command line ----------------------------------------------------------------------------------------------------


def srvp(*arguments):
    return subprocess.run([sys.executable, "-m", "srvp_lite", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run's folder with an untrained model of the lite size."""
    out = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    config = ModelConfig(nx=32, nf=4, nhx=8, ny=4, nz=4, nh_inf=16, nh_res=16)
    experiment = dataclasses.replace(PRESETS["lite"], model=config)
    srvp_lite.save(SRVP(config), out / "best.safetensors", experiment=experiment.to_dict(), step=0, val_psnr=0.0)
    return out


def test_evaluate_command(run_folder, tmp_path):
    done = srvp("evaluate", run_folder, "--samples", 5, "--clips", 6, "--out", tmp_path / "r.json", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "best of 5" in done.stdout and "6 test clips, 5 frames given" in done.stdout
    results = json.loads((tmp_path / "r.json").read_text())
    assert results["made"].keys() >= {"command", "device", "seconds", "model_sha256", "torch", "data"}
    assert results["protocol"]["n_samples"] == 5 and results["protocol"]["n_predicted"] == 15


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_predict_command(run_folder, tmp_path, ending):
    out = tmp_path / f"future.{ending}"
    done = srvp(
        "predict", run_folder, "--out", out, "--samples", 2, "--n-frames", 3, "--frame-rate", 2, "--device", "cpu"
    )
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 500 and "2 futures of test clip 0" in done.stdout


def test_help_teaches():
    done = srvp("--help")
    assert done.returncode == 0 and all(word in done.stdout for word in ("train", "evaluate", "predict", "models"))
    done = srvp("train", "lite", "--help")
    assert "Standard deviation of a pixel around its decoded value" in " ".join(done.stdout.replace("│", " ").split())


def test_errors_are_sentences_without_a_traceback(tmp_path):
    done = srvp("evaluate", tmp_path / "nothing")
    assert done.returncode == 1 and "srvp-lite: no model at" in done.stderr and "Traceback" not in done.stderr
