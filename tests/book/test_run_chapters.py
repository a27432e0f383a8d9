"""`make chapters`, on a notebook of three cells."""

import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("run_chapters", ROOT / "book" / "_scripts" / "run_chapters.py")
run_chapters = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_chapters)

pytestmark = pytest.mark.slow


def written(path: Path, *sources: str) -> Path:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.metadata.language_info = {"name": "python", "version": "3.0.0"}
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(notebook, path)
    return path


def test_outputs_are_renewed_and_nothing_else(tmp_path):
    noisy = "import sys, warnings\nwarnings.warn('this machine')\nprint('é')\nprint(2, flush=True)"
    path = written(tmp_path / "01_a.ipynb", "x = 20", noisy, "x + 1")
    before = nbformat.read(path, as_version=4)
    run_chapters.run(path)
    after = nbformat.read(path, as_version=4)
    assert after.metadata == before.metadata
    assert [c.execution_count for c in after.cells] == [1, 2, 3]
    assert [o.get("name") for o in after.cells[1].outputs] == ["stdout"]
    assert after.cells[1].outputs[0].text == "é\n2\n"
    assert after.cells[2].outputs[0].data == {"text/plain": "21"}
    for old, new in zip(before.cells, after.cells):
        assert (old.source, old.metadata, old.id) == (new.source, new.metadata, new.id)
    assert "é" in path.read_text(encoding="utf-8")


def test_a_chapter_that_fails_stays_as_it_was(tmp_path):
    path = written(tmp_path / "01_a.ipynb", "print(1)", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run_chapters.run(path)
    assert path.read_bytes() == before


def test_an_unknown_chapter_is_said():
    with pytest.raises(SystemExit, match="no chapter 99_no; there are 01_predicting_video, "):
        run_chapters.main(["99_no"])
