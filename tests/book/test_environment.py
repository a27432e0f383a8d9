"""pyproject.toml, constraints.txt, environment.yml and CI describe one environment."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(r) for r in sum(EXTRAS.values(), PROJECT["dependencies"])]
DIRECT = [r for r in REQUIREMENTS if r.name != PROJECT["name"]]


def pins() -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = [
        re.fullmatch(r"([\w.-]+)==([\w.!]+)", line) or pytest.fail(f"not a pin: {line!r}") for line in lines if line
    ]
    return {canonicalize_name(name): version for name, version in (pin.groups() for pin in pins)}


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_every_dependency_has_one_tested_version_inside_its_range(requirement):
    version = pins().get(canonicalize_name(requirement.name))
    assert version is not None, f"constraints.txt has no pin for {requirement.name}"
    assert requirement.specifier.contains(version), f"{requirement} does not allow the tested {version}"


def test_pins_are_written_once_and_without_a_build_label():
    # "torch==2.13.0+cpu" would keep GPU users from installing.
    assert "+" not in "".join(pins().values())
    names = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    assert len(names) == len({canonicalize_name(n) for n in names})


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_torch_and_numpy_have_no_upper_bound(name):
    """Colab moves on; upper bounds are the first reason why books stop working there."""
    bounds = [s for r in DIRECT if canonicalize_name(r.name) == name for s in r.specifier]
    assert bounds and {s.operator for s in bounds} <= {">=", "!="}


def test_extras_build_on_each_other():
    """`pip install -e .[dev]` brings everything that any extra brings."""

    def closure(extra):
        return {extra}.union(*(closure(e) for r in map(Requirement, EXTRAS[extra])
                               if r.name == PROJECT["name"] for e in r.extras))  # fmt: skip

    assert closure("dev") == set(EXTRAS)


def test_environment_yml_installs_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert environment["name"] == PROJECT["name"]
    assert pip == ["-c constraints.txt", "-e .[dev]"]
    makefile = (ROOT / "Makefile").read_text()
    assert "install -e '.[dev]' -c constraints.txt" in makefile


def pythons_of(workflow: Path) -> set[str]:
    """The versions of Python that a workflow names, for setup-python or in a matrix."""

    def walk(node, key="") -> set[str]:
        if isinstance(node, dict):
            return set().union(*(walk(value, str(name)) for name, value in node.items()))
        if isinstance(node, list):
            return set().union(*(walk(value, key) for value in node))
        return {str(node)} if key.startswith("python") and re.fullmatch(r"[\d.]+", str(node)) else set()

    return walk(yaml.safe_load(workflow.read_text()))


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def pythons_in_ci() -> set[str]:
    return set().union(*map(pythons_of, WORKFLOWS))


def test_python_versions_agree():
    allowed = SpecifierSet(PROJECT["requires-python"])
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (python,) = [d.removeprefix("python=") for d in environment["dependencies"] if str(d).startswith("python=")]
    assert python in pythons_in_ci(), f"CI runs Python {pythons_in_ci()}, environment.yml names {python}"
    assert len(pythons_in_ci()) > 1 and all(allowed.contains(v) for v in pythons_in_ci())
    lowest = re.search(r"version_info < \((\d+), (\d+)\)", (ROOT / "Makefile").read_text())
    assert allowed == SpecifierSet(f">={'.'.join(lowest.groups())}")
    assert ".".join(lowest.groups()) in pythons_in_ci(), "the lowest Python we allow is not tested"


def test_the_weekly_run_tries_the_lowest_torch():
    (lowest,) = [s.version for r in DIRECT if r.name == "torch" for s in r.specifier if s.operator == ">="]
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text())
    tried = [job["torch"] for job in weekly["jobs"]["versions"]["strategy"]["matrix"]["include"]]
    assert f"=={lowest}.*" in tried and f">={lowest}" in tried


def test_actions_are_pinned_to_a_commit():
    used = re.findall(r"uses: (\S+)", "\n".join(w.read_text() for w in WORKFLOWS))
    assert used and [u for u in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", u)] == []
