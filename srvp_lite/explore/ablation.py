"""What each part is worth: the model without it, and a rival, trained and scored alike (paper, section 4.1).

Read in chapter 9. Every run is a process of its own with a folder of its own, so several go at once and all can be
stopped and gone on with. The variants of SRVP differ in their model's configuration only: same data, batches, steps,
schedule. A rival has its own loss and learning rate as well. A new variant, rival or data set is a row of a table.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import multiprocessing.connection
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from srvp_lite import checkpoint, metrics
from srvp_lite.config import AblationConfig, Experiment
from srvp_lite.data.open import open_data
from srvp_lite.evaluation.drawing import as_floats
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.evaluation.results import calibration
from srvp_lite.evaluation.scoring import best_scores
from srvp_lite.metrics.table import METRICS
from srvp_lite.model.build import build_model
from srvp_lite.model.clips import VideoModel
from srvp_lite.presets import PRESETS, preset
from srvp_lite.training import roofline
from srvp_lite.training.loop import train
from srvp_lite.training.stop import StopRequest
from srvp_lite.utils.device import choose_device, synchronize
from srvp_lite.utils.errors import SRVPError
from srvp_lite.utils.files import write_json
from srvp_lite.utils.provenance import made_by

Sizes = dict[str, str]  # of each size of an ablation, the name of a preset

SRVP_PRESETS: Sizes = {"lite": "lite", "paper": "smmnist"}
SVG_PRESETS: Sizes = {"lite": "svg-lite", "paper": "svg-smmnist"}

# Other ways to predict than in training: the name of such results, and of each way its options for `predict`.
Ways = tuple[str, dict[str, dict]]
EULER_STEPS: Ways = ("other_steps", {str(k): {"steps_per_frame": k} for k in (1, 2, 4, 8)})
NO_WAYS: Ways = ("other_steps", {})
BATCH_NORMS: Ways = ("batch_norm", {name: {"batch_norm": name} for name in ("running", "batch")})


@dataclass(frozen=True)
class Variant:
    """A model to train and score."""

    label: str
    """Its name in tables."""
    paper: str | None
    """Its row in the paper's tables, if it has one."""
    presets: Sizes
    """Where its configuration comes from."""
    changes: dict = field(default_factory=dict)
    """What it changes in the model's configuration."""
    ways: Ways = EULER_STEPS
    """How else it can predict (scored with five samples)."""


VARIANTS = {
    "srvp": Variant("SRVP", "SRVP", SRVP_PRESETS),
    "euler2": Variant("SRVP, 2 Euler steps", None, SRVP_PRESETS, {"steps_per_frame": 2}),
    "mlp": Variant("MLP transition", "SRVP, MLP transition", SRVP_PRESETS, {"transition": "mlp"}, NO_WAYS),
    "gru": Variant("GRU transition", "SRVP, GRU transition", SRVP_PRESETS, {"transition": "gru"}, NO_WAYS),
    "no-z": Variant("without z", "SRVP without z", SRVP_PRESETS, {"nz": 0}),
    "no-w": Variant("without w", None, SRVP_PRESETS, {"use_w": False}),
    "no-lstm": Variant("without LSTM", None, SRVP_PRESETS, {"q_z": "window"}),
    "svg": Variant("SVG", "SVG", SVG_PRESETS, ways=BATCH_NORMS),
}

# Of each data set, the presets that it comes from; the paper's numbers are those of the preset of size "paper".
DATA: dict[str, Sizes] = {
    "stochastic": {"lite": "lite", "paper": "smmnist"},
    "deterministic": {"lite": "lite-deterministic", "paper": "mmnist"},
}


def experiment_of(variant: str, data: str, seed: int, settings: AblationConfig) -> Experiment:
    """The experiment of one run. Raises ValueError, naming what there is, for an unknown variant, data set or size."""
    for value, known in ((variant, VARIANTS), (data, DATA), (settings.size, SRVP_PRESETS)):
        if value not in known:
            raise ValueError(f"unknown {value!r}; there are {', '.join(known)}")
    row, size = VARIANTS[variant], settings.size
    base, ours = preset(row.presets[size]), preset(SRVP_PRESETS[size])
    constant = settings.steps // 4
    return Experiment(
        dataclasses.replace(base.model, **row.changes),
        preset(DATA[data][size]).data,
        dataclasses.replace(
            base.train,
            seed=seed,
            batch_size=ours.train.batch_size,
            constant_steps=constant,
            decay_steps=settings.steps - constant,
            precision=settings.precision,
            val_interval=settings.steps,
            val_clips=16,
        ),
    )


def ablate(
    out: str | Path,
    settings: AblationConfig,
    variants: tuple[str, ...] = tuple(VARIANTS),
    data: tuple[str, ...] = tuple(DATA),
    seeds: tuple[int, ...] = (1, 2, 3),
    jobs: int = 1,
    device: str = "auto",
    threads: int | None = None,
    say: Callable[[str], object] = print,
) -> dict:
    """Trains and scores every variant on every data set with every seed, `jobs` at a time, in folders under `out`.

    Runs that are done are left alone, those begun go on. Returns the results of all done so far, and keeps them in
    `out`/results.json. All seeds' first variants come before any second seed, so that an interrupted table has whole
    rows. SIGTERM and SIGINT (Ctrl-C) stop all runs: those that train save, the others are left for the next call.
    Raises ValueError for settings other than those of the folder, SRVPError at the end if a run failed.
    """
    out = Path(out)
    start = time.perf_counter()
    wanted = [(v, d, s) for s in seeds for d in data for v in variants]
    for v, d, s in wanted:
        experiment_of(v, d, s, settings)  # complain now, not in an hour
    known = out / "settings.json"
    if known.is_file() and json.loads(known.read_text()) != dataclasses.asdict(settings):
        raise ValueError(f"{out} holds runs with other settings ({known}); choose another --out")
    waiting = [run for run in wanted if not (folder_of(out, *run) / "scores.json").is_file()]
    running: dict = {}
    failed, context = [], multiprocessing.get_context("spawn")  # CUDA allows no fork
    asked = False
    with StopRequest() as stop:  # before anything of a run is on disk: whoever sees its folder may ask to stop
        write_json(known, dataclasses.asdict(settings))
        while waiting or running:
            while waiting and len(running) < jobs and not stop.requested:
                run = waiting.pop(0)
                process = context.Process(target=one_run, args=(out, *run, settings, device, threads))
                process.start()
                running[process.sentinel] = (process, run)
            for sentinel in multiprocessing.connection.wait(list(running), timeout=0.1):
                process, run = running.pop(sentinel)
                process.join()
                if (folder_of(out, *run) / "scores.json").is_file():
                    done = collect(out, wanted, settings, device, time.perf_counter() - start)
                    say(f"{len(done['runs'])} of {len(wanted)} runs done: {name_of(*run)}")
                elif not stop.requested:
                    failed.append(run)
                    say(f"{name_of(*run)} failed; see {folder_of(out, *run) / 'output.txt'}")
            if stop.requested and not asked:
                # Those that train save and stop. One that has not come to listen yet dies, with nothing to lose.
                waiting, asked = [], True  # once: a second signal would kill them while they save
                for process, _ in running.values():
                    process.terminate()
    if failed:
        raise SRVPError(
            f"{len(failed)} run(s) failed: {', '.join(name_of(*run) for run in failed)}. Their output.txt says why; "
            "the same command tries them again and leaves the others alone"
        )
    results = collect(out, wanted, settings, device, time.perf_counter() - start)
    if not results["missing"]:
        results["cost"] = frame_costs(settings, variants, choose_device(device))
        write_json(out / "results.json", results)
    return results


def name_of(variant: str, data: str, seed: int) -> str:
    return f"{variant}-{data}-{seed}"


def folder_of(out: Path, variant: str, data: str, seed: int) -> Path:
    return out / name_of(variant, data, seed)


def one_run(out: Path, variant: str, data: str, seed: int, settings: AblationConfig, device: str, threads: int | None):
    """Trains one model as far as it has to go, and scores it: the work of one process, its words in output.txt."""
    folder = folder_of(out, variant, data, seed)
    if threads is not None:
        torch.set_num_threads(threads)
    experiment = experiment_of(variant, data, seed, settings)
    start = time.perf_counter()
    with StopRequest() as stop:  # before the folder is there
        folder.mkdir(parents=True, exist_ok=True)
        with told_in(folder / "output.txt"):
            train(experiment, folder, "auto", device, stop)
    if stop.requested:
        return
    with told_in(folder / "output.txt"):  # killed from here on, it leaves a trained model, to be scored the next time
        where = choose_device(device)
        model = checkpoint.load(folder / "last.safetensors", where)
        scores = score(model, experiment, settings, where, VARIANTS[variant].ways)
        made = made_by(where, time.perf_counter() - start)
        write_json(folder / "scores.json", {"variant": variant, "data": data, "seed": seed, **scores, "made": made})


@contextlib.contextmanager
def told_in(file: Path) -> Iterator[None]:
    """Whatever is printed goes to the end of the file. So does an error, which ends the process."""
    with open(file, "a", buffering=1) as words:
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            try:
                yield
            except Exception:
                traceback.print_exc()
                sys.exit(1)


@torch.no_grad()
def score(
    model: VideoModel, experiment: Experiment, settings: AblationConfig, device: torch.device, ways: Ways
) -> dict:
    """Scores of a trained model: near, over as many frames as the preset's tests predict, and far, frame by frame."""
    t = experiment.train
    near = t.n_frames_test - t.n_cond
    clips = clips_to_score(experiment, settings, device)
    scores = score_samples(model, clips, t.n_cond, settings.n_samples)
    result: dict[str, Any] = {"parameters": sum(p.numel() for p in model.parameters()), "near": near}
    for name, values in scores.metrics.items():  # each (samples, clips, frames)
        result[name] = {
            "best": best_scores(name, values[:, :, :near].mean(dim=2)).mean().item(),
            "expected": values[:, :, :near].mean().item(),
            "per_frame": values.mean(dim=(0, 1)).tolist(),
        }
    found = calibration(scores, settings.n_samples)
    result["spread"], result["error"] = found.spread, found.error
    name, options = ways
    result[name] = other_ways(model, as_floats(clips[:, : t.n_cond + near]), t.n_cond, options)
    return result


def clips_to_score(experiment: Experiment, settings: AblationConfig, device: torch.device) -> torch.Tensor:
    """The same test clips (n_clips, T, C, H, W), bytes, for all variants of a data set."""
    t = experiment.train
    n_frames = t.n_cond + max(t.n_frames_test - t.n_cond, settings.n_predicted)
    data = open_data(experiment.data, "test", device)
    return data.sample_bytes(settings.n_clips, n_frames, torch.Generator(device).manual_seed(42))


def other_ways(
    model: VideoModel, clips: torch.Tensor, n_cond: int, ways: dict[str, dict]
) -> dict[str, dict[str, float]]:
    """PSNR of five samples when predicting otherwise than in training, with each way's options."""
    results = {}
    for name, options in ways.items():
        generator = torch.Generator(clips.device).manual_seed(42)
        futures = model.predict(clips[:, :n_cond], clips.shape[1] - n_cond, 5, generator=generator, **options)
        psnr = metrics.psnr(futures, clips[None, :, n_cond:].expand_as(futures)).mean(dim=2)
        results[name] = {"best": psnr.amax(0).mean().item(), "expected": psnr.mean().item()}
    return results


def collect(
    out: Path, wanted: list[tuple[str, str, int]], settings: AblationConfig, device: str, seconds: float
) -> dict:
    """The results of all runs done so far, also written to `out`/results.json."""
    files = [folder_of(out, *run) / "scores.json" for run in wanted]
    runs = [json.loads(file.read_text()) for file in files if file.is_file()]
    baselines = {d: baseline_scores(d, settings) for d in dict.fromkeys(run["data"] for run in runs)}
    results = {
        "made": made_by(choose_device(device), seconds),
        "settings": dataclasses.asdict(settings),
        "baselines": baselines,
        "runs": runs,
        "missing": [name_of(*run) for run, file in zip(wanted, files) if not file.is_file()],
    }
    write_json(out / "results.json", results)
    return results


def baseline_scores(data: str, settings: AblationConfig) -> dict[str, list[float]]:
    """PSNR per frame of the two predictions that need no model, on the same clips."""
    experiment = experiment_of(next(iter(VARIANTS)), data, 1, settings)
    t = experiment.train
    clips = as_floats(clips_to_score(experiment, settings, torch.device("cpu")))
    given, truth = clips[:, : t.n_cond], clips[:, t.n_cond :]
    return {
        f.__name__: metrics.psnr(f(given, truth.shape[1]), truth).mean(dim=0).tolist()
        for f in (metrics.copy_last, metrics.mean_frame)
    }


def frame_costs(settings: AblationConfig, variants: tuple[str, ...], device: torch.device, rounds: int = 5) -> dict:
    """What one predicted frame costs each variant, for 16 clips at a time: operations, counted, and seconds, medians
    over rounds in which the variants take turns."""
    models: dict[str, VideoModel] = {}
    n_cond, n = experiment_of(variants[0], next(iter(DATA)), 1, settings).train.n_cond, 20
    for variant in variants:
        models[variant] = build_model(experiment_of(variant, next(iter(DATA)), 1, settings).model)
        models[variant].to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: as in `Step`
        models[variant].eval()
    config = models[variants[0]].config
    x = torch.rand(16, n_cond, config.nc, config.nx, config.nx, device=device)

    def seconds(model, frames: int) -> float:
        synchronize(device)
        start = time.perf_counter()
        model.predict(x, frames)
        synchronize(device)
        return time.perf_counter() - start

    times: dict[str, list[float]] = {variant: [] for variant in models}
    for number in range(-1, rounds):  # the first is a warm-up
        for variant, model in models.items():
            spent = (seconds(model, 1 + n) - seconds(model, 1)) / n / len(x)
            if number >= 0:
                times[variant].append(spent)
    return {
        variant: {"flop": roofline.frame_flop(model.config, n_cond), "seconds": statistics.median(times[variant])}
        for variant, model in models.items()
    }


# Tables --------------------------------------------------------------------------------------------------------------


def band(results: dict, variant: str, data: str, metric: str = "psnr", kind: str = "best") -> list[float]:
    """A score of a variant on a data set, one number per seed."""
    return [r[metric][kind] for r in results["runs"] if (r["variant"], r["data"]) == (variant, data)]


def rows(results: dict) -> list[tuple[str, ...]]:
    """Table rows: variant, PSNR and SSIM of the best sample as mean and range over seeds, and the paper's PSNR, for
    each data set in turn. A cell is empty where there is no number."""

    def cell(values: list[float], digits: int) -> str:
        if not values:
            return ""
        return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"

    lines = []
    for name, variant in VARIANTS.items():
        cells, any_number = [variant.label], False
        for data in DATA:
            psnr, ssim = band(results, name, data), band(results, name, data, "ssim")
            any_number |= bool(psnr)
            cells += [
                cell(psnr, METRICS["psnr"].digits),
                cell(ssim, METRICS["ssim"].digits),
                papers_psnr(variant, data),
            ]
        if any_number:
            lines.append(tuple(cells))
    return lines


def papers_psnr(variant: Variant, data: str) -> str:
    """The paper's PSNR of a variant; nothing where it gives none."""
    protocol = PRESETS[DATA[data]["paper"]].protocol
    if protocol is None or variant.paper is None:
        return ""
    value = protocol.table.rows.get(variant.paper, {}).get("psnr")
    if value is None:
        return ""
    return f"{value[0] if isinstance(value, tuple) else value:.2f}"


def table(results: dict) -> str:
    """The results for a terminal."""
    head = ("", *(f"{d}: {c}" for d in DATA for c in ("PSNR", "SSIM", "paper's PSNR")))
    lines = [head, *rows(results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines)
    s = results["settings"]
    seeds = sorted({r["seed"] for r in results["runs"]})
    text += (
        f"\n{s['steps']} steps each, seeds {', '.join(map(str, seeds))}; best of {s['n_samples']} samples, "
        f"{s['n_clips']} clips; mean (lowest to highest seed)"
    )
    if results["missing"]:
        text += f"\nStill to do: {', '.join(results['missing'])}"
    return text
