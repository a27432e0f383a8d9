"""A run's bookkeeping: its clock and counters, meters, log and bar, its best score, what it keeps on disk.

Read in chapter 7, after the loop that uses it. Many processes are one run: each has a `Run`, all take the same
decisions, and the main one's prints and writes.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from tqdm.auto import tqdm

from srvp_lite import checkpoint
from srvp_lite.config import Experiment
from srvp_lite.data.open import open_data
from srvp_lite.evaluation.drawing import Scoring
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.model.clips import VideoModel
from srvp_lite.training import roofline
from srvp_lite.training.describe import describe
from srvp_lite.training.distributed import World
from srvp_lite.training.run_folder import Log, load_state, save_state
from srvp_lite.training.schedule import Schedule
from srvp_lite.training.step import Step
from srvp_lite.training.stop import StopRequest
from srvp_lite.utils.errors import SRVPError
from srvp_lite.utils.provenance import made_by
from srvp_lite.utils.seeds import seed_of


class Diverged(SRVPError, RuntimeError):
    """The loss is no longer a number."""


class Run:
    """One run, from its first step or its last checkpoint on. A context, open while the bar and the log are.

    `done` counts the steps done, those before a resumption included; `stopping` is True once all processes know that
    one of them was asked to stop.
    """

    def __init__(self, experiment: Experiment, out: Path, step: Step, stop: StopRequest, resume: bool):
        self.experiment, self.out, self.step, self.stop = experiment, out, step, stop
        self.train, self.device, self.world = experiment.train, step.device, step.world
        progress: dict[str, Any] = {"step": 0, "seconds": 0.0, "best": -math.inf, "total": None, "val_seconds": 0.0}
        if resume:
            progress |= load_state(out / "state.pt", step)
        self.done, self.first, self.best = progress["step"], progress["step"], progress["best"]
        self.seconds_before, self.val_seconds = progress["seconds"], progress["val_seconds"]
        self.saved = self.done if resume else None  # the step of what is in state.pt
        self.schedule = Schedule(self.train, progress["total"])

        self.data = open_data(experiment.data, "train", self.device)
        self.noise = torch.Generator(self.device)
        held_out = open_data(experiment.data, "val", self.device)  # the same clips whatever the run's seed
        t, everyone = self.train, torch.Generator(self.device).manual_seed(0)
        self.val_clips = held_out.sample(t.val_clips, t.n_frames_test, everyone)[self.world.rank :: self.world.size]

        self.work = roofline.step_work(experiment, step.bf16)
        self.limits = roofline.limits(self.device, step.bf16)
        if self.world.is_main:
            print(describe(experiment, step, out, self.first, self.work, self.limits))
        self.log = Log(out, keep_until=self.first) if self.world.is_main else None
        total = t.steps if self.schedule.budget is None else None
        self.bar = tqdm(total=total, initial=self.first, unit="step", dynamic_ncols=True, mininterval=1.0,
                        disable=not self.world.is_main)  # fmt: skip
        self.start = perf_counter() - self.seconds_before
        self.reported, self.reported_at, self.sums = self.done, perf_counter(), {}
        self.stopping = self.world.any(stop.requested, self.device)  # already, while all this was made ready

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
        if self.log is not None:
            self.log.close()

    # When -----------------------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Of the whole run so far, in all its parts."""
        return perf_counter() - self.start

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or the time budget is spent."""
        return self.schedule.finished(self.done)

    def due(self, interval: int) -> bool:
        """Whether what happens every `interval` steps, and once all are done, happens after this one."""
        return self.done % interval == 0 or self.finished

    # What happens ---------------------------------------------------------------------------------------------------

    def clips(self, number: int) -> torch.Tensor:
        """This process's share of the clips (b, T, C, H, W) of step `number`, from 0."""
        t, n = self.train, self.train.batch_size // self.world.size
        return self.data.sample(n, t.n_frames, self.noise.manual_seed(seed_of(t.seed, number, self.world.rank)))

    def add(self, terms: dict[str, torch.Tensor]) -> None:
        """Counts a step and the terms of its loss."""
        for name, value in terms.items():  # summed on the device: reading them here would wait for it each step
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.done += 1
        self.bar.update()
        # What the processes must agree on costs a message, so many processes agree now and then, one at each step.
        if self.world.size == 1 or self.done % 10 == 0 or self.done % self.train.log_interval == 0:
            self.schedule.refit(self.done, self.seconds, self.val_seconds)
            self.schedule.total = self.world.from_main(self.schedule.total)
            self.stopping = self.world.any(self.stop.requested, self.device)

    def report(self, lr: float) -> None:
        """A line of the log, and the bar: means since the last line. Raises Diverged if they are no numbers."""
        line, now, t = self.means(), perf_counter(), self.train
        rate = (self.done - self.reported) / (now - self.reported_at)
        frames_per_second = rate * t.batch_size * t.n_frames
        share_of_peak = rate * self.work.flop / (self.limits.flop_per_second * self.world.size)
        if self.log is not None:
            self.log.write(step=self.done, lr=lr, **line, frames_per_second=frames_per_second,
                           share_of_peak=share_of_peak, seconds=now - self.start)  # fmt: skip
        if self.schedule.budget is not None and self.schedule.total is not None:
            self.bar.total = math.ceil(self.schedule.total)
        shown = {name: f"{line[name]:.4g}" for name in ("loss", "nll", "mse", "kl_y", "kl_z") if name in line}
        shown["frames_s"] = f"{frames_per_second:.0f}"
        if self.best > -math.inf:
            shown["val"] = f"{self.best:.2f}dB"
        self.bar.set_postfix(shown, refresh=False)
        self.reported, self.reported_at, self.sums = self.done, now, {}

    def means(self) -> dict[str, float]:
        """Of the loss's terms since the last report, over steps and processes. Raises Diverged if the loss is none."""
        n = self.done - self.reported
        line = {name: self.world.mean(total / n).item() for name, total in self.sums.items()}
        if not math.isfinite(line.get("loss", 0.0)):
            raise self.diverged(f"the loss became {line['loss']} between steps {self.reported} and {self.done}")
        return line

    def diverged(self, what: str) -> Diverged:
        state = self.out / "state.pt"
        kept = f"The checkpoint {state} is older and good. " if state.exists() else ""
        return Diverged(f"{what}. {kept}A smaller learning rate or a larger obs_std helps")

    def validate(self) -> float:
        """The validation score of the averaged weights, in dB, logged."""
        began = perf_counter()
        self.world.sync_buffers(self.step.average)
        psnr = best_psnr(self.step.average, self.val_clips, self.experiment, self.world)
        self.val_seconds = perf_counter() - began
        if self.log is not None:
            self.log.write(step=self.done, val_psnr=psnr, seconds=self.seconds)
        return psnr

    def keep_if_best(self, val_psnr: float) -> None:
        """Writes best.safetensors if no score of this run was as high."""
        if val_psnr > self.best:
            self.best = val_psnr
            self.save_model("best")

    def save(self) -> None:
        """Writes state.pt, what the run can go on from. Raises Diverged rather than save what is no numbers."""
        if self.sums:  # steps since the last line of the log
            self.means()
        if not all(p.isfinite().all() for p in self.step.model.parameters()):  # the last update came after the loss
            raise self.diverged(f"weights are no longer finite after step {self.done}")
        if self.world.is_main:
            progress = {"step": self.done, "seconds": self.seconds, "best": self.best, "total": self.schedule.total,
                        "val_seconds": self.val_seconds}  # fmt: skip
            save_state(self.out / "state.pt", self.step, progress)
        self.saved = self.done

    def save_model(self, name: str) -> None:
        """Writes the averaged weights as name.safetensors, which `load` reads."""
        if self.world.is_main:
            score = self.best if math.isfinite(self.best) else None  # stopped before the first validation
            checkpoint.save(self.step.average, self.path(name), experiment=self.experiment.to_dict(), step=self.done,
                            val_psnr=score, made=made_by(self.device, self.seconds))  # fmt: skip

    def path(self, name: str) -> Path:
        return self.out / f"{name}.safetensors"

    def end(self) -> Path:
        """Saves what is not saved yet, says how the run ended, and returns the path of the model it leaves."""
        if self.saved != self.done:
            self.save()
        self.save_model("last")
        if self.world.is_main and self.finished:
            print(f"Done: {self.done:,} steps, best validation PSNR {self.best:.2f} dB, in {self.path('best')}")
        elif self.world.is_main:
            print(f"Stopped at step {self.done:,} as asked, everything saved. Go on with --resume.")
        return self.path("best" if self.finished else "last")


def best_psnr(model: VideoModel, clips: torch.Tensor, experiment: Experiment, world: World) -> float:
    """Mean over the validation clips of the best PSNR among a few samples, in dB: what picks the best checkpoint.

    `clips` (b, T, C, H, W) is each process's own share, which it scores with the bare model: through the wrapper of
    many processes, a forward pass is a conversation in which all must take part.
    """
    t = experiment.train
    total = torch.zeros(2, device=clips.device)  # sum of scores, number of clips
    if len(clips):
        noise = torch.Generator().manual_seed(0)  # the same at each validation
        # Compiled parts would be compiled again for the shapes of validation, for the sake of a few calls.
        with torch.compiler.set_stance("force_eager") if t.compile else nullcontext():
            scores = score_samples(model, clips, t.n_cond, t.val_samples, noise, Scoring(metrics=("psnr",)))
        best = scores.metrics["psnr"].mean(dim=2).amax(dim=0).cpu()
        total = torch.tensor([best.double().sum().item(), len(clips)], dtype=torch.float32, device=clips.device)
    total = world.mean(total)
    return (total[0] / total[1]).item()
