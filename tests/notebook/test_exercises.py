"""Exercises: every solution passes its own check, every stub is open, typical wrong answers get the right diagnosis.

A chapter marks its cells with tags: `setup` and `defs` cells are run first, in order (they must be quick); then for
each exercise N.M the stub in `exercise-N.M` or the code of the solution in `solution-N.M`, and `check-N.M`.
Wrong answers live in `wrong_answers/NN.py`: WRONG = {"N.M": [(code, words of the diagnosis), ...]}.
"""

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def tagged(path):
    """The tagged cells of a chapter: [(tag, source)], in order."""
    cells = nbformat.read(path, as_version=4).cells
    return [(tag, cell.source) for cell in cells for tag in cell.metadata.get("tags", [])]


def exercises(path):
    return sorted({tag.split("-", 1)[1] for tag, _ in tagged(path) if tag.startswith("exercise-")})


ALL = [pytest.param(path, number, id=f"{path.stem[:2]}-{number}") for path in CHAPTERS for number in exercises(path)]


def evaluate(code, namespace):
    """Runs a cell and returns the value of its last expression, as a notebook shows it."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace) if last else None


@pytest.fixture(scope="module")
def prepared():
    """Namespaces after a chapter's `setup` and `defs` cells, made once a chapter."""
    import matplotlib

    matplotlib.use("Agg")
    made = {}

    def prepare(path):
        if path not in made:
            namespace = {"__name__": "__main__"}
            for tag, source in tagged(path):
                if tag in ("setup", "defs"):
                    evaluate(re.sub(r"^(\s*)%.*$", r"\1pass", source, flags=re.M), namespace)
            made[path] = namespace
        return dict(made[path])

    return prepare


def cell(path, tag):
    found = [source for t, source in tagged(path) if t == tag]
    assert len(found) == 1, f"{path.name} should have one cell tagged {tag}, has {len(found)}"
    return found[0]


def solution(path, number):
    code = re.findall(r"```python\n(.*?)```", cell(path, f"solution-{number}"), flags=re.S)
    assert code, f"{path.name}: the solution of {number} holds no ```python block"
    return code[-1]


@pytest.mark.parametrize("path, number", ALL)
def test_solution_passes(prepared, path, number):
    namespace = prepared(path)
    evaluate(solution(path, number), namespace)
    result = evaluate(cell(path, f"check-{number}"), namespace)
    assert result and result.status == "passed", result


@pytest.mark.parametrize("path, number", ALL)
def test_stub_is_open(prepared, path, number):
    namespace = prepared(path)
    evaluate(cell(path, f"exercise-{number}"), namespace)
    result = evaluate(cell(path, f"check-{number}"), namespace)
    assert not result and result.status == "open", result


def wrong_answers():
    for path in CHAPTERS:
        file = Path(__file__).parent / "wrong_answers" / f"{path.stem[:2]}.py"
        if not file.exists():
            continue
        spec = importlib.util.spec_from_file_location(f"wrong_{path.stem[:2]}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for number, answers in module.WRONG.items():
            for i, (code, words) in enumerate(answers):
                yield pytest.param(path, number, code, words, id=f"{path.stem[:2]}-{number}-{i}")


@pytest.mark.bad_input
@pytest.mark.parametrize("path, number, code, words", list(wrong_answers()))
def test_wrong_answers_are_diagnosed(prepared, path, number, code, words):
    namespace = prepared(path)
    evaluate(code, namespace)
    result = evaluate(cell(path, f"check-{number}"), namespace)
    assert result.status == "wrong" and words in result.message, result


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_every_exercise_has_two_wrong_answers_and_its_three_cells(path):
    file = Path(__file__).parent / "wrong_answers" / f"{path.stem[:2]}.py"
    numbers = exercises(path)
    assert numbers, "a chapter without exercises"
    listed = {p.values[1] for p in wrong_answers() if p.values[0] == path}
    assert file.exists() and listed == set(numbers)
    for number in numbers:
        assert len([p for p in wrong_answers() if p.values[0] == path and p.values[1] == number]) >= 2
        for tag in ("exercise", "check", "solution"):
            cell(path, f"{tag}-{number}")
