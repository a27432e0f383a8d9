"""`srvp-lite evaluate`: what it prints, what it writes, what it leaves out."""

import dataclasses
import json

import pytest

from srvp_lite import checkpoint
from srvp_lite.cli import main
from srvp_lite.config import SRVPConfig
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset


def test_evaluate(untrained_run, tmp_path, said):
    out = tmp_path / "r.json"
    printed = said("evaluate", untrained_run, "--samples", 5, "--clips", 6, "--out", out, "--device", "cpu")
    assert "best of 5" in printed and "6 test clips, 5 frames given" in printed
    results = json.loads(out.read_text())
    assert results["made"].keys() >= {"command", "device", "seconds", "model_sha256", "torch", "data"}
    assert results["protocol"]["n_samples"] == 5 and results["protocol"]["n_predicted"] == 15


def test_a_missing_metric_is_said_and_the_others_go_on(untrained_run, tmp_path, said):
    printed = said("evaluate", untrained_run, "--samples", 2, "--clips", 2, "--extra", "fvd", "--fvd-weights",
                   tmp_path / "no.pt", "--pictures", tmp_path / "pictures", "--device", "cpu")  # fmt: skip
    assert "FVD is left out: no I3D weights at" in printed and "best of 2" in printed
    assert "test set sha256" in printed and "calibrated" in printed
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == ["clip0.png", "clip1.png", "samples.npz"]


@pytest.mark.slow
def test_the_papers_protocol_by_name(untrained_run, tmp_path, mnist_dir, said):
    with pytest.raises(SystemExit, match="no protocol for this model's data"):
        main(["evaluate", str(untrained_run), "--protocol", "paper"])
    config = SRVPConfig(nf=2, nhx=8, ny=4, nz=4, nh_inf=16, nh_res=16)
    experiment = dataclasses.replace(preset("smmnist"), model=config)
    model = checkpoint.save(
        SRVP(config), tmp_path / "m.safetensors", experiment=experiment.to_dict(), step=0, val_psnr=0.0
    )
    printed = said("evaluate", model, "--protocol", "paper", "--clips", 10, "--samples", 3, "--root", mnist_dir,
                   "--out", tmp_path / "r.json", "--device", "cpu")  # fmt: skip
    assert "20 predicted, 3 samples" in printed
    made = json.loads((tmp_path / "r.json").read_text())["made"]
    # The first ten clips of the official set have a published hash.
    assert made["test_set_sha256"] == "134ec94cc18d1301fad3b08aa7c0ff7e09834d7f42a95b98d53207a3e209e8e6"
    assert not list(tmp_path.glob("*.partial"))
