"""Ablations: real runs in processes of their own, stopped and gone on with; the table says what the runs measured."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small import wait_until

from srvp_lite import checkpoint, metrics
from srvp_lite.cli.ablate import Options
from srvp_lite.config import AblationConfig, SRVPConfig, SVGConfig
from srvp_lite.data.moving_mnist import MovingMNIST
from srvp_lite.explore.ablation import DATA, VARIANTS, ablate, band, experiment_of, folder_of, frame_costs, rows, table
from srvp_lite.training.roofline import frame_flop
from srvp_lite.utils.errors import SRVPError

FEW = AblationConfig(steps=4, n_clips=3, n_samples=2, n_predicted=16)


def test_the_command_asks_for_all_variants():
    options = Options(out=Path("runs"))
    assert options.variants == tuple(VARIANTS) and options.data == tuple(DATA)


def test_variants_differ_in_their_model_and_nothing_else():
    whole = experiment_of("srvp", "stochastic", 1, FEW)
    for variant, row in VARIANTS.items():
        e = experiment_of(variant, "stochastic", 1, FEW)
        assert e.data == whole.data
        lr = e.train.lr if variant == "svg" else whole.train.lr
        assert e.train == dataclasses.replace(whole.train, lr=lr) and e.train.steps == FEW.steps
        if variant == "svg":
            assert isinstance(e.model, SVGConfig)
        else:
            different = {f.name for f in dataclasses.fields(SRVPConfig)
                         if getattr(e.model, f.name) != getattr(whole.model, f.name)}  # fmt: skip
            assert different == set(row.changes)
    assert not experiment_of("srvp", "deterministic", 2, FEW).data.stochastic
    assert experiment_of("svg", "stochastic", 1, dataclasses.replace(FEW, size="paper")).model == SVGConfig()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation")
    words = []
    options = dict(variants=("srvp", "svg"), data=("deterministic",), seeds=(3,), device="cpu", threads=1)
    results = ablate(out, FEW, jobs=2, say=words.append, **options)
    return out, options, results, words


@pytest.mark.slow
def test_runs_are_trained_scored_and_kept(done):
    out, options, results, words = done
    assert [(r["variant"], r["data"], r["seed"]) for r in results["runs"]] == [
        ("srvp", "deterministic", 3), ("svg", "deterministic", 3)
    ]  # fmt: skip
    assert results["missing"] == [] and len(words) == 2
    assert json.loads((out / "results.json").read_text()) == results
    for r in results["runs"]:
        assert {"command", "commit", "device", "seconds"} <= r["made"].keys()
        assert len(r["psnr"]["per_frame"]) == 16 and r["near"] == 15
        assert r["psnr"]["best"] >= r["psnr"]["expected"] - 1e-5  # equal for a model that is still grey
    assert set(results["runs"][0]["other_steps"]) == {"1", "2", "4", "8"}
    assert set(results["runs"][1]["batch_norm"]) == {"running", "batch"}
    # Done is done: the same call trains nothing, and says nothing.
    before = {p: p.stat().st_mtime_ns for p in out.glob("*/scores.json")}
    again = ablate(out, FEW, say=words.append, **options)
    assert again["runs"] == results["runs"] and len(words) == 2
    assert before == {p: p.stat().st_mtime_ns for p in out.glob("*/scores.json")}


@pytest.mark.slow
def test_scores_are_those_of_the_saved_model(done):
    out, _, results, _ = done
    model = checkpoint.load(folder_of(out, "svg", "deterministic", 3) / "last.safetensors")
    data = MovingMNIST(split="test", stochastic=False)
    x = data.sample(3, 21, torch.Generator().manual_seed(42))
    futures = model.predict(x[:, :5], 15, 5, generator=torch.Generator().manual_seed(42), batch_norm="batch")
    psnr = metrics.psnr(futures, x[None, :, 5:20].expand_as(futures)).mean(2)
    assert results["runs"][1]["batch_norm"]["batch"]["best"] == pytest.approx(psnr.amax(0).mean().item(), abs=1e-3)
    copied = metrics.psnr(metrics.copy_last(x[:, :5], 16), x[:, 5:]).mean(0)
    assert results["baselines"]["deterministic"]["copy_last"] == pytest.approx(copied.tolist(), abs=1e-4)


def command(out, *more):
    return [sys.executable, "-m", "srvp_lite", "ablate", "--out", str(out), "--variants", "no-z", "--data",
            "deterministic", "--seeds", "1", "--steps", "60", "--n-clips", "2", "--n-samples", "2", "--n-predicted",
            "15", "--device", "cpu", "--threads", "1", *more]  # fmt: skip


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation") / "whole"
    done = subprocess.run(command(out, "--results", str(out / "r.json")), capture_output=True, text=True)
    assert done.returncode == 0 and "without z" in done.stdout, done.stderr
    result = json.loads((out / "results.json").read_text())["runs"]
    assert json.loads((out / "r.json").read_text())["runs"] == result
    return result[0]


RUN = "no-z-deterministic-1"


@pytest.mark.slow
@pytest.mark.parametrize(
    "sign, listens",
    [("settings.json", False), (f"{RUN}/output.txt", True), (f"{RUN}/output.txt: Device", True)],
    ids=["before a run is there", "when its folder is there", "when it has begun"],
)
def test_stopped_and_run_again_it_ends_as_if_never_stopped(never_stopped, tmp_path, sign, listens):
    """Stopped as soon as there is something to see: `sign` is a file, or one with a word in it. A run whose folder is
    there saves; one that does not listen yet is left for the next time."""
    file, _, word = sign.partition(": ")
    process = subprocess.Popen(command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: (tmp_path / file).is_file() and word in (tmp_path / file).read_text(), process)
    process.send_signal(signal.SIGTERM)
    words, _ = process.communicate()
    assert process.returncode == 0, words
    assert f"Still to do: {RUN}" in words and "Traceback" not in words
    assert not (tmp_path / RUN / "scores.json").exists()
    if listens:
        assert torch.load(tmp_path / RUN / "state.pt", weights_only=True)["progress"]["step"] < 60
    done = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((tmp_path / "results.json").read_text())["runs"]
    assert result["psnr"] == never_stopped["psnr"] and result["error"] == never_stopped["error"]


@pytest.mark.slow
@pytest.mark.bad_input
def test_what_is_wrong_is_said(done, tmp_path):
    out, options, *_ = done
    with pytest.raises(ValueError, match="other settings"):
        ablate(out, dataclasses.replace(FEW, steps=5), **options)
    for wrong in (dict(variants=("transformer",)), dict(data=("noisy",))):
        with pytest.raises(ValueError, match="unknown '.*'; there are"):
            ablate(tmp_path, FEW, **{**options, **wrong})
    # A run whose folder holds something else fails; its words are kept, and the error points at them.
    folder = folder_of(tmp_path / "bad", "srvp", "deterministic", 3)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    words = []
    with pytest.raises(SRVPError, match="1 run.s. failed: srvp-deterministic-3"):
        ablate(tmp_path / "bad", FEW, say=words.append, **{**options, "variants": ("srvp",)})
    assert "failed; see" in words[0] and "ValueError" in (folder / "output.txt").read_text()


def test_table_shows_means_ranges_and_the_papers_numbers():
    def run(variant, data, seed, psnr):
        return {"variant": variant, "data": data, "seed": seed,
                "psnr": {"best": psnr}, "ssim": {"best": psnr / 100}}  # fmt: skip

    results = {
        "runs": [run("srvp", "stochastic", s, v) for s, v in ((1, 14.0), (2, 15.0), (3, 14.5))]
        + [run("svg", "deterministic", 1, 12.0)],
        "settings": dataclasses.asdict(FEW),
        "missing": ["svg-stochastic-1"],
    }
    assert band(results, "srvp", "stochastic") == [14.0, 15.0, 14.5]
    by_name = {name: cells for name, *cells in rows(results)}
    assert by_name["SRVP"] == ["14.50 (14.00 to 15.00)", "0.1450 (0.1400 to 0.1500)", "16.93", "", "", "18.25"]
    assert by_name["SVG"][3:] == ["12.00 (12.00 to 12.00)", "0.1200 (0.1200 to 0.1200)", "12.85"]
    assert set(by_name) == {"SRVP", "SVG"}
    assert "Still to do: svg-stochastic-1" in table(results) and "seeds 1, 2, 3" in table(results)


@pytest.mark.slow
def test_an_svg_frame_costs_an_encoding_more():
    srvp, svg = (experiment_of(v, "stochastic", 1, FEW).model for v in ("srvp", "svg"))
    assert frame_flop(svg, 5) > 2 * frame_flop(srvp, 5)
    # By hand, for SRVP: the decoder's four layers, f and the prior; a multiplication and an addition are two.
    w, nf = srvp.nh_inf + srvp.ny, srvp.nf
    decoder = w * 4 * nf * 16 + 4 * nf * 2 * nf * 16 * 16 + 2 * nf * nf * 16 * 64 + nf * 16 * 256
    h = srvp.nh_res
    f = (srvp.ny + srvp.nz) * h + 2 * h * h + h * srvp.ny
    prior = srvp.ny * h + 2 * h * h + h * 2 * srvp.nz
    assert frame_flop(srvp, 5) == 2 * (decoder + f + prior)
    costs = frame_costs(FEW, ("srvp", "svg"), torch.device("cpu"), rounds=1)
    assert costs["svg"]["flop"] == frame_flop(svg, 5) and costs["srvp"]["seconds"] > 0
