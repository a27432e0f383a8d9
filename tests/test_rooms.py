"""One way down: which room of the package may know which, read from the imports, those inside functions too.

A room is a folder at the top of `srvp_lite/`, or a file there. `BELOW` is the whole architecture: an arrow that is not
in it is forbidden, whoever draws it. To let a room know another one is to change this table, on purpose.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "srvp_lite"
MOST_ENTRIES = 18

BELOW = {
    "version": "",
    "utils": "version",
    "config": "utils",
    "presets": "config utils",
    "plot": "utils",
    "data": "config presets utils",
    "metrics": "utils",
    "model": "config utils",
    "checkpoint": "model config presets utils version",
    "evaluation": "checkpoint model metrics data plot config presets utils",
    "training": "evaluation checkpoint model metrics data config presets utils version",
    "bench": "training evaluation checkpoint model metrics data config presets utils",
    "explore": "training evaluation checkpoint model metrics data plot config presets utils",
    "notebook": "explore bench training evaluation checkpoint model metrics data plot config presets utils version",
    "cli": "notebook explore bench training evaluation checkpoint model metrics data plot config presets utils version",
}
BELOW = {room: set(below.split()) for room, below in BELOW.items()}
FACES = {"__init__", "__main__"}  # the package's own face may name every room; the command's entry is the command


def files_of(package: Path) -> dict[str, Path]:
    """The package's files by dotted name, `room/__init__.py` as `room`."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        names[".".join(parts if len(parts) == 1 or parts[-1] != "__init__" else parts[:-1])] = path
    return names


def imports_of(path: Path, package: Path, files: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Line, and dotted name below the package, of each of its own files that a file imports, wherever it does so."""

    def known(name: str) -> str:
        """The longest beginning of a dotted name that is a file; the package's face if none is."""
        while name and name not in files:
            name = name.rpartition(".")[0]
        return name or "__init__"

    inside = ".".join((package.name, *path.relative_to(package).parent.parts))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(inside.split(".")[: len(inside.split(".")) - node.level + 1] + base.split("."))
            targets = [f"{base.strip('.')}.{a.name}" for a in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            text = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            targets = [text.value.rstrip(".")] if isinstance(text, ast.Constant) else []
        else:
            continue
        for target in targets:
            if target.split(".")[0] == package.name:
                yield node.lineno, known(target.removeprefix(package.name).lstrip("."))


def forbidden(package: Path) -> list[str]:
    """A sentence for each import of a room by another that `BELOW` does not allow."""
    files, found = files_of(package), []
    for name, path in files.items():
        room = name.split(".")[0]
        if room in FACES:
            continue
        for line, target in imports_of(path, package, files):
            other = target.split(".")[0]
            if other != room and other not in BELOW.get(room, ()):
                place = f"{path.relative_to(package.parent)}:{line}"
                found.append(f"{place}: {room} must not know {'the face' if other in FACES else other} ({target})")
    return found


def circles(package: Path) -> list[str]:
    """Circles of files, as a -> b -> a, by way of the package's face or not."""
    files, found = files_of(package), []
    arrows = {n: sorted({t for _, t in imports_of(p, package, files)} - {n}) for n, p in files.items()}
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for target in arrows[name]:
                walk(target, [*way, name])
            done.add(name)

    for name in files:
        if name not in FACES:
            walk(name, [])
    return found


def undescribed(package: Path) -> list[str]:
    """Files of a room that the docstring of its `__init__` does not name, as `file` or in backquotes with others."""
    found = []
    for face in sorted(package.glob("*/__init__.py")):
        room = face.parent
        words = ast.get_docstring(ast.parse(face.read_text())) or ""
        there = {p.stem for p in room.glob("*.py")} | {p.parent.name for p in room.glob("*/__init__.py")}
        found += [
            f"{face.relative_to(package.parent)} does not name `{name}`"
            for name in sorted(there - FACES)
            if f"`{name}`" not in words
        ]
    return found


def test_no_room_knows_one_above_it():
    assert forbidden(PACKAGE) == []


def test_no_circle_of_files():
    assert circles(PACKAGE) == []


def test_the_top_of_the_package_is_its_table_of_contents():
    entries = {p.name for p in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    assert len(entries) <= MOST_ENTRIES, sorted(entries)
    assert {Path(e).stem for e in entries} - FACES == set(BELOW)


def test_each_room_says_what_its_files_are():
    assert undescribed(PACKAGE) == []


def test_the_table_has_no_circle_and_keeps_what_was_promised():
    list(graphlib.TopologicalSorter(BELOW).static_order())  # raises CycleError
    assert all("cli" not in below for below in BELOW.values())
    assert not BELOW["model"] & {"data", "metrics"} and not BELOW["data"] & {"model", "metrics"}
    assert not BELOW["metrics"] & {"model", "data"} and "training" not in BELOW["evaluation"]


# The guard itself can fail -------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path):
    """A function that builds a made-up package from the sources of its files."""

    def build(**sources: str) -> Path:
        package = tmp_path / "srvp_lite"
        for name, source in {"__init__": "", "utils.__init__": "", **sources}.items():
            path = package / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return package

    return build


@pytest.mark.parametrize("line", [
    "from srvp_lite.data.digits import load", "from srvp_lite.data import digits", "from srvp_lite import data",
    "import srvp_lite.data.digits", "def f():\n    from srvp_lite.data import digits", "from ..data import digits",
    "from ..data.digits import load", "import importlib\nimportlib.import_module('srvp_lite.data.digits')",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from srvp_lite.data.digits import load",
])  # fmt: skip
def test_a_forbidden_arrow_is_named(house, line):
    rooms = {"data.__init__": "", "data.digits": "", "metrics.__init__": "", "metrics.fvd": line}
    (sentence,) = forbidden(house(**rooms))
    assert "srvp_lite/metrics/fvd.py" in sentence and "metrics must not know data" in sentence


def test_the_face_and_the_command_are_above_everything(house):
    rooms = {"model.__init__": "", "cli.__init__": "", "version": "", "__init__": "from srvp_lite import cli, model"}
    assert forbidden(house(**rooms, **{"model.a": "from srvp_lite import load"})) == [
        "srvp_lite/model/a.py:1: model must not know the face (__init__)"
    ]
    assert "utils must not know cli" in forbidden(house(**rooms, **{"utils.a": "import srvp_lite.cli"}))[-1]


def test_an_allowed_arrow_is_none(house):
    rooms = {"metrics.__init__": "from srvp_lite.metrics import fvd", "metrics.fvd": "from srvp_lite import utils"}
    package = house(**rooms)
    assert forbidden(package) == [] and circles(package) == []


def test_a_circle_is_named(house):
    rooms = {"model.__init__": "", "model.a": "from srvp_lite.model.b import f", 
             "model.b": "def f():\n    import srvp_lite.c", "c": "from srvp_lite.model import a"}  # fmt: skip
    assert circles(house(**rooms)) == ["c -> model.a -> model.b -> c"]


def test_a_file_that_its_room_does_not_name_is_named(house):
    package = house(**{"utils.__init__": '"""`files`: on disk."""', "utils.files": "", "utils.seeds": ""})
    assert undescribed(package) == ["srvp_lite/utils/__init__.py does not name `seeds`"]
