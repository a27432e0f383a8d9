"""Configurations: what cannot be is refused where it is said, and files say the kind of what they hold."""

import dataclasses
import json

import pytest

from srvp_lite.config import KINDS, Experiment, config_from_dict, config_to_dict
from srvp_lite.presets import PRESETS, paper_protocol, paper_protocols, preset


@pytest.mark.parametrize("name", PRESETS)
def test_experiments_survive_the_way_through_json(name):
    experiment = preset(name)
    written = json.loads(json.dumps(experiment.to_dict()))
    assert Experiment.from_dict(written) == experiment
    assert written["model"]["kind"] == ("svg" if name.startswith("svg") else "srvp")
    assert written["data"]["kind"] == ("videos" if name in ("kth", "human36m", "bair") else "moving digits")


@pytest.mark.parametrize("name", PRESETS)
def test_older_files_do_not_say_the_kind(name):
    experiment = preset(name)
    older = {part: dataclasses.asdict(getattr(experiment, part)) for part in KINDS}
    older["train"].pop("kl_start"), older["train"].pop("kl_warmup")  # they did not know these either
    assert "kind" not in older["model"] and Experiment.from_dict(json.loads(json.dumps(older))) == experiment


def test_lists_of_json_become_the_tuples_they_were():
    train = dataclasses.replace(preset("lite").train, kl_warmup=(0.1, 0.2))
    assert config_from_dict("train", json.loads(json.dumps(config_to_dict(train)))) == train


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "part, settings, message",
    [
        (
            "model",
            {"kind": "gan"},
            "config.json: model is of the kind 'gan', which is unknown here; there are srvp, svg",
        ),
        ("data", {"kind": "films"}, "data is of the kind 'films', .* there are moving digits, videos"),
        ("model", {"kind": "svg", "ny": 3}, "config.json: model has settings that are unknown here: ny"),
        ("data", {"kind": "videos"}, "config.json: data has settings that are missing: dataset"),
        ("train", {"lr": "fast"}, "config.json: train.lr cannot be 'fast'"),
        ("train", {"kl_warmup": [0.1]}, r"config.json: train.kl_warmup cannot be \(0.1,\)"),
        ("train", {"compile": 1}, "config.json: train.compile cannot be 1"),
        ("train", {"decay": "abrupt"}, "config.json: train.decay cannot be 'abrupt'; there are linear, cosine"),
        ("train", {"clip_grad_norm": None, "batch_size": 0}, "config.json: train: batch_size must be a whole number"),
        ("model", 3, "config.json: model should be settings by name, got 3"),
    ],
)
def test_what_cannot_be_is_one_sentence(part, settings, message):
    experiment = preset("lite").to_dict()
    with pytest.raises(ValueError, match=message):
        Experiment.from_dict(experiment | {part: settings}, "config.json")


def test_an_experiment_needs_all_its_parts_and_they_must_fit():
    experiment = preset("lite").to_dict()
    with pytest.raises(ValueError, match="config.json: an experiment has .*; missing: data, train"):
        Experiment.from_dict({"model": experiment["model"]}, "config.json")
    with pytest.raises(ValueError, match="config.json: the data make frames of 32 pixels, the model takes 64"):
        Experiment.from_dict(experiment | {"model": {"kind": "srvp"}}, "config.json")


def test_the_papers_tests_hang_on_the_presets():
    assert list(paper_protocols()) == ["smmnist", "mmnist", "kth", "human36m", "bair"]
    for name, protocol in paper_protocols().items():
        row = PRESETS[name]
        assert row.protocol is protocol and protocol.dataset == name
        assert (protocol.n_cond, protocol.n_frames) == (row.train.n_cond, row.train.n_frames_test)
        elsewhere = dataclasses.replace(row.data, root="somewhere")
        assert paper_protocol(elsewhere) is protocol
    assert paper_protocol(preset("lite").data) is None
    assert PRESETS["svg-smmnist"].protocol is PRESETS["smmnist"].protocol
