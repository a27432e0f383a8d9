"""Puts the logs of the runs of `make budgets` into data/results, with how each was made: what chapter 7 shows."""

import json
from pathlib import Path

from srvp_lite import checkpoint
from srvp_lite.training.run_folder import read_log
from srvp_lite.utils.files import write_text

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "data" / "results"


def main() -> None:
    runs = []
    for folder in sorted((ROOT / "runs" / "budgets").iterdir()):
        info = checkpoint.read_header(folder / "last.safetensors")["info"]
        train, log = info["experiment"]["train"], read_log(folder)
        name = f"lite-{train['time_budget']}-seed{train['seed']}.log.jsonl"
        text = (folder / "log.jsonl").read_text()
        write_text(RESULTS / name, text)
        runs.append(
            {
                "budget": train["time_budget"],
                "seed": train["seed"],
                "steps": info["step"],
                "seconds": log[-1]["seconds"],
                "log": name,
                "made": info["made"],
            }
        )
    text = json.dumps({"runs": runs}, indent=1)
    write_text(RESULTS / "lite-budgets.json", text)
    print(f"{len(runs)} runs collected in {RESULTS}")


if __name__ == "__main__":
    main()
