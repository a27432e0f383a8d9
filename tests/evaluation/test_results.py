"""Results as files: what is written is read back, older files too, anything else is refused; a metric is a row."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from small import generator

from srvp_lite.checkpoint import shipped_results
from srvp_lite.config import SRVPConfig
from srvp_lite.evaluation import Results, Scoring, comparison, evaluate, score_samples, table
from srvp_lite.metrics import METRICS, Metric
from srvp_lite.metrics.fvd import FVD
from srvp_lite.model.srvp import SRVP
from srvp_lite.notebook import results_table
from srvp_lite.presets import paper_protocols, preset


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SRVP(SRVPConfig(nx=16, nf=4, nhx=8, ny=3, nz=2, nt_inf=3, nh_inf=12, nh_res=16)).eval()


@pytest.fixture(scope="module")
def clips():
    return torch.rand(5, 13, 1, 16, 16, generator=generator(1))


def test_what_is_written_is_read_back(model, clips, tmp_path):
    scoring = Scoring(loaded={"fvd": FVD(detector=lambda videos: videos.flatten(1)[:, :6])}, steps_per_frame=2)
    results = evaluate(model, clips, 4, 6, generator(3), scoring)
    results = dataclasses.replace(results, made={"command": "a test"})
    assert results.protocol.seed == 3 and results.protocol.steps_per_frame == 2
    assert "I3D" in results.protocol.notes["fvd"] and "11x11" in results.protocol.notes["ssim"]
    (tmp_path / "r.json").write_text(json.dumps(results.to_dict()), encoding="utf-8")
    assert Results.load(tmp_path / "r.json") == results
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["format"] == 2
    assert "FVD" in table(results) and "over 5 draws, n = 5; not as in the paper" in table(results)


@pytest.mark.parametrize("name", ["lite-stochastic", "lite-deterministic"])
def test_files_without_a_format_number_are_read(name):
    """As the package wrote them before: metrics at the top, notes among the protocol."""
    plain, results = shipped_results(name), Results.load(name)
    assert plain.get("format", 1) == 1
    assert results.made == plain["made"] and results.protocol.n_clips == plain["protocol"]["n_clips"]
    assert results.protocol.notes["best"] == plain["protocol"]["best"]
    for metric in ("psnr", "ssim"):
        got, expected = results.metrics[metric], plain[metric]
        assert {str(n): value for n, value in got.best_of.items()} == expected["best_of"]
        assert (got.expected, got.copy_last, got.per_frame) == tuple(
            expected[key] for key in ("expected", "copy_last", "per_frame")
        )
    assert results.calibration.ratio == plain["calibration"]["ratio"]
    assert Results.from_dict(json.loads(json.dumps(results.to_dict()))) == results, "and written as today"


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"psnr": ', "r.json is no results file: it is not valid JSON"),
        ("[1, 2]", "r.json is no results file of srvp-lite evaluate"),
        ('{"runs": []}', "r.json is no results file of srvp-lite evaluate: it has no 'protocol'"),
        ('{"format": 3}', "r.json has format 3, this package reads up to 2; update srvp-lite"),
        ('{"format": 2, "protocol": {"clips": 3}, "metrics": {}}', "r.json is no results file .*clips"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "r.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        Results.load(tmp_path / "r.json")
    with pytest.raises(FileNotFoundError, match="no shipped results named"):
        Results.load(tmp_path / "nothing.json")


def test_a_metric_is_one_row(model, clips, monkeypatch):
    """A made-up one, added to the table and nowhere else, is scored, printed, and has a column beside the paper's."""

    def darkness(prediction, truth):
        return (prediction - truth).clamp(max=0).abs().mean(dim=(-3, -2, -1))

    monkeypatch.setitem(METRICS, "dark", Metric("Darkness", "lx", 3, "lower", darkness, note="of a test"))
    scores = score_samples(model, clips, 4, 6, generator(3)).metrics
    futures_first = scores["dark"]
    assert futures_first.shape == (6, 5, 9) and (futures_first > 0).any()
    results = evaluate(model, clips, 4, 6, generator(3))
    best = results.metrics["dark"].best_of
    assert best[1]["mean"] >= best[5]["mean"] >= best[6]["mean"], "lower is better"
    assert best[6]["mean"] == pytest.approx(scores["dark"].mean(2).amin(0).mean().item(), abs=1e-6)
    assert results.metrics["dark"].copy_last["mean"] > 0 and results.protocol.notes["dark"] == "of a test"
    printed = f"Darkness {best[6]['mean']:.3f} +- {best[6]['interval']:.3f} lx"
    assert printed in " ".join(table(results).split())

    paper = paper_protocols()["smmnist"]
    p = dataclasses.replace(
        results.protocol,
        n_cond=paper.n_cond, n_predicted=paper.n_frames - paper.n_cond, n_samples=100, n_clips=paper.n_clips,
    )  # fmt: skip
    metrics = {n: dataclasses.replace(m, best_of={100: m.best_of[6]}) for n, m in results.metrics.items()}
    made = {
        "data": preset("smmnist").to_dict()["data"], "frame_size": 64, "test_set_sha256": paper.test_set_sha256,
        "command": "a", "commit": "b", "device": "c",
    }  # fmt: skip
    ours = dataclasses.replace(results, protocol=p, metrics=metrics, made=made)
    lines = comparison("smmnist", {"mine": ours}).splitlines()
    assert "|  | PSNR ↑ | SSIM ↑ | Darkness ↓ |" in lines and lines[-1].count("|") == 5
    assert "Darkness (lx)" in repr(results_table({"mine": ours}))


def test_no_results_are_in_two_places():
    """What the tables of the book show is read by the one reader."""
    shown = [p for p in (Path(__file__).parents[2] / "data" / "results").glob("lite-*.json") if "budgets" not in p.name]
    assert shown and all(Results.load(path).metrics for path in shown)
