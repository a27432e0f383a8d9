"""What CONTRIBUTING.md and the README say of the package's files is so."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "srvp_lite"
CONTRIBUTING, README = (ROOT / "CONTRIBUTING.md").read_text(), (ROOT / "README.md").read_text()
NAMED = re.findall(r"`([\w./-]+(?:\.(?:py|md|yml|yaml|txt)|/))`", CONTRIBUTING)
PATHS = sorted({path for path in NAMED if not re.search("NAME|NN", path)})


@pytest.mark.parametrize("path", PATHS)
def test_files_that_are_named_exist(path):
    assert any((folder / path).exists() for folder in (ROOT, PACKAGE)), f"CONTRIBUTING.md names {path}"


def test_picture_of_the_rooms_is_that_of_the_imports():
    sys.path.insert(0, str(ROOT / "book" / "_scripts"))
    import rooms

    assert rooms.with_drawing(CONTRIBUTING) == CONTRIBUTING, "python book/_scripts/rooms.py --write draws it anew"


def test_tree_in_the_readme_has_every_room():
    (tree,) = re.findall(r"^srvp_lite/\n((?:  .*\n)+)", README, re.M)
    told = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    there = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    files = {p.name for p in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py", "version.py"}
    assert told == there | files
