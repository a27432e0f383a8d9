"""Training, top to bottom: one straight loop that can be killed at any step and goes on as if nothing happened.

Read in chapter 7. All randomness of step s comes from one generator seeded with (seed, s): no state of a random
generator needs saving, and a resumed run on a CPU ends with the same weights, bit for bit, as one never stopped.

A run's folder holds `config.json`, `log.jsonl` (one line every log_interval steps and at each validation),
`state.pt` (to resume from), `best.safetensors` and `last.safetensors` (to `load`), and TensorBoard's files if it is
installed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import signal
import threading
import time
from pathlib import Path

import torch
from tqdm.auto import tqdm

import srvp_lite
from srvp_lite import checkpoint
from srvp_lite.config import DataConfig, Experiment
from srvp_lite.data.moving_mnist import MovingMNIST
from srvp_lite.elbo import elbo
from srvp_lite.evaluate import score_samples
from srvp_lite.model import SRVP
from srvp_lite.provenance import commit, device_name, made_by


class Diverged(RuntimeError):
    """The loss is no longer a number."""


def train(experiment: Experiment, out: str | Path, resume: bool = False, device: str = "auto") -> Path:
    """Trains a model into the folder `out` and returns the path of the best checkpoint.

    With `resume`, goes on from the folder's last checkpoint; without, the folder must not hold a run. SIGTERM and
    SIGINT (Ctrl-C) save and stop. Raises FileExistsError, FileNotFoundError or ValueError on a folder that does not
    fit the request, and Diverged, leaving the last good checkpoint, when the loss is not finite.
    """
    out, device, t = Path(out), choose_device(device), experiment.train
    open_folder(out, experiment, resume)

    torch.manual_seed(t.seed)
    model = SRVP(experiment.model).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=t.lr, fused=device.type == "cuda")
    progress = {"step": 0, "seconds": 0.0, "best": -math.inf}
    if resume:
        progress = load_state(out / "state.pt", model, optimizer, device)
    first_step = progress["step"]

    data = moving_digits(experiment.data, "train", device)
    held_out = moving_digits(experiment.data, "val", device)
    val_clips = held_out.sample(t.val_clips, t.n_frames_test, step_generator(t.seed, -1, device))

    print(describe(experiment, model, device, out, first_step))
    log = Log(out, keep_until=first_step)
    bar = tqdm(total=t.steps, initial=first_step, unit="step", dynamic_ncols=True, mininterval=1.0)
    start = time.perf_counter() - progress["seconds"]
    last_report, sums = (first_step, time.perf_counter()), {}

    model.train()
    with bar, log, StopRequest() as stop:
        for step in range(first_step, t.steps):
            generator = step_generator(t.seed, step, device)
            for group in optimizer.param_groups:
                group["lr"] = t.learning_rate(step)
            x = data.sample(t.batch_size, t.n_frames, generator)
            loss, terms = elbo(model(x, generator), x, t.beta_y, t.beta_z, t.obs_std, t.residual_penalty)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            bar.update()

            done = step + 1
            finished = done == t.steps or stop.requested
            for name, values in terms.items():  # summed on the device: reading them here would wait for it each step
                sums[name] = sums.get(name, 0.0) + values.detach().mean()

            if done % t.log_interval == 0 or finished:
                now, n = time.perf_counter(), done - last_report[0]
                line = {name: (total / n).item() for name, total in sums.items()}
                if not math.isfinite(line["loss"]):
                    raise Diverged(
                        f"the loss became {line['loss']} between steps {last_report[0]} and {done}. The checkpoint "
                        f"{out / 'state.pt'} is older and good; a smaller learning rate or a larger obs_std helps"
                    )
                rate = n * t.batch_size * t.n_frames / (now - last_report[1])
                log.write(step=done, lr=t.learning_rate(step), **line, frames_per_second=rate, seconds=now - start)
                bar.set_postfix(
                    loss=f"{line['loss']:.0f}", nll=f"{line['nll']:.0f}", kl_y=f"{line['kl_y']:.1f}",
                    kl_z=f"{line['kl_z']:.1f}", frames_s=f"{rate:.0f}", refresh=False,
                    **({"val": f"{progress['best']:.2f}dB"} if progress["best"] > -math.inf else {}),
                )  # fmt: skip
                last_report, sums = (done, now), {}

            if done % t.val_interval == 0 or done == t.steps:
                val_psnr = validate(model, val_clips, experiment)
                log.write(step=done, val_psnr=val_psnr, seconds=time.perf_counter() - start)
                if val_psnr > progress["best"]:
                    progress["best"] = val_psnr
                    made = made_by(device, time.perf_counter() - start)
                    save_model(model, out / "best.safetensors", experiment, done, val_psnr, made)

            if done % t.checkpoint_interval == 0 or finished:
                progress.update(step=done, seconds=time.perf_counter() - start)
                save_state(out / "state.pt", model, optimizer, progress)
            if finished:
                made = made_by(device, time.perf_counter() - start)
                save_model(model, out / "last.safetensors", experiment, done, progress["best"], made)
                break

    if progress["step"] < t.steps:
        print(f"Stopped at step {progress['step']:,} as asked, everything saved. Go on with --resume.")
        return out / "last.safetensors"
    print(f"Done: {t.steps:,} steps, best validation PSNR {progress['best']:.2f} dB, in {out / 'best.safetensors'}")
    return out / "best.safetensors"


def step_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """The generator of one training step; step -1 makes the validation clips. Hashed, so that runs never overlap."""
    digest = hashlib.sha256(f"{seed},{step}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "little"))


def moving_digits(data: DataConfig, split: str, device: str | torch.device = "cpu") -> MovingMNIST:
    """The moving digits a configuration asks for; `split` is "train", "val" or "test"."""
    return MovingMNIST(split=split, **dataclasses.asdict(data)).to(device)


def validate(model: SRVP, clips: torch.Tensor, experiment: Experiment) -> float:
    """Mean over the validation clips of the best PSNR among a few samples, in dB: what picks the best checkpoint."""
    t = experiment.train
    scores = score_samples(model, clips, t.n_cond, t.val_samples, seed=t.seed, metric_names=("psnr",))
    return scores["psnr"].mean(dim=2).amax(dim=0).mean().item()


# The run's folder ----------------------------------------------------------------------------------------------------


def open_folder(out: Path, experiment: Experiment, resume: bool) -> None:
    """Checks that the folder fits the request, and writes the configuration of a new run."""
    config = out / "config.json"
    if resume:
        if not config.is_file():
            raise FileNotFoundError(f"nothing to resume in {out}: it has no config.json; leave out --resume to start")
        before = Experiment.from_dict(json.loads(config.read_text())["experiment"])
        if before != experiment:
            raise ValueError(
                f"{out} holds a run with other settings ({differences(before, experiment)}); resume with the same "
                "ones, or start another run with another --out"
            )
        if not (out / "state.pt").is_file():
            raise FileNotFoundError(f"nothing to resume in {out}: the run stopped before its first checkpoint")
    elif config.exists():
        raise FileExistsError(f"{out} already holds a run: go on with --resume, or choose another --out")
    else:
        text = json.dumps({"experiment": experiment.to_dict(), "srvp_lite": srvp_lite.__version__}, indent=1)
        checkpoint.write_atomically(config, lambda tmp: Path(tmp).write_text(text))


def differences(a: Experiment, b: Experiment) -> str:
    return ", ".join(
        f"{part}.{name}: {old!r} there, {b.to_dict()[part][name]!r} asked"
        for part, options in a.to_dict().items()
        for name, old in options.items()
        if old != b.to_dict()[part][name]
    )


def save_state(path: Path, model: SRVP, optimizer: torch.optim.Optimizer, progress: dict) -> None:
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": dict(progress)}
    checkpoint.write_atomically(path, lambda tmp: torch.save(state, tmp))


def load_state(path: Path, model: SRVP, optimizer: torch.optim.Optimizer, device: torch.device) -> dict:
    state = checkpoint.read_tensors(path)
    checkpoint.load_weights(model, state["model"], path)
    optimizer.load_state_dict(state["optimizer"])
    return state["progress"]


def save_model(model: SRVP, path: Path, experiment: Experiment, step: int, val_psnr: float, made: dict) -> None:
    val_psnr = val_psnr if math.isfinite(val_psnr) else None  # stopped before the first validation
    checkpoint.save(model, path, experiment=experiment.to_dict(), step=step, val_psnr=val_psnr, made=made)


class Log:
    """`log.jsonl`, and TensorBoard where it is installed."""

    def __init__(self, out: Path, keep_until: int):
        self.path = out / "log.jsonl"
        # A killed run may have logged steps past its last checkpoint; they are about to be run again.
        kept = [line for line in read_log(out) if line["step"] <= keep_until]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        checkpoint.write_atomically(self.path, lambda tmp: Path(tmp).write_text(text))
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.board = None
        else:
            self.board = SummaryWriter(str(out), purge_step=keep_until)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *exception):
        if self.board is not None:
            self.board.close()

    def write(self, step: int, **values: float) -> None:
        with open(self.path, "a") as f:
            f.write(json.dumps({"step": step, **values}) + "\n")
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)


def read_log(out: str | Path) -> list[dict]:
    """The lines of a run's log, oldest first; a line cut off by a crash is left out."""
    path = Path(out) / "log.jsonl"
    lines = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


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


def choose_device(device: str) -> torch.device:
    """ "auto" is the first GPU, or the CPU where there is none."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but this PyTorch sees no GPU; use --device cpu")
    return chosen


def describe(experiment: Experiment, model: SRVP, device: torch.device, out: Path, first_step: int) -> str:
    """Device, model, protocol and cost, in words, before anything long starts."""
    m, d, t = experiment.model, experiment.data, experiment.train
    n_parameters = sum(p.numel() for p in model.parameters())
    kind = "new velocity at a wall" if d.stochastic else "reflected at a wall"
    lines = [
        f"Device     {device_name(device)}",
        f"Model      {n_parameters:,} parameters, {m.network}, {m.nx}x{m.nx}, {m.steps_per_frame} Euler steps a frame",
        f"Data       {d.n_digits} digits ({d.digits}), {kind}, made as they are needed",
        f"Protocol   {t.n_frames} frames a clip in training; {t.n_cond} given and {t.n_frames_test - t.n_cond} "
        f"predicted in validation, best of {t.val_samples} samples, {t.val_clips} clips",
        f"Cost       {t.steps - first_step:,} steps of {t.batch_size} clips, "
        f"{(t.steps - first_step) * t.batch_size * t.n_frames:,} frames; the bar below shows the time they take",
        f"Folder     {out}" + (f", resumed at step {first_step:,}" if first_step else ""),
        f"Code       srvp-lite {srvp_lite.__version__}, commit {commit() or 'unknown'}",
    ]
    if device.type == "cpu" and n_parameters > 5_000_000:
        lines.append("Warning    this model needs a GPU: on a CPU the run takes months. Try the preset 'lite'.")
    return "\n".join(lines)
