"""Saving and loading: nothing lost, nothing foreign let in, every refusal explained."""

import dataclasses
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

import srvp_lite
from srvp_lite import checkpoint
from srvp_lite.checkpoint import weights
from srvp_lite.config import SRVPConfig
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import preset
from srvp_lite.utils import files
from srvp_lite.utils.files import CheckpointError

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = SRVPConfig(nx=16, nf=4, nhx=8, ny=3, nz=2, nt_inf=3, nh_inf=12, nh_res=16)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = SRVP(SMALL)
    model(torch.rand(2, 4, 1, 16, 16))  # moves the batch norms' statistics
    return model, srvp_lite.save(model, tmp_path / "model.safetensors", note="a test", seed=3)


def test_round_trip(saved):
    model, path = saved
    loaded = srvp_lite.load(path)
    assert loaded.config == SMALL and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert checkpoint.read_header(path)["info"] == {"note": "a test", "seed": 3}
    assert srvp_lite.load(str(path)).config == SMALL


def test_a_run_folder_means_its_best_checkpoint(saved, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(saved[1], run / "best.safetensors")
    assert srvp_lite.load(run).config == SMALL


def test_channels_last_weights_are_saved_too(tmp_path):
    model = SRVP(SMALL).to(memory_format=torch.channels_last)
    loaded = srvp_lite.load(srvp_lite.save(model, tmp_path / "m.safetensors"))
    assert torch.equal(loaded.encoder.stages[1][0].weight, model.encoder.stages[1][0].weight)


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model at 'lite-nonsense': expected .* shipped name"):
        srvp_lite.load("lite-nonsense")
    with pytest.raises(FileNotFoundError, match="is no model: .* config.json is missing"):
        srvp_lite.load(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 500, -1])
def test_truncated(saved, keep):
    path = saved[1]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="not a whole safetensors file .* copy or download it again"):
        srvp_lite.load(path)


def test_safetensors_of_something_else(tmp_path):
    safetensors.torch.save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="of something else: its header has no 'srvp_lite' entry"):
        srvp_lite.load(tmp_path / "other.safetensors")


def test_weights_of_another_model(saved):
    model, path = saved
    header = {"format": weights.FORMAT, "model": {**SMALL.__dict__, "ny": 4, "nlayers_res": 5}, "info": {}}
    safetensors.torch.save_file(model.state_dict(), path, {weights.HEADER_KEY: json.dumps(header)})
    with pytest.raises(CheckpointError, match="another model than its configuration says: .*missing.*of another shape"):
        srvp_lite.load(path)


def test_a_later_format_asks_for_an_update(saved):
    model, path = saved
    header = {"format": "srvp-lite 9", "model": {}, "info": {}}
    safetensors.torch.save_file(model.state_dict(), path, {weights.HEADER_KEY: json.dumps(header)})
    with pytest.raises(CheckpointError, match="'srvp-lite 9', this package reads up to 'srvp-lite 2'; update"):
        srvp_lite.load(path)


def write_header(model, path, config, info=None, number=2):
    header = {"format": f"srvp-lite {number}", "model": config, "info": info or {}}
    safetensors.torch.save_file(model.state_dict(), path, {weights.HEADER_KEY: json.dumps(header)})


def test_the_header_says_the_kind_of_model(saved):
    model, path = saved
    header = checkpoint.read_header(path)
    assert header["format"] == "srvp-lite 2" and header["model"] == {"kind": "srvp", **dataclasses.asdict(SMALL)}
    write_header(model, path, dataclasses.asdict(SMALL), number=1)  # as older versions wrote it
    assert srvp_lite.load(path).config == SMALL


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "gan"}, "model.safetensors: model is of the kind 'gan', .* there are srvp, svg"),
        ({"depth": 3}, "model.safetensors: model has settings that are unknown here: depth"),
        ({"nx": "16"}, "model.safetensors: model.nx cannot be '16'"),
        ({"transition": "lru"}, "model.safetensors: model.transition cannot be 'lru'; there are residual, mlp, gru"),
    ],
)
def test_a_configuration_of_another_version_is_one_sentence(saved, change, message):
    """Of the model, for which it is loaded, and of the experiment that it was trained in."""
    model, path = saved
    write_header(model, path, {"kind": "srvp", **dataclasses.asdict(SMALL), **change})
    with pytest.raises(CheckpointError, match=message):
        srvp_lite.load(path)
    experiment = preset("lite").to_dict()
    write_header(model, path, {}, {"experiment": experiment | {"model": experiment["model"] | change}})
    with pytest.raises(CheckpointError, match=message):
        srvp_lite.load_experiment(path)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("bomb-went-off",))


@pytest.fixture
def official(tmp_path):
    folder = tmp_path / "official"
    shutil.copytree(GOLDEN / "dcgan", folder)
    return folder


def test_official_folder_is_recognised(official):
    model = srvp_lite.load(official)
    assert model.config.nf == 8 and model.config.network == "dcgan"


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_of_more_than_tensors_is_refused_and_does_not_run(official, how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if how == "torch":
        torch.save({"weights": Bomb()}, official / "model.pt")
    else:
        (official / "model.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="more than tensors.*refused"):
        srvp_lite.load(official)
    assert not Path("bomb-went-off").exists()


def test_official_folder_damaged(official):
    whole = (official / "model.pt").read_bytes()
    (official / "model.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged|truncated"):
        srvp_lite.load(official)
    (official / "model.pt").write_bytes(whole)
    options = json.loads((official / "config.json").read_text(encoding="utf-8"))
    (official / "config.json").write_text(json.dumps({**options, "nlayers_res": 3}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="tensors for 'p_z.'"):
        srvp_lite.load(official)
    del options["ny"]
    (official / "config.json").write_text(json.dumps(options), encoding="utf-8")
    with pytest.raises(CheckpointError, match="lacks ny"):
        srvp_lite.load(official)
    (official / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        srvp_lite.load(official)
    (official / "model.pt").unlink()
    with pytest.raises(FileNotFoundError, match="model.pt is missing"):
        srvp_lite.load(official)


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")

    def fail(tmp):
        Path(tmp).write_text("half", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(path, fail)
    assert path.read_text(encoding="utf-8") == "old" and os.listdir(tmp_path) == ["file"]


# Small files ---------------------------------------------------------------------------------------------------------


def test_sixteen_bits_in_several_files_are_almost_the_same_model(saved, tmp_path):
    """Every weight to 11 significant bits; every file under the limit; any file, the name or the folder will do."""
    model, _ = saved
    limit = 64_000 + 5_000
    first = checkpoint.save(model, tmp_path / "x" / "model.safetensors", half=True, max_bytes=limit, note="small")
    parts = sorted((tmp_path / "x").iterdir())
    assert len(parts) > 2 and all(p.stat().st_size < limit for p in parts)
    assert first.name == f"model-1-of-{len(parts)}.safetensors"
    for where in (first, parts[-1], tmp_path / "x" / "model", tmp_path / "x"):
        loaded = srvp_lite.load(where)
        for name, expected in model.state_dict().items():
            got = loaded.state_dict()[name]
            assert got.dtype == expected.dtype
            torch.testing.assert_close(got, expected, rtol=2**-11, atol=2**-24)
        assert checkpoint.read_header(checkpoint.find(where))["info"] == {"note": "small"}
    for name, buffer in model.named_buffers():
        assert torch.equal(loaded.get_buffer(name), buffer), "batch norms' statistics are whole"


def test_a_missing_part_is_named(saved, tmp_path):
    first = checkpoint.save(saved[0], tmp_path / "m.safetensors", max_bytes=64_000 + 20_000)
    second = weights.parts_of(first)[1]
    second.unlink()
    with pytest.raises(CheckpointError, match=f"one of . files; {second.name} should lie beside it"):
        srvp_lite.load(first)


def test_what_cannot_be_made_small_is_refused(saved, tmp_path):
    model, _ = saved
    with pytest.raises(ValueError, match="alone has .* bytes, more than max_bytes=65,000"):
        checkpoint.save(model, tmp_path / "m.safetensors", max_bytes=65_000)
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)
    with pytest.raises(ValueError, match=r"has values up to 1e\+06, too large for 16 bits"):
        checkpoint.save(model, tmp_path / "m.safetensors", half=True)
    assert not (tmp_path / "m.safetensors").exists()
