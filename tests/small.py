"""Small models and short runs, defined once for all tests, and how to start them as the command does."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import torch

from srvp_lite.config import Experiment, SRVPConfig
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset
from srvp_lite.training.run_folder import read_log

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
SIZES = dict(nx=16, nf=4, nhx=8, ny=3, nz=2, nt_inf=3, nh_inf=12, nh_res=16, nlayers_inf=2, nlayers_res=2)
SMALL = SRVPConfig(nx=32, nf=4, nhx=8, ny=4, nz=4, nh_inf=16, nh_res=16)  # for the data of the preset lite


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def awake(**changes) -> SRVP:
    """A model of random weights, in training mode, its convolutions ten times as strong as initialised: freshly
    initialised ones are so weak that every frame comes out grey, and most equalities hold of grey frames."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SRVP(SRVPConfig(**SIZES | changes))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
                module.weight *= 10
    return model.train()


def small_experiment(**changes) -> Experiment:
    """A run of ten steps on the data of the preset lite; `changes` are of its training."""
    t = dataclasses.replace(
        preset("lite").train, batch_size=4, n_frames=7, n_frames_test=8, val_clips=4, val_samples=2,
        constant_steps=6, decay_steps=4, val_interval=5, checkpoint_interval=5, log_interval=5,
    )  # fmt: skip
    return dataclasses.replace(preset("lite"), model=SMALL, train=dataclasses.replace(t, **changes))


# A run of forty steps of the same model, in the command's words.
SMALL_RUN = [
    "--nf", "4", "--nhx", "8", "--ny", "4", "--nz", "4", "--nh-inf", "16", "--nh-res", "16", "--batch-size", "4",
    "--n-frames", "7", "--n-frames-test", "8", "--val-clips", "4", "--val-samples", "2", "--constant-steps", "30",
    "--decay-steps", "10", "--checkpoint-interval", "7", "--val-interval", "9", "--log-interval", "3",
    "--threads", "1", "--device", "cpu",
]  # fmt: skip


def train_arguments(out, *more) -> list[str]:
    return ["train", "lite", "--out", str(out), *SMALL_RUN, *map(str, more)]


def srvp_lite(*arguments) -> subprocess.CompletedProcess:
    """Runs the command to its end."""
    return subprocess.run([sys.executable, "-m", "srvp_lite", *map(str, arguments)], capture_output=True, text=True)


def wait_until(promised, process: subprocess.Popen, seconds: float = 300) -> None:
    """Waits until `promised()` is true; fails if the process ends before, or does not get there in a long time."""
    end = time.monotonic() + seconds
    while not promised():
        assert process.poll() is None, f"ended with {process.returncode} before it did what was waited for"
        assert time.monotonic() < end, "did not get to what was waited for"
        time.sleep(0.01)


def lines_of(out, name: str) -> dict[int, dict]:
    """The lines of a run's log that have an entry `name`, by their step, without what depends on the clock."""
    clocks = ("seconds", "frames_per_second", "share_of_peak")
    return {
        line["step"]: {key: value for key, value in line.items() if key not in clocks}
        for line in read_log(out)
        if name in line
    }
