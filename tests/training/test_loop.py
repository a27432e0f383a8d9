"""Training: it learns, it resumes exactly after being killed for real, it stops cleanly, it says what is wrong."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch

import srvp_lite
from srvp_lite.config import SRVPConfig
from srvp_lite.presets import PRESETS
from srvp_lite.training.loop import Diverged, train
from srvp_lite.training.run_folder import read_log
from srvp_lite.utils.seeds import seed_of

SMALL = ["--nf", "4", "--nhx", "8", "--ny", "4", "--nz", "4", "--nh-inf", "16", "--nh-res", "16", "--batch-size", "4",
         "--n-frames", "7", "--n-frames-test", "8", "--val-clips", "4", "--val-samples", "2", "--constant-steps", "30",
         "--decay-steps", "10", "--checkpoint-interval", "7", "--val-interval", "9", "--log-interval", "3",
         "--threads", "1", "--device", "cpu"]  # fmt: skip


def command(out, *more):
    return [sys.executable, "-m", "srvp_lite", "train", "lite", "--out", str(out), *SMALL, *more]


def run(out, *more):
    return subprocess.run(command(out, *more), capture_output=True, text=True)


def small_experiment(**changes):
    model = SRVPConfig(nx=32, nf=4, nhx=8, ny=4, nz=4, nh_inf=16, nh_res=16)
    t = dataclasses.replace(
        PRESETS["lite"].train, batch_size=4, n_frames=7, n_frames_test=8, val_clips=4, val_samples=2,
        constant_steps=6, decay_steps=4, val_interval=5, checkpoint_interval=5, log_interval=5,
    )  # fmt: skip
    return dataclasses.replace(PRESETS["lite"], model=model, train=dataclasses.replace(t, **changes))


def weights(out, name="last"):
    return safetensors.torch.load_file(out / f"{name}.safetensors")


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    done = run(out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_run_says_what_it_does_and_leaves_everything(never_killed):
    out, done = never_killed
    for word in ("Device     CPU", "parameters", "Data       2 digits", "best of 2 samples", "40 steps of 4 clips"):
        assert word in done.stdout
    log = read_log(out)
    training = [line for line in log if "loss" in line]
    assert [line["step"] for line in training] == [*range(3, 40, 3), 40]
    assert training[0].keys() >= {"nll", "kl_y", "kl_z", "residual", "lr", "frames_per_second", "seconds"}
    assert [line["step"] for line in log if "val_psnr" in line] == [9, 18, 27, 36, 40]
    assert training[-1]["lr"] < training[0]["lr"]
    best = srvp_lite.checkpoint.read_header(out / "best.safetensors")["info"]
    assert best["val_psnr"] == max(line["val_psnr"] for line in log if "val_psnr" in line)
    assert srvp_lite.load(out).config.nf == 4


def test_killed_at_random_steps_and_resumed_ends_with_the_same_bits(never_killed, tmp_path):
    whole, _ = never_killed
    out = tmp_path / "killed"
    rng = random.Random()  # a new moment each time the test runs
    kills = 0
    for attempt in range(12):
        resume = ["--resume"] if (out / "state.pt").exists() else []
        if not resume and out.exists():  # killed before the first checkpoint: nothing to resume, start afresh
            out = tmp_path / f"killed{attempt}"
        wait_until = rng.randrange(1, 34) if kills < 3 else None
        process = subprocess.Popen(command(out, *resume), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and wait_until is not None:
            log = read_log(out)
            if log and log[-1]["step"] >= wait_until and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        errors = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert process.returncode == 0 and kills >= 1
    for name in ("last", "best"):
        expected, got = weights(whole, name), weights(out, name)
        assert expected.keys() == got.keys()
        assert all(torch.equal(expected[k], got[k]) for k in expected)

    def training_lines(folder):
        timeless = [
            {k: v for k, v in line.items() if k not in ("seconds", "frames_per_second")} for line in read_log(folder)
        ]
        return {line["step"]: line for line in timeless if "val_psnr" in line}

    assert training_lines(out) == training_lines(whole)
    assert not list(out.glob(".*tmp")) or kills  # a killed write may leave its temporary file, never a half file


def test_sigterm_saves_and_resumes(never_killed, tmp_path):
    out = tmp_path / "stopped"
    process = subprocess.Popen(command(out), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None and not read_log(out):
        time.sleep(0.01)
    process.terminate()
    text = process.communicate()[0]
    assert process.returncode == 0 and "Go on with --resume" in text
    assert run(out, "--resume").returncode == 0
    assert all(torch.equal(a, b) for a, b in zip(weights(never_killed[0]).values(), weights(out).values()))


def test_all_switches_resume_exactly(tmp_path):
    """Accumulation, clipping and a moving average, stopped in the middle (by Ctrl-C) and resumed: the same bits."""
    switches = ["--accumulate", "2", "--clip-grad-norm", "50", "--ema-decay", "0.9", "--warmup-steps", "5",
                "--decay", "cosine"]  # fmt: skip
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(whole, *switches).returncode == 0
    process = subprocess.Popen(
        command(stopped, *switches), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    while process.poll() is None and not read_log(stopped):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert "Go on with --resume" in process.communicate()[0]
    done = run(stopped, *switches, "--auto-resume")
    assert "resumed at step" in done.stdout, done.stderr
    for name in ("last", "best"):
        a, b = weights(whole, name), weights(stopped, name)
        assert all(torch.equal(a[k], b[k]) for k in a)
    again = torch.load(stopped / "state.pt")
    assert not torch.equal(again["average"]["dynamics.f.0.weight"], again["model"]["dynamics.f.0.weight"])
    assert torch.equal(again["average"]["dynamics.f.0.weight"], weights(stopped)["dynamics.f.0.weight"])


def test_a_time_budget_is_kept(tmp_path):
    """Long enough to say something on a busy machine; the rate has fallen to about zero when the time is over."""
    out = tmp_path / "budget"
    done = run(out, "--time-budget", "12s", "--val-interval", "100000", "--checkpoint-interval", "100000")
    assert done.returncode == 0, done.stderr
    assert "as many steps as fit into 12s" in done.stdout
    log = read_log(out)
    steps = [line for line in log if "loss" in line]
    assert log[-1]["seconds"] < 20 and steps[-1]["seconds"] > 8
    assert steps[-1]["lr"] < 0.1 * steps[0]["lr"]
    assert len(steps) > 20, "many more steps than the 40 that the configuration names"


def test_auto_resume_starts_where_there_is_nothing_and_minds_the_settings(tmp_path):
    out = tmp_path / "auto"
    train(small_experiment(), out, "auto", device="cpu")
    (out / "state.pt").unlink()  # as if it had died before its first checkpoint
    train(small_experiment(), out, "auto", device="cpu")
    with pytest.raises(ValueError, match="holds a run with other settings"):
        train(small_experiment(lr=0.1), out, "auto", device="cpu")


def test_a_full_disk_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    """A limit on the size of files, smaller than the next checkpoint, stands in for a full disk."""
    out = tmp_path / "full"
    train(small_experiment(), out, device="cpu")
    before = (out / "state.pt").read_bytes()
    config = json.loads((out / "config.json").read_text())
    config["experiment"]["train"]["constant_steps"] = 50
    (out / "config.json").write_text(json.dumps(config))
    code = f"""
import resource, signal, sys, dataclasses
from pathlib import Path
from test_loop import small_experiment
from srvp_lite.training.loop import train
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2}, {len(before) // 2}))
try:
    train(small_experiment(constant_steps=50), Path({str(out)!r}), resume=True, device="cpu")
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=os.path.dirname(__file__))
    assert "could not write" in done.stdout and "File too large" in done.stdout, done.stdout + done.stderr
    assert "the file that was there before is untouched" in done.stdout
    assert (out / "state.pt").read_bytes() == before
    assert not list(out.glob(".state.pt*"))


def test_what_has_diverged_is_never_saved(tmp_path, monkeypatch):
    """Checkpoints fall between lines of the log here, and the loss breaks before the first."""
    out = tmp_path / "run"
    monkeypatch.setattr(
        "srvp_lite.model.srvp.elbo",
        lambda out, *a: (out.y.sum() * float("nan"), {"loss": out.y.sum((1, 2)) * float("nan")}),
    )
    with pytest.raises(Diverged, match=r"became nan between steps 0 and 3\. A smaller"):
        train(small_experiment(checkpoint_interval=3), out, device="cpu")
    assert not (out / "state.pt").exists()


def test_it_learns(tmp_path):
    """A few hundred small steps: the reconstruction error falls well below its start."""
    experiment = small_experiment(constant_steps=250, decay_steps=50, log_interval=25, val_interval=300, lr=3e-3,
                                  checkpoint_interval=300, batch_size=8)  # fmt: skip
    train(experiment, tmp_path / "run", device="cpu")
    nll = [line["nll"] for line in read_log(tmp_path / "run") if "nll" in line]
    # The constant of the likelihood is known; what is left above it is the squared error, which must shrink.
    constant = (
        7
        * 32
        * 32
        * (
            0.5 * torch.log(torch.tensor(2 * torch.pi)).item()
            + torch.log(torch.tensor(experiment.train.obs_std)).item()
        )
    )
    assert nll[-1] - constant < 0.5 * (nll[0] - constant)


def test_folders_that_do_not_fit_the_request(never_killed, tmp_path):
    out, _ = never_killed
    again = run(out)
    assert again.returncode == 1 and "already holds a run: go on with --resume" in again.stderr
    assert "Traceback" not in again.stderr
    other = run(out, "--resume", "--lr", "0.5")
    assert other.returncode == 1 and "other settings (train.lr: 0.0015 there, 0.5 asked)" in other.stderr
    nothing = run(tmp_path / "nowhere", "--resume")
    assert nothing.returncode == 1 and "nothing to resume" in nothing.stderr
    short = run(tmp_path / "short", "--n-cond", "2")
    words = " ".join((short.stdout + short.stderr).replace("│", " ").split())  # the command line's parser draws a box
    assert short.returncode == 2 and "n_cond=2 are too few" in words and "Traceback" not in words


def test_a_damaged_state_is_named(tmp_path):
    experiment = small_experiment()
    out = tmp_path / "run"
    train(experiment, out, device="cpu")
    state = (out / "state.pt").read_bytes()
    (out / "state.pt").write_bytes(state[: len(state) // 2])
    with pytest.raises(srvp_lite.checkpoint.CheckpointError, match="state.pt is damaged or truncated"):
        train(experiment, out, resume=True, device="cpu")


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_good_checkpoint(tmp_path, monkeypatch):
    out = tmp_path / "run"
    train(small_experiment(constant_steps=5, decay_steps=5), out, device="cpu")
    before = (out / "state.pt").read_bytes()
    config = json.loads((out / "config.json").read_text())
    config["experiment"]["train"]["constant_steps"] = 50
    (out / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(
        "srvp_lite.model.srvp.elbo",
        lambda out, *a: (out.y.sum() * float("nan"), {"loss": out.y.sum((1, 2)) * float("nan")}),
    )
    with pytest.raises(Diverged, match="became nan between steps 10 and 15.*older and good"):
        train(small_experiment(constant_steps=50, decay_steps=5), out, resume=True, device="cpu")
    assert (out / "state.pt").read_bytes() == before


def test_steps_have_their_own_noise():
    places = [(s, t, r, w) for s in range(9) for t in range(300) for r in range(4) for w in ("clips", "noise")]
    assert len({seed_of(*place) for place in places}) == len(places)


def test_notebooks_keep_their_interrupt_handler(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    train(small_experiment(), tmp_path / "run", device="cpu")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_files_are_readable_by_others(never_killed):
    umask = os.umask(0)
    os.umask(umask)
    assert (never_killed[0] / "best.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask
