"""The public names: few at the top, each explained, none in the way of a module, and nothing loaded before its use."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import srvp_lite

ROOMS = sorted(found.name for found in pkgutil.walk_packages(srvp_lite.__path__, "srvp_lite.") if found.ispkg)


def test_the_top_has_few_names_and_shows_them():
    assert len(srvp_lite.__all__) <= 20 and len(set(srvp_lite.__all__)) == len(srvp_lite.__all__)
    assert {"SRVP", "evaluate", "load", "open_data", "preset", "train"} <= set(srvp_lite.__all__)
    assert set(srvp_lite.__all__) <= set(dir(srvp_lite))


@pytest.mark.parametrize("name", srvp_lite.__all__)
def test_each_name_at_the_top_is_explained(name):
    assert inspect.getdoc(getattr(srvp_lite, name))


def test_the_top_reaches_every_room_and_says_what_there_is():
    entries = {found.name for found in pkgutil.iter_modules(srvp_lite.__path__)} - {"__main__", "version"}
    assert entries == set(srvp_lite._ROOMS) <= set(dir(srvp_lite)) and not entries & set(srvp_lite.__all__)
    assert all(srvp_lite.__getattr__(name).__name__ == f"srvp_lite.{name}" for name in entries)
    with pytest.raises(AttributeError, match="no attribute 'nothing'; there are SRVP, Experiment"):
        srvp_lite.__getattr__("nothing")


def test_what_the_top_lists_for_type_checkers_is_what_it_loads():
    code = inspect.getsource(srvp_lite).split("if TYPE_CHECKING:")[1].split("__all__")[0]
    listed = {}
    for line in code.splitlines():
        if line.strip().startswith("from srvp_lite."):
            home, names = line.strip().removeprefix("from srvp_lite.").split(" import ")
            listed |= dict.fromkeys(names.split(", "), home)
    assert listed == srvp_lite._HOMES
    assert {*listed, "__version__"} == set(srvp_lite.__all__)


@pytest.mark.parametrize("name", ROOMS)
def test_a_rooms_face_is_true(name):
    """What it promises is there and explained, and no function has the name of a module beside it."""
    room = importlib.import_module(name)
    assert inspect.getdoc(room)
    for public in getattr(room, "__all__", ()):
        assert inspect.getdoc(getattr(room, public)), public
    for found in pkgutil.iter_modules(room.__path__, f"{name}."):
        module = importlib.import_module(found.name)
        assert getattr(room, found.name.rpartition(".")[2]) is module, "a name of the face hides this module"


def test_importing_the_package_loads_nothing_else():
    code = "import sys; before = set(sys.modules); import srvp_lite; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"srvp_lite"}
