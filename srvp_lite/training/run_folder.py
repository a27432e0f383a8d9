"""The folder of a run: its configuration, its log, the state to resume from.

Read in chapter 7. `config.json` says what was asked; `log.jsonl` has one line every log_interval steps and at each
validation; `state.pt` is what a killed run goes on from; `best.safetensors` and `last.safetensors` are what `load`
reads. Only the main process of a run writes here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from srvp_lite.config import Experiment
from srvp_lite.training.step import Step
from srvp_lite.utils.files import read_tensors, write_tensors, write_text
from srvp_lite.version import __version__


def open_folder(out: Path, experiment: Experiment, resume: bool | Literal["auto"], restarted: bool = False) -> bool:
    """Checks that the folder fits the request, writes the configuration of a new run; returns whether to resume.

    With "auto", a folder with a checkpoint is resumed, any other started afresh; so it is for processes that torchrun
    has `restarted`, if it was the same launch that made the folder. Raises FileExistsError,
    FileNotFoundError or ValueError, saying what to do.
    """
    config, state, launch = out / "config.json", out / "state.pt", os.environ.get("TORCHELASTIC_RUN_ID")
    if restarted and config.is_file() and json.loads(config.read_text()).get("launch") == launch:
        resume = "auto"
    if config.is_file() and resume:
        before = settings_of(config)
        if before != experiment:
            raise ValueError(
                f"{out} holds a run with other settings ({differences(before, experiment)}); resume with the same "
                "ones, or start another run with another --out"
            )
        if state.is_file():
            return True
        if resume != "auto":
            raise FileNotFoundError(f"nothing to resume in {out}: the run stopped before its first checkpoint")
    elif resume is True:
        raise FileNotFoundError(f"nothing to resume in {out}: it has no config.json; leave out --resume to start")
    elif config.exists():
        raise FileExistsError(f"{out} already holds a run: go on with --resume, or choose another --out")
    content = {"experiment": experiment.to_dict(), "srvp_lite": __version__, "launch": launch}
    text = json.dumps(content, indent=1)
    write_text(config, text)
    return False


def settings_of(config: Path) -> Experiment:
    """The settings in a run's config.json. Raises ValueError, naming the file, if it holds something else."""
    try:
        settings = json.loads(config.read_text())["experiment"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{config} is not the configuration of a run; choose another --out") from error
    return Experiment.from_dict(settings, config)


def differences(a: Experiment, b: Experiment) -> str:
    """What differs between the settings of a run and those asked for, in words."""
    there, asked = a.to_dict(), b.to_dict()
    return ", ".join(
        f"{part}.{name}: {old!r} there, {asked[part].get(name)!r} asked"
        for part, options in there.items()
        for name, old in options.items()
        if old != asked[part].get(name)
    )


def save_state(path: Path, step: Step, progress: dict[str, Any]) -> None:
    """Writes all that a run needs to go on: weights, their average, the optimizer's moments, the counters."""
    write_tensors(path, {**step.state_dict(), "progress": progress})


def load_state(path: Path, step: Step) -> dict[str, Any]:
    """Puts a saved state back into the step, and returns the counters. Raises CheckpointError, naming the file, if it
    is damaged or of another model."""
    state = read_tensors(path)
    step.load_state_dict(state, path)
    return state["progress"]


class Log:
    """`log.jsonl`, and TensorBoard where it is installed."""

    def __init__(self, out: Path, keep_until: int):
        self.path = out / "log.jsonl"
        # A killed run may have logged steps past its last checkpoint; they are about to be run again.
        kept = [line for line in read_log(out) if line["step"] <= keep_until]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_text(self.path, text)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.board = None
        else:
            self.board = SummaryWriter(str(out), purge_step=keep_until)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()

    def write(self, step: int, **values: float) -> None:
        with open(self.path, "a") as f:
            f.write(json.dumps({"step": step, **values}) + "\n")
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)


def read_log(out: str | Path) -> list[dict]:
    """The lines of a run's log, oldest first; a line cut off by a crash is left out. `out` is the run's folder, or the
    log itself."""
    path = Path(out) if str(out).endswith(".jsonl") else Path(out) / "log.jsonl"
    lines = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines
