"""Training, top to bottom: one straight loop that can be killed at any step and goes on as if nothing happened.

Read in chapter 7. All randomness of step s comes from generators seeded with (seed, s, rank): no state of a random
generator needs saving, and a run resumed on the same CPU, with as many threads and processes and no time budget, ends
with the same weights, bit for bit, as one never stopped.
The step itself is in `step.py`, what is written to disk in `run_folder.py`, how long it all takes in `schedule.py`.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import torch
from tqdm.auto import tqdm

from srvp_lite import checkpoint
from srvp_lite.config import Experiment
from srvp_lite.data.open import open_data
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.model.build import VideoModel
from srvp_lite.training import roofline
from srvp_lite.training.describe import describe
from srvp_lite.training.distributed import World, join
from srvp_lite.training.prefetch import ahead
from srvp_lite.training.run_folder import Log, load_state, open_folder, save_state
from srvp_lite.training.schedule import Schedule
from srvp_lite.training.step import Step
from srvp_lite.utils.device import choose_device
from srvp_lite.utils.provenance import made_by
from srvp_lite.utils.seeds import seed_of


class Diverged(RuntimeError):
    """The loss is no longer a number."""


def train(
    experiment: Experiment, out: str | Path, resume: bool | Literal["auto"] = False, device: str = "auto"
) -> Path:
    """Trains a model into the folder `out` and returns the path of the best checkpoint.

    With `resume`, goes on from the folder's last checkpoint; without, the folder must not hold a run; "auto" does
    what the folder allows. SIGTERM and SIGINT (Ctrl-C) save and stop. Under torchrun, the processes share each
    step's batch. Raises FileExistsError, FileNotFoundError or ValueError on a folder that does not fit the request,
    OSError when the disk is full, and Diverged when the loss is not finite; the last good checkpoint stays.
    """
    with join(choose_device(device)) as (world, own_device):
        return run(experiment, Path(out), resume, own_device, world)


def run(experiment: Experiment, out: Path, resume: bool | Literal["auto"], device: torch.device, world: World) -> Path:
    t = experiment.train
    batch = world.share(t.batch_size, "batch_size")
    if batch % t.accumulate:
        raise ValueError(f"a process's share of the batch, {batch}, cannot be cut into accumulate={t.accumulate} parts")
    resume = world.from_main(open_folder(out, experiment, resume, world.restarted) if world.is_main else None)

    step = Step(experiment, device, world)
    progress = {"step": 0, "seconds": 0.0, "best": -math.inf, "total": None, "val_seconds": 0.0}
    if resume:
        progress |= load_state(out / "state.pt", step)
    first = progress["step"]
    schedule = Schedule(t, progress["total"])

    data = open_data(experiment.data, "train", device)
    noise = torch.Generator(device)

    def clips(number: int) -> torch.Tensor:
        return data.sample(batch, t.n_frames, noise.manual_seed(seed_of(t.seed, number, world.rank)))

    held_out = open_data(experiment.data, "val", device)  # the same clips whatever the run's seed
    val_clips = held_out.sample(t.val_clips, t.n_frames_test, torch.Generator(device).manual_seed(0))
    val_clips = val_clips[world.rank :: world.size]

    work, limits = roofline.step_work(experiment, step.bf16), roofline.limits(device, step.bf16)
    if world.is_main:
        print(describe(experiment, step, out, first, work, limits))
    log = Log(out, keep_until=first) if world.is_main else None
    bar = tqdm(total=t.steps if schedule.budget is None else None, initial=first, unit="step", dynamic_ncols=True,
               mininterval=1.0, disable=not world.is_main)  # fmt: skip
    start = time.perf_counter() - progress["seconds"]
    last_report, sums = (first, time.perf_counter()), {}

    def check_finite() -> dict[str, float]:
        """The means since the last line of the log; raises Diverged if they are no numbers."""
        n = done - last_report[0]
        line = {name: world.mean(total / n).item() for name, total in sums.items()}
        if not math.isfinite(line.get("loss", 0.0)):
            raise diverged(f"the loss became {line['loss']} between steps {last_report[0]} and {done}")
        return line

    def diverged(what: str) -> Diverged:
        kept = f"The checkpoint {out / 'state.pt'} is older and good. " if (out / "state.pt").exists() else ""
        return Diverged(f"{what}. {kept}A smaller learning rate or a larger obs_std helps")

    done, batches = first, ahead(clips, first, device)
    with bar, StopRequest() as stop:
        while not schedule.finished(done):
            lr, kl_share = schedule.learning_rate(done), schedule.kl_share(done)
            terms = step(next(batches), done, lr, kl_share)
            for name, value in terms.items():  # summed on the device: reading them here would wait for it each step
                sums[name] = sums.get(name, 0.0) + value
            done += 1
            bar.update()

            # What the processes must agree on costs a message, so many processes agree now and then, one at each step.
            reports, stopping = done % t.log_interval == 0, False
            if reports or done % 10 == 0 or world.size == 1:
                schedule.refit(done, time.perf_counter() - start, progress["val_seconds"])
                schedule.total = world.from_main(schedule.total)
                stopping = world.any(stop.requested, device)
            over = schedule.finished(done)

            if reports or over or stopping:
                line, now = check_finite(), time.perf_counter()
                rate = (done - last_report[0]) / (now - last_report[1])
                if log is not None:
                    log.write(
                        step=done, lr=lr, **line, frames_per_second=rate * t.batch_size * t.n_frames,
                        share_of_peak=rate * work.flop / (limits.flop_per_second * world.size), seconds=now - start,
                    )  # fmt: skip
                if schedule.budget is not None and schedule.total is not None:
                    bar.total = math.ceil(schedule.total)
                bar.set_postfix(
                    {name: f"{line[name]:.4g}" for name in ("loss", "nll", "mse", "kl_y", "kl_z") if name in line},
                    frames_s=f"{rate * t.batch_size * t.n_frames:.0f}", refresh=False,
                    **({"val": f"{progress['best']:.2f}dB"} if progress["best"] > -math.inf else {}),
                )  # fmt: skip
                last_report, sums = (done, now), {}

            if done % t.val_interval == 0 or over:
                began = time.perf_counter()
                world.sync_buffers(step.average)
                val_psnr = validate(step.average, val_clips, experiment, world)
                progress["val_seconds"] = time.perf_counter() - began
                if log is not None:
                    log.write(step=done, val_psnr=val_psnr, seconds=time.perf_counter() - start)
                if val_psnr > progress["best"]:
                    progress["best"] = val_psnr
                    if world.is_main:
                        made = made_by(device, time.perf_counter() - start)
                        save_model(step.average, out / "best.safetensors", experiment, done, val_psnr, made)

            if done % t.checkpoint_interval == 0 or over or stopping:
                if sums:  # steps since the last line of the log: never save what has diverged
                    check_finite()
                if not all(p.isfinite().all() for p in step.model.parameters()):  # the last update came after the loss
                    raise diverged(f"weights are no longer finite after step {done}")
                progress.update(step=done, seconds=time.perf_counter() - start, total=schedule.total)
                if world.is_main:
                    save_state(out / "state.pt", step, progress)
            if stopping:
                break

    best, last = out / "best.safetensors", out / "last.safetensors"
    if world.is_main:
        if log is not None:
            log.close()
        made = made_by(device, time.perf_counter() - start)
        save_model(step.average, last, experiment, done, progress["best"], made)
        if schedule.finished(done):
            print(f"Done: {done:,} steps, best validation PSNR {progress['best']:.2f} dB, in {best}")
        else:
            print(f"Stopped at step {done:,} as asked, everything saved. Go on with --resume.")
    return best if schedule.finished(done) else last


def validate(model: VideoModel, clips: torch.Tensor, experiment: Experiment, world: World) -> float:
    """Mean over the validation clips of the best PSNR among a few samples, in dB: what picks the best checkpoint.

    Each process scores its share of the clips with the bare model: through the wrapper of many processes, a forward
    pass is a conversation in which all must take part.
    """
    t = experiment.train
    total = torch.zeros(2)  # sum of scores, number of clips
    if len(clips):
        # Compiled parts would be compiled again for the shapes of validation, for the sake of a few calls.
        with torch.compiler.set_stance("force_eager") if t.compile else nullcontext():
            scores = score_samples(model, clips, t.n_cond, t.val_samples, seed=0, metric_names=("psnr",))
        total = torch.tensor(
            [scores.metrics["psnr"].mean(dim=2).amax(dim=0).double().sum(), len(clips)], dtype=torch.float64
        )
    total = world.mean(total.to(clips.device, torch.float32))
    return (total[0] / total[1]).item()


def save_model(model: VideoModel, path: Path, experiment: Experiment, step: int, val_psnr: float, made: dict) -> None:
    val_psnr = val_psnr if math.isfinite(val_psnr) else None  # stopped before the first validation
    checkpoint.save(model, path, experiment=experiment.to_dict(), step=step, val_psnr=val_psnr, made=made)


class StopRequest:
    """True once SIGTERM or SIGINT has come: the loop finishes its step, saves and returns. A second one kills."""

    signals = (signal.SIGTERM, signal.SIGINT)

    def __enter__(self) -> StopRequest:
        self.requested, self.before = False, {}
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            self.before = {number: signal.signal(number, self.request) for number in self.signals}
        return self

    def request(self, number, frame):
        self.requested = True
        signal.signal(number, signal.SIG_DFL)

    def __exit__(self, *exception):
        for number, handler in self.before.items():
            signal.signal(number, handler)


# What a run says of itself -------------------------------------------------------------------------------------------
