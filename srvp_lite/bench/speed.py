"""How fast a step is here, how fast it could be, and where its time goes.

Read in chapter 7. Variants of the step take turns, a few steps each, so that whatever else the machine does meets
them all alike; ratios are of medians. `official_code` adds the official code to the round.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from srvp_lite.bench.official_code import Official
from srvp_lite.bench.stages import STAGES, stage_times
from srvp_lite.config import Experiment, MovingDigitsConfig, SRVPConfig
from srvp_lite.data.open import moving_digits
from srvp_lite.evaluation.drawing import Scoring
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.model.build import build_model
from srvp_lite.model.clips import VideoModel
from srvp_lite.model.fused import fused_networks
from srvp_lite.model.srvp import SRVP
from srvp_lite.training import roofline
from srvp_lite.training.step import Step
from srvp_lite.utils.device import allow_fast_float32, synchronize

BASE = dict(precision="float32", compile=False, cuda_graph=False)
BF16 = {**BASE, "precision": "bf16"}
VARIANTS = {
    "float32": BASE,
    "bf16": BF16,
    "bf16, compiled": {**BF16, "compile": True},
    "bf16, recorded": {**BF16, "cuda_graph": True},
    "bf16, compiled and recorded": {**BF16, "compile": True, "cuda_graph": True},
}


def default_variants(device: torch.device) -> list[str]:
    """All on a CUDA GPU; on a CPU neither graphs, which do not exist there, nor compilation, which does not pay."""
    return list(VARIANTS) if device.type == "cuda" else ["float32", "bf16"]


def bench(
    experiment: Experiment,
    device: torch.device,
    rounds: int = 5,
    steps_per_round: int = 2,
    variants: list[str] | None = None,
    against: str | Path | None = None,
    evaluation: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict:
    """Measures training steps of an experiment on its batch; returns plain numbers (see `table`).

    `against` is the folder of a clone of the official code; `evaluation` also times the scoring of samples. A variant
    that cannot run here is left out with the reason. `say` is told what is being done.
    """
    t = experiment.train
    variants = default_variants(device) if variants is None else variants
    unknown = set(variants) - VARIANTS.keys()
    if unknown:
        raise ValueError(f"unknown variant(s) {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}")
    if rounds < 1 or steps_per_round < 1:
        raise ValueError(f"rounds and steps_per_round must be at least 1, got {rounds} and {steps_per_round}")
    official = None if against is None else Official(against, experiment, device)

    say("measuring the device")
    allow_fast_float32(device)
    limits = {name: roofline.limits(device, name == "bf16") for name in ("float32", "bf16")}
    work = {name: roofline.step_work(experiment, name == "bf16") for name in ("float32", "bf16")}

    say("measuring the data")
    data = data_rates(experiment, device, official)
    shape = (t.batch_size, t.n_frames, experiment.model.nc, experiment.model.nx, experiment.model.nx)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)

    steps, left_out = {}, {}
    if official is not None:
        steps["official code"] = official.stepper(x)
    for name in variants:
        say(f"preparing {name}")
        try:
            steps[name] = stepper(with_changes(experiment, **VARIANTS[name]), device, x)
        except Exception as error:  # a compiler that is missing, a format the device lacks: anything at all
            left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0]

    times = {name: [] for name in steps}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, step in steps.items():
            for _ in range(steps_per_round):
                start = time.perf_counter()
                step()
                synchronize(device)
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}

    results = []
    for name, seconds in medians.items():
        precision = "bf16" if name.startswith("bf16") else "float32"
        results.append(
            {
                "name": name,
                "seconds": seconds,
                "slowest": max(times[name]),
                "fastest": min(times[name]),
                "steps_per_second": 1 / seconds,
                "frames_per_second": t.batch_size * t.n_frames / seconds,
                "share_of_peak": work[precision].flop / seconds / limits[precision].flop_per_second,
                "floor_seconds": limits[precision].floor(work[precision]),
                "of_official": None if official is None else seconds / medians["official code"],
            }
        )
    best = min(
        (r for r in results if r["name"] in VARIANTS and "recorded" not in r["name"]), key=lambda r: r["seconds"]
    )
    say("taking a step apart")
    return {
        "experiment": experiment.to_dict(),
        "limits": {name: dataclasses.asdict(value) for name, value in limits.items()},
        "work": {name: dataclasses.asdict(value) for name, value in work.items()},
        "data": data,
        "steps": results,
        "left_out": left_out,
        "evaluation": evaluation_times(experiment, device, official, rounds) if evaluation else None,
        "stages": {
            "of": best["name"],
            **stage_times(with_changes(experiment, **VARIANTS[best["name"]]), device, rounds),
        }
        if isinstance(experiment.model, SRVPConfig)
        else None,  # the rivals have other stages
    }


def with_changes(experiment: Experiment, **changes) -> Experiment:
    return dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, **changes))


def stepper(experiment: Experiment, device: torch.device, x: torch.Tensor) -> Callable[[], None]:
    """A call that trains one step on the same clips; warmed up, compiled and recorded."""
    step, number = Step(experiment, device), 0

    def call() -> None:
        nonlocal number
        step(x, number, experiment.train.lr)
        number += 1

    for _ in range(5 if experiment.train.cuda_graph else 2):
        call()
    synchronize(device)
    return call


def evaluation_times(experiment: Experiment, device: torch.device, official: Official | None, rounds: int) -> dict:
    """Seconds to draw and score (PSNR, SSIM) samples of test clips, ours and the official test script's taking turns.

    16 clips at a time, as there; 8 samples; frames as in the experiment's tests. Ours are drawn in the precision named.
    Both have the same weights. `difference`: of a pixel, the largest, between our scoring's frames and the official
    code's (or, without it, our own plain ones) of the same states.
    """
    t, m, n_clips, n_samples = experiment.train, experiment.model, 16, 8
    generator = torch.Generator().manual_seed(0)
    clips = torch.rand(n_clips, t.n_frames_test, m.nc, m.nx, m.nx, generator=generator).to(device)
    model = build_model(m)
    shake_batch_norms(model, generator)
    model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: torch's types lack it
    model.eval()

    def ours(bf16: bool) -> Callable[[], object]:
        def call() -> None:
            score_samples(model, clips, t.n_cond, n_samples, scoring=Scoring(bf16=bf16))

        return call

    calls = {"float32": ours(False), "bf16": ours(True)}
    if official is not None:
        official.take_weights(model)
        theirs = official.evaluator(clips, t.n_cond)
        calls["official code"] = lambda: theirs(n_samples)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-1, rounds):  # the first is a warm-up
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            synchronize(device)
            if number >= 0:
                times[name].append(time.perf_counter() - start)
    return {"n_clips": n_clips, "n_samples": n_samples, "n_predicted": t.n_frames_test - t.n_cond,
            "seconds": {name: statistics.median(values) for name, values in times.items()},
            "difference": differences(model, clips[:, : t.n_cond], official)}  # fmt: skip


def shake_batch_norms(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Statistics and gains as training leaves them: other than 0 and 1. Without, leaving out a batch norm would not
    be noticed."""
    for m in model.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            for t, low, high in ((m.running_mean, -1, 1), (m.running_var, 0.2, 2), (m.weight, 0.5, 2), (m.bias, -1, 1)):
                assert t is not None  # as `convnets` builds them
                t.data.uniform_(low, high, generator=generator)


@torch.no_grad()
def differences(model: VideoModel, given: torch.Tensor, official: Official | None) -> dict[str, float] | None:
    """Of a pixel, the largest, between frames decoded as for scoring and by other code; None for the rivals."""
    if not isinstance(model, SRVP):
        return None
    c, generator = model.config, torch.Generator().manual_seed(1)
    w = torch.randn(len(given), c.nh_inf if c.use_w else 0, generator=generator).to(given.device)
    y = torch.randn(len(given), 8, c.ny, generator=generator).to(given.device)
    plain = model.decode(w, y, model.encode(given)[1]) if official is None else official.decode(given, w, y)
    found = {}
    for name, bf16 in (("float32", False), ("bf16", True)):
        with fused_networks(model, bf16), torch.autocast(given.device.type, torch.bfloat16, enabled=bf16):
            frames = model.decode(w, y, model.encode(given)[1])
        found[name] = (frames.float() - plain).abs().max().item()
    return found


def data_rates(experiment: Experiment, device: torch.device, official: Official | None) -> dict | None:
    """Clips per second, as bytes and as floats ready to train on, on one core of a CPU; None for real videos.

    Made 128 at a time, as in the paper, or more: for very small batches it is the calls that cost, not the clips.
    """
    d, t = experiment.data, experiment.train
    n_clips = max(128, t.batch_size)
    if not isinstance(d, MovingDigitsConfig):
        return None
    try:
        data = moving_digits(d, "train", device)
    except FileNotFoundError:  # MNIST is not here; the digits' looks do not matter to the clock
        d = dataclasses.replace(d, digits="sklearn")
        data = moving_digits(d, "train", device)
    generator, threads = torch.Generator(device), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rates: dict[str, Any] = {"digits": d.digits, "n_frames": t.n_frames, "n_clips": n_clips}
        for name, make in (("bytes", data.sample_bytes), ("floats", data.sample)):
            seconds = median_time(lambda make=make: make(n_clips, t.n_frames, generator), device)
            rates[name] = n_clips / seconds
        if official is not None:
            sprites = (data.images.cpu() * 255).round().byte().numpy()
            calls = official.data_calls(sprites, d, n_clips, t.n_frames)
            for name, call in calls.items():
                rates[f"official {name}"] = n_clips / median_time(call, torch.device("cpu"))
        return rates
    finally:
        torch.set_num_threads(threads)


def median_time(call: Callable, device: torch.device, seconds: float = 1.0) -> float:
    call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        synchronize(device)
        start = time.perf_counter()
        call()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def table(results: dict) -> str:
    """The results of `bench` for a terminal."""
    train = results["experiment"]["train"]
    lines = [f"Batch {train['batch_size']} x {train['n_frames']} frames; medians of interleaved steps", ""]
    lines.append(
        f"{'step':<30}{'ms':>9}{'steps/s':>9}{'frames/s':>10}{'of peak':>9}{'floor, ms':>11}{'of official':>13}"
    )
    for r in results["steps"]:
        ratio = "" if r["of_official"] is None else f"{r['of_official']:.2f}"
        lines.append(
            f"{r['name']:<30}{1e3 * r['seconds']:>9.1f}{r['steps_per_second']:>9.2f}{r['frames_per_second']:>10.0f}"
            f"{r['share_of_peak']:>9.0%}{1e3 * r['floor_seconds']:>11.1f}{ratio:>13}"
        )
    lines += [f"{name:<30}left out: {why}" for name, why in results["left_out"].items()]
    for name in ("float32", "bf16"):
        limit, work = results["limits"][name], results["work"][name]
        arithmetic, memory = work["flop"] / limit["flop_per_second"], work["least_bytes"] / limit["bytes_per_second"]
        lines += [
            "",
            f"Floor in {name}: {work['flop'] / 1e9:,.0f} GFLOP at {limit['flop_per_second'] / 1e9:,.0f} GFLOP/s is "
            f"{1e3 * arithmetic:.1f} ms;",
            f"  {work['least_bytes'] / 1e9:.1f} GB at {limit['bytes_per_second'] / 1e9:,.0f} GB/s is "
            f"{1e3 * memory:.1f} ms with all else fused ({work['eager_bytes'] / 1e9:.1f} GB with nothing fused)",
        ]
    if results["stages"] is not None:
        stages = {name: results["stages"][name] for name in STAGES}
        total = sum(stages.values())
        lines += ["", f"Where a step's time goes ({results['stages']['of']}, forward and backward):"]
        lines += [f"  {name:<12}{1e3 * value:>9.1f} ms{value / total:>7.1%}" for name, value in stages.items()]
    if results["data"] is not None:
        d = results["data"]
        lines += ["", f"Clips of {d['n_frames']} frames per second ({d['digits']} digits; on a CPU, one core):"]
        for name in ("bytes", "floats"):
            theirs = d.get(f"official {name}")
            beside = "" if theirs is None else f"   official {theirs:>8,.0f}   ratio {d[name] / theirs:.1f}"
            lines.append(f"  {name:<8}{d[name]:>10,.0f}{beside}")
    if results["evaluation"] is not None:
        v = results["evaluation"]
        lines += ["", f"Scoring {v['n_samples']} samples of {v['n_clips']} clips, {v['n_predicted']} frames each:"]
        for name, seconds in v["seconds"].items():
            theirs = v["seconds"].get("official code")
            ratio = "" if theirs is None or name == "official code" else f"   {theirs / seconds:.1f} times as fast"
            lines.append(f"  {name:<14}{seconds:>8.2f} s{ratio}")
        if v["difference"] is not None:
            found = ", ".join(f"{name} {value:.0e}" for name, value in v["difference"].items())
            lines.append(f"  largest difference of a pixel, of frames of the same states: {found}")
    return "\n".join(lines)
