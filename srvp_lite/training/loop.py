"""Training, top to bottom: one straight loop that can be killed at any step and goes on as if nothing happened.

Read in chapter 7. All randomness of step s comes from generators seeded with (seed, s, rank): no state of a random
generator needs saving, and a run resumed on the same CPU, with as many threads and processes and no time budget, ends
with the same weights, bit for bit, as one never stopped.
The step itself is in `step.py`, all bookkeeping in `run.py`, how long a run takes in `schedule.py`.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import torch

from srvp_lite.config import Experiment
from srvp_lite.training.distributed import World, join
from srvp_lite.training.prefetch import prefetched
from srvp_lite.training.run import Run
from srvp_lite.training.run_folder import open_folder
from srvp_lite.training.step import Step
from srvp_lite.training.stop import StopRequest
from srvp_lite.utils.device import choose_device


def train(
    experiment: Experiment,
    out: str | Path,
    resume: bool | Literal["auto"] = False,
    device: str = "auto",
    stop: StopRequest | None = None,
) -> Path:
    """Trains a model into the folder `out` and returns the path of the best checkpoint.

    With `resume`, goes on from the folder's last checkpoint; without, the folder must not hold a run; "auto" does
    what the folder allows. SIGTERM and SIGINT (Ctrl-C) save and stop; so does `stop`, if a caller has one that listens
    already. Under torchrun, the processes share each step's batch. Raises FileExistsError, FileNotFoundError or
    ValueError on a folder that does not fit the request, OSError when the disk is full, and Diverged when the loss is
    not finite; the last good checkpoint stays.
    """
    with join(choose_device(device)) as (world, own_device):
        # Listens before anything of the run is on disk: whoever sees its folder may ask it to stop.
        with StopRequest() if stop is None else nullcontext(stop) as stop:
            return run_steps(experiment, Path(out), resume, own_device, world, stop)


def run_steps(
    experiment: Experiment,
    out: Path,
    resume: bool | Literal["auto"],
    device: torch.device,
    world: World,
    stop: StopRequest,
) -> Path:
    t = experiment.train
    check_shares(t.batch_size, t.accumulate, world)
    resumed = world.from_main(open_folder(out, experiment, resume, world.restarted) if world.is_main else None)
    step = Step(experiment, device, world)
    with Run(experiment, out, step, stop, resumed) as run:
        batches = prefetched(run.clips, run.done, device)
        while not (run.finished or run.stopping):
            lr, kl_share = run.schedule.learning_rate(run.done), run.schedule.kl_share(run.done)
            terms = step(next(batches), run.done, lr, kl_share)
            run.add(terms)
            if run.due(t.log_interval) or run.stopping:
                run.report(lr)
            if run.due(t.val_interval):
                run.keep_if_best(run.validate())
            if run.due(t.checkpoint_interval):
                run.save()
    return run.end()


def check_shares(batch_size: int, accumulate: int, world: World) -> None:
    """Raises ValueError if the processes' shares of a batch, or their parts, would not be equal."""
    share = world.share(batch_size, "batch_size")
    if share % accumulate:
        raise ValueError(f"a process's share of the batch, {share}, cannot be cut into accumulate={accumulate} parts")
