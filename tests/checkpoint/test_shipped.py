"""What is shipped: the models load by name, their results are theirs, and they are as good as the book says."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

import srvp_lite
from srvp_lite import checkpoint, metrics
from srvp_lite.data.open import moving_digits
from srvp_lite.utils import files

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["lite-deterministic", "lite-stochastic"]


def test_the_shipped_models_are_listed():
    assert checkpoint.shipped_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_model_says_how_it_was_made(name):
    info = checkpoint.read_header(checkpoint.find(name))["info"]
    made = info["made"]
    assert made["command"].startswith("srvp-lite train lite") and made["commit"] and made["device"]
    assert 0 < made["seconds"] < 3600, "the book says: in under an hour"
    assert "--threads 1" in made["command"], "the book says: on one CPU core"
    assert made["torch"] and info["step"] > 0
    assert checkpoint.find(name).stat().st_size < 16e6, "larger weights come by URL"


@pytest.mark.parametrize("name", NAMES)
def test_the_results_belong_to_the_weights(name):
    results = srvp_lite.shipped_results(name)
    assert results["made"]["model_sha256"] == files.sha256(checkpoint.find(name))
    assert results["protocol"]["n_samples"] == 100 and results["protocol"]["n_predicted"] == 15
    assert f"evaluate {name}" in results["made"]["command"]


def test_the_deterministic_model_beats_both_baselines_by_three_decibels():
    psnr = srvp_lite.shipped_results("lite-deterministic")["psnr"]
    best = psnr["best_of"]["100"]["mean"]
    assert best > psnr["copy_last"]["mean"] + 3 and best > psnr["mean_frame"]["mean"] + 3


def test_best_of_many_helps_most_where_the_future_is_open():
    gain = {}
    for name in NAMES:
        best = srvp_lite.shipped_results(name)["psnr"]["best_of"]
        gain[name] = best["100"]["mean"] - best["1"]["mean"]
        interval = best["1"]["interval"] + best["100"]["interval"]
        assert gain[name] > interval
    assert gain["lite-stochastic"] > 1


@pytest.mark.parametrize("name", NAMES)
def test_the_published_numbers_can_be_measured_again(name):
    """A few clips and samples of the same test set, scored anew: within the noise of so few of the published mean."""
    model, data = srvp_lite.load(name), srvp_lite.load_experiment(name).data
    clips = moving_digits(data, "test").sample(500, 20, torch.Generator().manual_seed(42))[:60]
    with torch.no_grad():
        future = model.predict(clips[:, :5], 15, 4, generator=torch.Generator().manual_seed(0))
    score = metrics.psnr(future, clips[None, :, 5:].expand_as(future)).mean(dim=(0, 2))
    published = srvp_lite.shipped_results(name)["psnr"]["expected"]["mean"]
    error = score.std().item() / len(score) ** 0.5
    assert abs(score.mean().item() - published) < 4 * error


def test_the_readme_shows_code_that_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S)
    namespace = {}
    for block in blocks:
        exec(block, namespace)
    assert namespace["futures"].shape == (10, 4, 15, 1, 32, 32)
    assert namespace["smooth"].shape == (1, 4, 60, 1, 32, 32)


def test_results_are_found_or_named():
    with pytest.raises(FileNotFoundError, match="no shipped results named 'nothing'; there are .*lite-deterministic"):
        srvp_lite.shipped_results("nothing")


@pytest.mark.slow
def test_an_installed_wheel_carries_the_models(tmp_path):
    """Built, unpacked elsewhere, and used from there: what `pip install` from the repository gives."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    assert (tmp_path / "installed" / "srvp_lite" / "py.typed").is_file(), "type checkers read the annotations"
    code = (
        "import srvp_lite; print(srvp_lite.__file__);"
        f"[(srvp_lite.load(n), srvp_lite.shipped_results(n)) for n in {NAMES}]"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and str(tmp_path / "installed") in done.stdout, done.stderr
