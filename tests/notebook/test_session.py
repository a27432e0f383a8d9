"""The chapters' first cell, and their tables."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch

import srvp_lite
from srvp_lite import notebook
from srvp_lite.evaluation.results import Conditions, MetricResults, Results
from srvp_lite.notebook.checks.result import Diagnosis, Result, exercise
from srvp_lite.notebook.session import cost_of
from srvp_lite.utils.device import choose_device, device_name


def test_begin_seeds_and_speaks(monkeypatch):
    monkeypatch.delenv("SRVP_FULL", raising=False)
    session = notebook.begin(book=srvp_lite.__version__, chapter="01_predicting_video", seed=5)
    first = torch.rand(3)
    notebook.begin(book=srvp_lite.__version__, chapter="01_predicting_video", seed=5)
    assert torch.equal(first, torch.rand(3))
    text = repr(session)
    assert session.fast and f"srvp_lite {srvp_lite.__version__}" in text and "FAST" in text
    assert f"Device  {device_name(session.device)}" in text and session.device == choose_device("auto")
    monkeypatch.setenv("SRVP_FULL", "1")
    assert not notebook.begin(book=srvp_lite.__version__, chapter="x").fast


def test_a_book_of_another_version_says_what_to_install():
    with pytest.raises(
        ImportError, match=r"written with srvp_lite 9.1.0, installed is .* pip install \"srvp-lite~=9.1.0"
    ):
        notebook.begin(book="9.1.0", chapter="x")


def test_a_numpy_installed_after_it_was_loaded_asks_for_a_restart(monkeypatch, capsys):
    notebook.begin(book=srvp_lite.__version__, chapter="x")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("numpy.__version__", "1.26.4")
    notebook.begin(book=srvp_lite.__version__, chapter="x")
    said = capsys.readouterr().out
    assert "1.26.4 is still loaded: restart the kernel" in said and said.count("\n") == 1


def test_sliders_move_where_somebody_can_move_them(monkeypatch, capsys):
    """Nothing when the book is built; in a live session ipywidgets, or one line that says how to get it."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    calls = []
    monkeypatch.setitem(sys.modules, "ipywidgets", SimpleNamespace(interact=lambda show, **c: calls.append((show, c))))
    notebook.interact(print, n=3)
    assert not calls
    monkeypatch.setenv("JPY_SESSION_NAME", "chapter.ipynb")
    notebook.interact(print, n=3)
    assert calls == [(print, {"n": 3})]
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # as if not installed
    notebook.interact(print, n=3)
    said = capsys.readouterr().out
    assert 'pip install "srvp-lite[notebook]"' in said and said.count("\n") == 1


def test_costs_are_read_from_the_measured_file(tmp_path, monkeypatch):
    run = {"seconds": 90.0, "memory_gb": 1.25, "made": {"device": "a test"}}
    (tmp_path / "chapter_costs.json").write_text(json.dumps({"01_x": {"fast": run}}))
    monkeypatch.setattr("srvp_lite.checkpoint.shipped.shipped_dir", lambda kind: tmp_path)
    assert cost_of("01_x") == "FAST 1.5 minutes, 1.2 GB, no download; a test"
    assert cost_of("02_y") == "not measured yet"


def test_results_table_shows_every_number_and_how_it_was_made():
    def value(mean):
        return {"mean": mean, "interval": 0.125}

    one = MetricResults({1: value(10), 5: value(12)}, value(10.5), [10.5], copy_last=value(8), mean_frame=value(9))
    results = Results(
        Conditions(n_clips=7, n_cond=5, n_predicted=15, n_samples=5, seed=42),
        {"psnr": one, "ssim": one},
        made={"command": "srvp-lite evaluate a", "commit": "abc", "device": "a test"},
    )
    table = notebook.results_table({"a": results})
    html, text = table._repr_html_(), repr(table)
    for word in ("12.00 ± 0.12", "best of 5", "mean frame", "copy last", "10.50"):
        assert word in html and word in text
    assert "srvp-lite evaluate a" in html and "commit abc" in html and "7 held-out clips" in html


def test_checks_answer_instead_of_raising():
    @exercise("Good.")
    def check(answer):
        if answer() != 3:
            raise Diagnosis("It should be 3.")

    def broken():
        return undefined_name  # noqa: F821

    def stub():
        raise NotImplementedError

    assert check(lambda: 3) and check(lambda: 3).message == "Good."
    assert repr(check(lambda: 4)) == "✗ It should be 3."
    assert check(stub).status == check(None).status == "open"
    result = check(broken)
    assert result.status == "wrong" and "NameError" in result.message and "return undefined_name" in result.message
    assert "&lt;b&gt;" in Result("wrong", "<b>")._repr_html_()
