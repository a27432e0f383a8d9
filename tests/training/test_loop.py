"""Training: it learns, it resumes exactly after being killed for real, it stops cleanly, it says what is wrong."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch
from small import TESTS, lines_of, small_experiment, srvp_lite, train_arguments

from srvp_lite import checkpoint
from srvp_lite.training.loop import train
from srvp_lite.training.run import Diverged
from srvp_lite.training.run_folder import read_log
from srvp_lite.training.step import Step
from srvp_lite.utils.seeds import seed_of

pytestmark = pytest.mark.slow


def run(out, *more):
    return srvp_lite(*train_arguments(out, *more))


def run_stopped(number, when, out, *more):
    """The run, sent the signal by itself before step `when`."""
    command = [sys.executable, TESTS / "training" / "stopping.py", number.name, str(when), "self"]
    return subprocess.run([*command, *train_arguments(out, *more)], capture_output=True, text=True)


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
    best = checkpoint.read_header(out / "best.safetensors")["info"]
    assert best["val_psnr"] == max(line["val_psnr"] for line in log if "val_psnr" in line)
    assert checkpoint.load(out).config.nf == 4


def test_killed_at_random_moments_and_resumed_ends_with_the_same_bits(never_killed, tmp_path):
    """Killed from outside, wherever it happens to be; a run that was through before the signal came is done again."""
    whole, _ = never_killed
    out = tmp_path / "killed"
    rng = random.Random()  # a new moment each time the test runs
    kills, resumed_at = 0, []
    for attempt in range(100):
        resume = ["--resume"] if (out / "state.pt").exists() else []
        if not resume and out.exists():  # killed before the first checkpoint: nothing to resume, start afresh
            out = tmp_path / f"killed{attempt}"
            resumed_at = []
        if resume:
            resumed_at.append(torch.load(out / "state.pt")["progress"]["step"])
        wait_for = rng.randrange(1, 34) if kills < 3 else None
        command = [sys.executable, "-m", "srvp_lite", *train_arguments(out, *resume)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and wait_for is not None:
            log = read_log(out)
            if log and log[-1]["step"] >= wait_for:
                process.kill()
                break
            time.sleep(0.005)
        errors = process.communicate()[1]
        if process.returncode == 0:
            if kills:
                break
            out = tmp_path / f"again{attempt}"
        else:
            assert process.returncode == -signal.SIGKILL, errors
            kills += 1
    assert process.returncode == 0 and kills >= 1
    for name in ("last", "best"):
        expected, got = weights(whole, name), weights(out, name)
        assert expected.keys() == got.keys()
        assert all(torch.equal(expected[k], got[k]) for k in expected)

    assert lines_of(out, "val_psnr") == lines_of(whole, "val_psnr")
    expected, got = lines_of(whole, "loss"), lines_of(out, "loss")
    assert expected.keys() == got.keys()
    for step in expected:
        # The first line after a resumption is the mean of the steps since then.
        if not any(step - 3 < resumed < step for resumed in resumed_at):
            assert expected[step] == got[step]
        assert expected[step]["lr"] == got[step]["lr"]
    assert len(list(out.glob(".*tmp"))) <= kills, "a killed write may leave its temporary file, no other does"


def test_sigterm_saves_and_resumes(never_killed, tmp_path):
    out = tmp_path / "stopped"
    stopped = run_stopped(signal.SIGTERM, 16, out)
    assert stopped.returncode == 0 and "Stopped at step 17 as asked" in stopped.stdout, stopped.stderr
    assert "Go on with --resume" in stopped.stdout
    assert run(out, "--resume").returncode == 0
    assert all(torch.equal(a, b) for a, b in zip(weights(never_killed[0]).values(), weights(out).values()))


def test_a_stop_before_the_first_step_saves_and_resumes(never_killed, tmp_path):
    """The signal comes before anything of the run is on disk: nothing is trained, everything is there to go on."""
    out = tmp_path / "stopped"
    stopped = run_stopped(signal.SIGTERM, "setup", out)
    assert stopped.returncode == 0 and "Stopped at step 0 as asked" in stopped.stdout, stopped.stderr
    assert torch.load(out / "state.pt")["progress"]["step"] == 0
    assert checkpoint.read_header(out / "last.safetensors")["info"]["val_psnr"] is None
    done = run(out, "--resume")
    assert done.returncode == 0 and "Done: 40 steps" in done.stdout, done.stderr
    assert all(torch.equal(a, b) for a, b in zip(weights(never_killed[0]).values(), weights(out).values()))
    assert lines_of(out, "loss") == lines_of(never_killed[0], "loss")


def test_all_switches_resume_exactly(tmp_path):
    """Accumulation, clipping and a moving average, stopped in the middle (by Ctrl-C) and resumed: the same bits."""
    switches = ["--accumulate", "2", "--clip-grad-norm", "50", "--ema-decay", "0.9", "--warmup-steps", "5",
                "--decay", "cosine"]  # fmt: skip
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(whole, *switches).returncode == 0
    assert "Go on with --resume" in run_stopped(signal.SIGINT, 4, stopped, *switches).stdout
    done = run(stopped, *switches, "--auto-resume")
    assert "resumed at step 5" in done.stdout, done.stderr
    for name in ("last", "best"):
        a, b = weights(whole, name), weights(stopped, name)
        assert all(torch.equal(a[k], b[k]) for k in a)
    again = torch.load(stopped / "state.pt")
    assert not torch.equal(again["average"]["dynamics.f.0.weight"], again["model"]["dynamics.f.0.weight"])
    assert torch.equal(again["average"]["dynamics.f.0.weight"], weights(stopped)["dynamics.f.0.weight"])


def test_a_time_budget_is_kept(tmp_path, monkeypatch, capsys):
    """With a clock that only the work moves: half a second a step, two for a validation, twelve in all. The last
    validation fits in, and the rate has fallen to about zero when the time is over."""
    now = 1000.0

    def taking(seconds, function):
        def wrapped(*args):
            nonlocal now
            now += seconds
            return function(*args)

        return wrapped

    monkeypatch.setattr("srvp_lite.training.run.perf_counter", lambda: now)
    monkeypatch.setattr(Step, "__call__", taking(0.5, Step.__call__))
    monkeypatch.setattr("srvp_lite.training.run.best_psnr", taking(2.0, lambda *args: 10.0))
    out = tmp_path / "budget"
    train(small_experiment(time_budget="12s", log_interval=1, val_interval=4), out, device="cpu")
    assert "as many steps as fit into 12s" in capsys.readouterr().out
    training, validations = lines_of(out, "loss"), lines_of(out, "val_psnr")
    assert list(validations) == [4, 8, 12] and list(training) == list(range(1, 13))
    assert read_log(out)[-1]["seconds"] == 12.0
    assert training[12]["lr"] < 0.2 * training[1]["lr"]


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
from small import small_experiment
from srvp_lite.training.loop import train
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2}, {len(before) // 2}))
try:
    train(small_experiment(constant_steps=50), Path({str(out)!r}), resume=True, device="cpu")
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TESTS)
    assert "could not write" in done.stdout and "File too large" in done.stdout, done.stdout + done.stderr
    assert "the file that was there before is untouched" in done.stdout
    assert (out / "state.pt").read_bytes() == before
    assert not list(out.glob(".state.pt*"))


def test_what_has_diverged_is_never_saved(tmp_path, monkeypatch):
    """Checkpoints fall between lines of the log here, and the loss breaks before the first."""
    out = tmp_path / "run"
    monkeypatch.setattr(
        "srvp_lite.model.srvp.elbo",
        lambda out, *a, **k: (out.y.sum() * float("nan"), {"loss": out.y.sum((1, 2)) * float("nan")}),
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
    constant = 7 * 32 * 32 * (0.5 * math.log(2 * math.pi) + math.log(experiment.train.obs_std))
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
    with pytest.raises(checkpoint.CheckpointError, match="state.pt is damaged or truncated"):
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
        lambda out, *a, **k: (out.y.sum() * float("nan"), {"loss": out.y.sum((1, 2)) * float("nan")}),
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
