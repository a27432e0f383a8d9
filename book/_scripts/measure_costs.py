"""Measures what each chapter costs, for the cost line in its first cell: `make costs`, or with names of chapters.

Each notebook is executed from top to bottom in a fresh kernel; its wall time and the largest memory of the kernel go
into data/results/chapter_costs.json. SRVP_FULL=1 measures FULL mode. Run it on an idle machine.
"""

import json
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from srvp_lite.utils.device import choose_device
from srvp_lite.utils.files import write_text
from srvp_lite.utils.provenance import made_by

ROOT = Path(__file__).resolve().parents[2]
COSTS = ROOT / "data" / "results" / "chapter_costs.json"
MEMORY_CELL = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def measure(path: Path) -> tuple[float, float]:
    """Seconds and gigabytes of one run of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(MEMORY_CELL))
    start = time.perf_counter()
    place = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=None, kernel_name="python3", resources=place).execute()
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, kilobytes elsewhere
    return seconds, int(notebook.cells[-1].outputs[0]["text"]) * unit / 1e9


def main(names: list[str]) -> None:
    mode = "fast" if os.environ.get("SRVP_FULL", "0") in ("", "0") else "full"
    device = choose_device("auto")
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if names and path.stem not in names:
            continue
        seconds, memory = measure(path)
        costs = json.loads(COSTS.read_text()) if COSTS.exists() else {}
        run = {"seconds": round(seconds, 1), "memory_gb": round(memory, 2), "made": made_by(device, seconds)}
        costs.setdefault(path.stem, {})[mode] = run
        text = json.dumps(costs, indent=1, sort_keys=True) + "\n"
        write_text(COSTS, text)
        print(f"{path.stem}: {seconds:.0f} s, {memory:.2f} GB, {mode}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
