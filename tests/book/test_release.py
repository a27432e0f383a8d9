"""`make release`, on a copy of the files that it changes."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("release", ROOT / "book" / "_scripts" / "release.py")
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)

pytestmark = pytest.mark.slow
LOG = "# Changes\n\n## Unreleased\n\n- A new metric.\n\n## 0.2.0 (2026-01-01)\n\n- The first one.\n"


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path):
    """A committed copy of the files with a version in them, 0.2.0 the last one that was released."""
    (tmp_path / "srvp_lite").mkdir()
    (tmp_path / "notebooks").mkdir()
    names = [
        "README.md",
        "CITATION.cff",
        "_config.yml",
        *(f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")),
    ]
    for name in names:
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "srvp_lite" / "version.py").write_text('"""The version."""\n\n__version__ = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(LOG)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "all")
    return tmp_path


def texts(folder):
    return {p: p.read_text() for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts}


def code(path):
    return ["".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]


def outputs(path):
    return [c["outputs"] for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]


def test_all_files_say_the_new_version(copy):
    before, address = {path: outputs(path) for path in copy.glob("notebooks/*.ipynb")}, release.address_in(ROOT)
    release.release(copy, "0.3.0", "2026-12-01")
    assert '__version__ = "0.3.0"' in (copy / "srvp_lite" / "version.py").read_text()
    assert (copy / "CHANGELOG.md").read_text() == LOG.replace(
        "## Unreleased\n", "## Unreleased\n\n## 0.3.0 (2026-12-01)\n"
    )
    assert "\nversion: 0.3.0\ndate-released: 2026-12-01\n" in (copy / "CITATION.cff").read_text()
    assert f"{address}@v0.3.0" in (copy / "README.md").read_text()
    assert before
    for path, shown in before.items():
        (first,) = [source for source in code(path) if "notebook.begin(" in source]
        assert f'{address}@v0.3.0"' in first and 'begin(book="0.3.0"' in first
        assert outputs(path) == shown

    git(copy, "commit", "-a", "-q", "-m", "Version 0.3.0")
    git(copy, "tag", "v0.3.0")
    (copy / "CHANGELOG.md").write_text(LOG)
    git(copy, "commit", "-a", "-q", "-m", "More")
    release.release(copy, "0.3.1", "2026-12-02")  # from a tag to the next one
    assert (copy / "CITATION.cff").read_text().count("version: ") == 2  # of the format, and ours
    for path in before:
        (first,) = [source for source in code(path) if "notebook.begin(" in source]
        assert f'{address}@v0.3.1"' in first and "0.3.0" not in first


@pytest.mark.parametrize("version, reason", [
    ("0.2.0", "not newer than 0.2.0"), ("0.1.9", "not newer"), ("0.3", "three numbers"), ("v0.3.0", "three numbers"),
])  # fmt: skip
def test_refuses_a_version_that_is_not_newer(copy, version, reason):
    before = texts(copy)
    with pytest.raises(release.Refused, match=reason):
        release.release(copy, version, "2026-12-01")
    assert texts(copy) == before


def test_refuses_with_nothing_written(copy):
    def refused(reason, version="0.3.0"):
        before = texts(copy)
        with pytest.raises(release.Refused, match=reason):
            release.release(copy, version, "2026-12-01")
        assert texts(copy) == before

    (copy / "new.txt").write_text("not committed")
    refused("not committed")
    git(copy, "add", "-A")
    git(copy, "commit", "-q", "-m", "new")
    git(copy, "tag", "v0.4.0")
    refused("not newer than 0.4.0")
    (copy / "srvp_lite" / "version.py").write_text('__version__ = "0.6.0"\n')
    git(copy, "commit", "-a", "-q", "-m", "version")
    refused("older than what the package calls itself", "0.5.0")
    (copy / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n## 0.2.0 (2026-01-01)\n")
    git(copy, "commit", "-a", "-q", "-m", "log")
    refused("nothing under ## Unreleased", "0.7.0")


def test_refuses_outside_a_repository(copy):
    shutil.rmtree(copy / ".git")
    with pytest.raises(release.Refused, match="git status failed"):
        release.release(copy, "0.3.0", "2026-12-01")
