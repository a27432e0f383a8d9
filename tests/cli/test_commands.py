"""Every command runs to its end, on tiny models, and leaves what it says; the larger ones have a file each."""

import dataclasses
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from small import SMALL, srvp_lite, train_arguments

from srvp_lite import checkpoint
from srvp_lite.cli import COMMANDS, main
from srvp_lite.config import SRVPConfig
from srvp_lite.data.video_store import VideoStore
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset
from srvp_lite.training.run_folder import read_log

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run's folder that `srvp-lite train` made."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    done = srvp_lite(*train_arguments(out))
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_every_command_is_run_here():
    tests = [path.stem for path in Path(__file__).parent.glob("test_*.py")]
    assert [name for name in COMMANDS if f"test_{name}" not in tests and f"test_{name}" not in globals()] == []


@pytest.mark.slow
def test_the_console_script_is_this_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"srvp-lite": "srvp_lite.cli:main"}


@pytest.mark.slow
def test_train(trained):
    out, printed = trained
    assert "40 steps" in printed and read_log(out)[-1]["step"] == 40
    assert {"config.json", "log.jsonl", "best.safetensors", "state.pt"} <= {p.name for p in out.iterdir()}
    assert checkpoint.load(out).config == SMALL


@pytest.mark.slow
def test_bench(tmp_path):
    out = tmp_path / "bench.json"
    done = srvp_lite("bench", "lite", "--nf", 4, "--batch-size", 2, "--rounds", 1, "--variants", "float32",
                     "--device", "cpu", "--threads", 1, "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Where a step's time goes" in done.stdout and f"Written to {out}" in done.stdout
    made = json.loads(out.read_text())["made"]
    assert made["command"].startswith("srvp-lite bench lite") and made["device"].startswith("CPU")


@pytest.mark.slow
def test_ablate(tmp_path):
    """In a process of its own, since it starts others."""
    done = srvp_lite("ablate", "--out", tmp_path / "a", "--variants", "no-z", "--data", "deterministic", "--seeds", 1,
                     "--steps", 2, "--n-clips", 2, "--n-samples", 2, "--n-predicted", 15, "--device", "cpu",
                     "--threads", 1, "--results", tmp_path / "r.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "without z" in done.stdout
    (run,) = json.loads((tmp_path / "r.json").read_text())["runs"]
    assert (run["variant"], run["data"], run["seed"]) == ("no-z", "deterministic", 1)


def test_table(said):
    for form, start in [("markdown", "| "), ("html", "<"), ("latex", "\\begin")]:
        printed = said("table", "smmnist", "--format", form)
        assert any(line.lstrip().startswith(start) for line in printed.splitlines()) and "16.93" in printed


def test_table_of_no_results(tmp_path):
    (tmp_path / "r.json").write_text('{"psnr": ')
    with pytest.raises(SystemExit, match="r.json is no results file: it is not valid JSON"):
        main(["table", "smmnist", str(tmp_path / "r.json")])


@pytest.mark.slow
def test_prepare(tmp_path, said):
    imageio = pytest.importorskip("imageio.v3")
    (tmp_path / "in").mkdir()
    for i in range(3):
        frames = np.random.default_rng(i).integers(0, 255, (14, 32, 32, 3), np.uint8)
        imageio.imwrite(tmp_path / "in" / f"{i}.mp4", frames, plugin="pyav", codec="mpeg4", fps=25)
    printed = said("prepare", "folder", "--videos", tmp_path / "in", "--name", "toy", "--root", tmp_path,
                   "--size", 16, "--grey", "--n-frames", 12)  # fmt: skip
    assert f"Ready in {tmp_path / 'toy'}" in printed
    assert VideoStore(tmp_path / "toy", "train").sample(2, 8).shape == (2, 8, 1, 16, 16)


@pytest.mark.slow
def test_export(trained, tmp_path, said):
    """Small files that load as the same model in 16 bits, with the run's configuration and log."""
    run, out = trained[0], tmp_path / "small"
    printed = said("export", run, "--out", out)
    assert sorted(p.name for p in out.iterdir()) == ["config.json", "log.jsonl", "model.safetensors"]
    assert all(str(path) in printed for path in out.iterdir())
    assert (out / "log.jsonl").read_bytes() == (run / "log.jsonl").read_bytes()
    exact, rounded = checkpoint.load(run), checkpoint.load(out / "model.safetensors")
    stored = safetensors.torch.load_file(out / "model.safetensors")
    for (name, value), other in zip(exact.named_parameters(), rounded.parameters(), strict=True):
        assert stored[name].dtype == torch.float16 and torch.equal(value.half().float(), other), name
    assert all(torch.equal(a, b) for a, b in zip(exact.buffers(), rounded.buffers(), strict=True))
    header = checkpoint.read_header(out / "model.safetensors")["info"]
    assert header["step"] == checkpoint.read_header(checkpoint.find(run))["info"]["step"]
    assert checkpoint.load_experiment(out / "model.safetensors") == checkpoint.load_experiment(run)


@pytest.mark.slow
def test_export_in_parts(trained, tmp_path, said):
    out, limit = tmp_path / "parts", 0.08
    said("export", trained[0], "--out", out, "--max-megabytes", limit)
    parts = sorted(out.glob("*.safetensors"))
    assert len(parts) > 1 and all(part.stat().st_size <= limit * 1e6 for part in parts)
    assert isinstance(checkpoint.load(parts[0]), SRVP)


@pytest.mark.slow
def test_export_for_the_authors_scripts(trained, tmp_path, said):
    config = SRVPConfig(nf=2, nhx=8, ny=4, nz=4, nh_inf=16, nh_res=16)
    model, experiment = SRVP(config), dataclasses.replace(preset("smmnist"), model=config)
    path = checkpoint.save(model, tmp_path / "m.safetensors", experiment=experiment.to_dict(), step=0, val_psnr=0.0)
    printed = said("export", path, "--out", tmp_path / "official", "--layout", "official")
    assert printed == f"Written to {tmp_path / 'official'}: config.json and model.pt\n"
    again = checkpoint.load(tmp_path / "official")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    # Those scripts know no digits of 12 pixels.
    with pytest.raises(SystemExit, match="move MNIST's digits at 28 pixels"):
        main(["export", str(trained[0]), "--out", str(tmp_path / "lite"), "--layout", "official"])
    assert not (tmp_path / "lite").exists()


def test_models(said, tmp_path, monkeypatch):
    printed = said("models")
    assert [line.split()[0] for line in printed.splitlines()] == checkpoint.shipped_names()
    assert all("steps, validation PSNR" in line for line in printed.splitlines())
    monkeypatch.setattr("srvp_lite.checkpoint.shipped.shipped_dir", lambda kind: tmp_path)
    assert said("models") == "No model came with this installation.\n"


@pytest.mark.slow
def test_python_dash_m_is_the_command():
    command = [sys.executable, "-m", "srvp_lite", "models"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.startswith(checkpoint.shipped_names()[0])
