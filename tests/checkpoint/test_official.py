"""Folders of the official release: read, understood, and written so that the official code would read them."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import srvp_lite
from srvp_lite import checkpoint
from srvp_lite.checkpoint import official
from srvp_lite.checkpoint.official import official_experiment, save_official
from srvp_lite.config import VideoConfig
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["dcgan", "vgg_skip"])
def test_written_as_it_was_read(name, tmp_path):
    """Every tensor under its official name, bit for bit, and every option of the model with its value."""
    folder = save_official(srvp_lite.load(GOLDEN / name), tmp_path / name, checkpoint.load_experiment(GOLDEN / name))
    theirs, ours = (torch.load(f / "model.pt", weights_only=True) for f in (GOLDEN / name, folder))
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[k], ours[k]) for k in theirs)
    before, after = (json.loads((f / "config.json").read_text(encoding="utf-8")) for f in (GOLDEN / name, folder))
    for option in official.OFFICIAL_OPTIONS.keys() & before.keys():
        assert after[option] == before[option], option
    a, b = srvp_lite.load(GOLDEN / name), srvp_lite.load(folder)
    assert all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values()))


@pytest.mark.parametrize("name", ["smmnist", "mmnist", "kth", "human36m", "bair"])
def test_an_experiment_survives_the_way_there_and_back(name, tmp_path):
    experiment = preset(name)
    small = dataclasses.replace(experiment.model, nf=4, nh_res=16, nh_inf=16)
    experiment = dataclasses.replace(experiment, model=small)
    save_official(SRVP(small), tmp_path, experiment)
    back = official_experiment(tmp_path)
    assert back == experiment and checkpoint.load_experiment(tmp_path) == experiment


def test_what_a_folder_does_not_say_is_the_papers(tmp_path):
    e = official_experiment(GOLDEN / "dcgan")
    options = json.loads((GOLDEN / "dcgan" / "config.json").read_text(encoding="utf-8"))
    assert e.train.obs_std == options["obs_scale"] and e.train.n_cond == options["nt_cond"]
    assert e.train.lr == preset("smmnist").train.lr and e.data.stochastic
    shutil.copytree(GOLDEN / "dcgan", tmp_path / "x")
    (tmp_path / "x" / "config.json").write_text(json.dumps({**options, "dataset": "cats"}), encoding="utf-8")
    with pytest.raises(
        checkpoint.CheckpointError, match="names the data set 'cats'; known are smmnist, kth, human, bair"
    ):
        official_experiment(tmp_path / "x")


def test_data_the_official_scripts_do_not_know(tmp_path):
    lite, kth = preset("lite"), preset("kth")
    with pytest.raises(ValueError, match="move MNIST's digits at 28 pixels, this model was trained on sklearn at 12"):
        save_official(SRVP(lite.model), tmp_path, lite)
    mine = dataclasses.replace(kth, data=VideoConfig("mine"))
    with pytest.raises(ValueError, match="do not know the data set 'mine'"):
        save_official(SRVP(dataclasses.replace(kth.model, nf=2)), tmp_path, mine)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_commands_take_an_official_folder_as_it_is(mnist_dir, tmp_path):
    """Evaluated with its own numbers of frames, and predicted from."""
    command = [sys.executable, "-m", "srvp_lite"]
    done = subprocess.run(
        [*command, "evaluate", GOLDEN / "dcgan", "--clips", "3", "--samples", "2", "--root", mnist_dir],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 clips, 5 frames given, 4 predicted, 2 samples" in done.stdout
    done = subprocess.run(
        [*command, "predict", GOLDEN / "dcgan", "--n-frames", "4", "--out", tmp_path / "future.png", "--device", "cpu"],
        capture_output=True, text=True, env={**os.environ, "SRVP_DATA_DIR": str(mnist_dir)},
    )  # fmt: skip
    assert done.returncode == 0 and (tmp_path / "future.png").exists(), done.stderr
