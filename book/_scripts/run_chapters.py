"""Runs chapters anew and keeps their outputs in place: `make chapters`, or with names of chapters.

Each chapter is executed from top to bottom in a fresh kernel, in FAST mode unless SRVP_FULL=1, and written back only if
all of it ran. Nothing else of the notebook changes: no times of execution, no version of this machine's Python, no
warnings on the error stream; keys are sorted, so that a difference shows what an author changed.
"""

import copy
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from srvp_lite.utils.files import write_text

ROOT = Path(__file__).resolve().parents[2]


def run(path: Path) -> None:
    """Raises CellExecutionError, and leaves the file as it is, if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    metadata = copy.deepcopy(notebook.metadata)
    place = {"metadata": {"path": path.parent}}
    NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources=place, record_timing=False, coalesce_streams=True
    ).execute()
    notebook.metadata = metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook, version=4) + "\n")


def main(names: list[str]) -> None:
    chapters = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if unknown := sorted(set(names) - {path.stem for path in chapters}):
        sys.exit(f"no chapter {', '.join(unknown)}; there are {', '.join(path.stem for path in chapters)}")
    for path in chapters:
        if not names or path.stem in names:
            run(path)
            print(f"{path.stem}: done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
