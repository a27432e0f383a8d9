"""The page of the public API: every room has its section, every name that a room offers is told there."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import srvp_lite

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "api.md").read_text()
INVENTORY = ROOT / "_build" / "html" / "objects.inv"
PARTS = sorted({m.name for m in pkgutil.iter_modules(srvp_lite.__path__)} - {"__main__", "version"})


def offered(module) -> dict[str, object]:
    """The classes and functions of a module's `__all__`."""
    names = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    return {name: thing for name, thing in names.items() if inspect.isclass(thing) or inspect.isroutine(thing)}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_package_has_its_place_on_the_page(part):
    assert re.search(rf"automodule:: srvp_lite\.{part}$", PAGE, re.M), f"book/api.md has no section for {part}"


@pytest.mark.parametrize("part", ["", *PARTS])
def test_every_offered_name_has_a_docstring(part):
    module = importlib.import_module(f"srvp_lite.{part}".rstrip("."))
    assert module.__doc__
    assert [name for name, thing in offered(module).items() if not (thing.__doc__ or "").strip()] == []


def test_names_that_the_page_picks_by_hand_exist():
    for module, names in re.findall(r"automodule:: (\S+)\n +:members: (.+)", PAGE):
        module = importlib.import_module(module)
        assert [name for name in names.split(", ") if not hasattr(module, name)] == []


@pytest.mark.skipif(not INVENTORY.exists(), reason="the book is not built; `make book` builds it")
def test_the_built_page_describes_every_offered_name():
    from sphinx.util.inventory import InventoryFile

    with INVENTORY.open("rb") as file:
        described = {name for kind in InventoryFile.load(file, "", lambda base, uri: uri).values() for name in kind}
    missing = {
        f"srvp_lite.{part}.{name}"
        for part in PARTS
        if part != "cli"
        for name in offered(importlib.import_module(f"srvp_lite.{part}"))
    } - described
    assert missing == set()
    ends = {name.rpartition(".")[2] for name in described}
    assert set(offered(srvp_lite)) <= ends
