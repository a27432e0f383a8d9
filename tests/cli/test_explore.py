"""`srvp-lite explore`: every experiment runs, prints what the functions measure, and draws what it says."""

import dataclasses
import json

import pytest
import torch
from PIL import Image
from small import SMALL

from srvp_lite import checkpoint, explore
from srvp_lite.cli import main
from srvp_lite.data.open import moving_digits
from srvp_lite.data.open import test_clips as clips_of
from srvp_lite.model.srvp import SRVP
from srvp_lite.model.svg import SVG
from srvp_lite.presets import preset

EXPERIMENT = dataclasses.replace(preset("lite"), model=SMALL)


@pytest.fixture(scope="module")
def tiny(untrained_run):
    return str(untrained_run)


def explored(capsys, *arguments):
    main(["explore", *map(str, arguments)])
    return capsys.readouterr().out


def test_its_clips_are_those_of_evaluate():
    truth = moving_digits(EXPERIMENT.data, "test").sample_with_truth(7, 20, torch.Generator().manual_seed(42))
    assert torch.equal(truth.frames, clips_of(EXPERIMENT.data, 7, 20).float() / 255)


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_rates(tiny, capsys, tmp_path, ending):
    out = tmp_path / f"r.{ending}"
    said = explored(capsys, "rates", tiny, "--rates", 1, 0.5, 4, "--n-frames", 6, "--out", out)
    x = clips_of(EXPERIMENT.data, 1, 5).float() / 255
    shown = explore.at_rates(checkpoint.load(tiny), x, 6, (1, 0.5, 4))
    for rate in (1, 0.5, 4):
        assert f"{explore.roughness(shown[rate][0]).item():.3f}" in said
    image, lasts = Image.open(out), 0
    for i in range(image.n_frames):
        image.seek(i)
        lasts += image.info.get("duration", 0)
    assert lasts == (24 * 50 if ending == "gif" else 0)  # in ms; all rows last as long as the fastest


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_swap_of_the_shipped_model(capsys, tmp_path):
    sizes = ("--pairs", 30, "--contents", 2, "--motions", 3, "--n-clips", 9)
    said = explored(capsys, "swap", "lite-deterministic", *sizes, "--out", "s.gif", "--json", "s.json")
    found = json.loads((tmp_path / "s.json").read_text())
    assert {"command", "commit", "device", "model_sha256"} <= found["made"].keys()
    swap, control = found["scores"]["swap"], found["scores"]["no swap"]
    assert f"{swap['psnr perfect']['mean']:.2f} +- " in said
    assert swap["psnr perfect"]["mean"] > control["psnr perfect"]["mean"] + 0.5
    assert swap["digits content"]["mean"] > 3 * control["digits content"]["mean"]
    assert swap["pixels motion"]["mean"] < 0.2 * swap["pixels content"]["mean"]
    image = Image.open("s.gif")
    assert image.width >= 4 * 32 * 3 and image.height >= 4 * 32 * 4  # a row and a column of true clips more


@pytest.mark.parametrize("what", ["content", "motion"])
def test_interpolate(tiny, capsys, what):
    said = explored(capsys, "interpolate", tiny, "--what", what, "--between", 0, 2, "--n", 4, "--out", "i.png")
    x = clips_of(EXPERIMENT.data, 3, 20).float() / 255
    between = {"content": explore.interpolate_content, "motion": explore.interpolate_motion}[what]
    frames = between(checkpoint.load(tiny), x[:1], x[2:3], 4, torch.Generator().manual_seed(0))[:, 0]
    expected = frames.diff(dim=0).square().mean(dim=(1, 2, 3, 4)).sqrt()
    assert said.split("): ")[1].split("\n")[0] == "  ".join(f"{c:.3f}" for c in expected)
    assert Image.open("i.png").height > 4 * 32 * 4


def test_too_few_frames_for_roughness_are_valid_json(tiny, capsys, tmp_path):
    assert "too few" in explored(capsys, "rates", tiny, "--rates", 1, "--n-frames", 2, "--json", "r.json")
    found = json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)
    assert found["rates"]["1.0"] == {"frames": 2, "roughness": None}


def test_walk(tiny, capsys, tmp_path):
    said = explored(capsys, "walk", tiny, "--n-clips", 5, "--json", "w.json", "--out", "w.png")
    found = json.loads((tmp_path / "w.json").read_text())
    rms = found["effects"]["rms"]
    order = sorted(range(4), key=lambda i: -rms[i])
    assert [int(line.split()[0]) for line in said.splitlines()[1:5]] == order and found["dimension"] == order[0]


def test_readouts_and_uncertainty(tiny, capsys, tmp_path):
    said = explored(capsys, "readouts", tiny, "--n-fit", 60, "--n-new", 30, "--out", "q.json")
    assert "y, untrained" in said and "w, untrained" in said
    found = json.loads((tmp_path / "q.json").read_text())
    assert (
        found["n_fit"] == 60
        and found["made"]["model_sha256"]
        and f"{found['readouts']['y']['place']['value']:.2f}" in said
    )
    said = explored(capsys, "uncertainty", tiny, "--samples", 4, "--n-clips", 6, "--out", "u.gif", "--json", "u.json")
    found = json.loads((tmp_path / "u.json").read_text())
    x = clips_of(EXPERIMENT.data, 6, 20).float() / 255
    futures = checkpoint.load(tiny).predict(x[:, :5], 15, 4, generator=torch.Generator().manual_seed(0))
    assert found["spread"] == pytest.approx(explore.disagreement(futures).mean(0).sqrt().tolist(), rel=1e-4)
    assert sum(found["reliability"]["count"]) == 6 * 15 * 32 * 32 and f"{found['auc']['value']:.2f}" in said
    assert Image.open("u.gif").n_frames == 15


def test_what_cannot_be_explored_is_said(tiny, tmp_path):
    without = dataclasses.replace(SMALL, use_w=False)
    checkpoint.save(SRVP(without), tmp_path / "no-w.safetensors",
                    experiment=dataclasses.replace(EXPERIMENT, model=without).to_dict())  # fmt: skip
    svg = dataclasses.replace(preset("svg-lite").model, nf=4, g_dim=8, rnn_size=8)
    checkpoint.save(SVG(svg), tmp_path / "svg.safetensors",
                    experiment=dataclasses.replace(preset("svg-lite"), model=svg).to_dict())  # fmt: skip
    for arguments, words in [
        (("swap", "no-w.safetensors"), "no content to swap"),
        (("rates", "svg.safetensors"), "a rival without y and w"),
        (("interpolate", "no-w.safetensors"), "no content to swap"),
        (("rates", tiny, "--out", "r.bmp"), "pictures end in"),
        (("swap", tiny, "--clip", "-3"), "number -3 was asked for"),
        (("swap", tiny, "--contents", "0"), "a content and a motion at least, got 0 and 4"),
        (("uncertainty", tiny, "--samples", "3"), "4 of them at least"),
        (("rates", tiny, "--clip", "100"), "there are 100 test clips, counted from 0, number 100"),
        (("interpolate", tiny, "--between", "0", "-1"), "number -1 was asked for"),
        (("walk", tiny, "--dimension", "4"), "dimension must be from 0 to 3"),
        (("walk", "nowhere"), "no model at 'nowhere'"),
    ]:
        with pytest.raises(SystemExit, match=words):
            main(["explore", *arguments])
