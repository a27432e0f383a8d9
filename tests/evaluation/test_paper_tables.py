"""The paper's tables: rendered three ways, ours below, nothing compared that is not comparable."""

import dataclasses
import json
from html.parser import HTMLParser

import pytest
from small import srvp_lite

from srvp_lite.config import config_to_dict
from srvp_lite.evaluation.paper_tables import comparison, our_values
from srvp_lite.evaluation.results import Conditions, MetricResults, Results, SetResults
from srvp_lite.presets import paper_protocols, preset

PAPER = paper_protocols()


def results(dataset="smmnist", psnr=16.5, made=None, **changes):
    p = PAPER[dataset]
    protocol = Conditions(p.n_clips, p.n_cond, p.n_frames - p.n_cond, p.n_samples, seed=42)
    protocol = dataclasses.replace(protocol, **changes)
    data = config_to_dict(preset(dataset).data)

    def measured(mean, interval):
        score = {"mean": mean, "interval": interval}
        return MetricResults({protocol.n_samples: score}, score, [mean])

    return Results(
        protocol,
        {"psnr": measured(psnr, 0.061), "ssim": measured(0.7654321, 0.002)},
        {"fvd": SetResults([100.0], 100.0, 0.0)},
        made={"data": data, "frame_size": 64, "test_set_sha256": p.test_set_sha256} | (made or {}),
    )


def test_every_table_ends_with_srvp_which_is_best():
    assert list(PAPER) == ["smmnist", "mmnist", "kth", "human36m", "bair"]
    for dataset, protocol in PAPER.items():
        rows = protocol.table.rows
        assert list(rows)[-1] == "SRVP" and comparison(dataset, {}).count("\n|") == len(rows) + 2
        mean = {name: row["psnr"][0] if isinstance(row["psnr"], tuple) else row["psnr"] for name, row in rows.items()}
        assert dataset == "bair" or max(mean, key=mean.get) == "SRVP", "as the paper says, but for BAIR's PSNR"
    with pytest.raises(ValueError, match="no table for 'cats'; there are smmnist"):
        comparison("cats", {})


def test_markdown():
    text = comparison("smmnist", {"mine": results()})
    lines = text.splitlines()
    assert lines[0] == "**Stochastic Moving MNIST, 5 → 20 frames**" and lines[2] == "|  | PSNR ↑ | SSIM ↑ |"
    assert "| SRVP | 16.93 ± 0.07 | 0.7799 ± 0.0020 |" in lines
    assert "| mine (ours) | 16.50 ± 0.06 | 0.7654 ± 0.0020 |" in lines
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert "fvd" not in our_values(results()), "another port's FVD does not belong into the paper's column"


def test_empty_cells_stay_empty():
    assert "| SRVP | 25.30 |  | 0.0509 | 416 |" in comparison("human36m", {"x": results("human36m")})


def test_html():
    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.rows, self.open = [], []

        def handle_starttag(self, tag, attrs):
            self.open.append(tag)
            if tag == "tr":
                self.rows.append([])
            if tag in ("td", "th"):
                self.rows[-1].append("")

        def handle_data(self, data):
            if self.open[-1] in ("td", "th"):
                self.rows[-1][-1] += data

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Cells()
    parser.feed(comparison("kth", {"a<b": results("kth")}, "html"))
    assert not parser.open and {len(row) for row in parser.rows} == {5}
    assert parser.rows[-1][:2] == ["a<b (ours)", "16.50 ± 0.06"]


def test_latex():
    text = comparison("smmnist", {"my_run": results()}, "latex")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {row.count("&") for row in rows} == {2}
    assert rows[-1] == r"my\_run (ours) & 16.50 $\pm$ 0.06 & 0.7654 $\pm$ 0.0020 \\"
    assert text.isascii(), "no character that LaTeX would stumble over"


@pytest.mark.parametrize("change", [dict(n_predicted=25), dict(n_samples=10), dict(n_clips=500), dict(n_cond=4)])
def test_another_protocol_is_refused(change):
    with pytest.raises(ValueError, match="mine was not measured by the paper's protocol.*--protocol paper"):
        comparison("smmnist", {"mine": results(**change)})


@pytest.mark.parametrize(
    "made, message",
    [
        (dict(data=config_to_dict(preset("lite").data)), "its data are .*sklearn"),
        (dict(frame_size=32), "frames of 32 pixels"),
        (dict(test_set_sha256="0" * 64), "its test clips are not the official ones"),
    ],
)
def test_another_test_set_is_refused(made, message):
    """The right counts on other clips are no comparison."""
    with pytest.raises(ValueError, match=message):
        comparison("smmnist", {"mine": results(made=made)})
    with pytest.raises(ValueError, match="it made 2 Euler steps per frame"):
        comparison("smmnist", {"mine": results(steps_per_frame=2)})
    with pytest.raises(ValueError, match="does not say on what data"):
        comparison("smmnist", {"mine": dataclasses.replace(results(), made={})})


@pytest.mark.slow
def test_the_command(tmp_path):
    (tmp_path / "run7").mkdir()
    (tmp_path / "run7" / "results.json").write_text(json.dumps(results().to_dict()), encoding="utf-8")
    done = srvp_lite("table", "smmnist", tmp_path / "run7" / "results.json")
    assert done.returncode == 0 and "| run7 (ours) | 16.50" in done.stdout, done.stderr
    absent = srvp_lite("table", "kth", tmp_path / "no.json")
    assert absent.returncode == 1 and "make them with srvp-lite evaluate RUN" in absent.stderr
    none = srvp_lite("table", "bair", "--format", "latex")
    assert none.returncode == 0 and r"SRVP & 19.59 & 0.8196" in none.stdout
