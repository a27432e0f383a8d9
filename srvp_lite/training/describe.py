"""What a run says of itself before anything long starts."""

from __future__ import annotations

from pathlib import Path

from srvp_lite.config import Experiment, MovingDigitsConfig, SRVPConfig, SVGConfig, VideoConfig
from srvp_lite.training import roofline
from srvp_lite.training.step import Step
from srvp_lite.utils.device import device_name
from srvp_lite.utils.provenance import commit
from srvp_lite.version import __version__


def describe(
    experiment: Experiment, step: Step, out: Path, first_step: int, work: roofline.Work, limits: roofline.Limits
) -> str:
    """Device, model, data, protocol and cost, in words, before anything long starts."""
    m, t, device = experiment.model, experiment.train, step.device
    n_parameters = sum(p.numel() for p in step.model.parameters())
    floor = limits.floor(work) / step.world.size
    left = t.steps - first_step
    cost = (
        f"as many steps as fit into {t.time_budget}, {t.batch_size} clips each"
        if t.time_budget
        else f"{left:,} steps of {t.batch_size} clips, {left * t.batch_size * t.n_frames:,} frames; the bar below "
        "shows the time they take"
    )
    processes = f"{step.world.size} processes, each on " if step.world.size > 1 else ""
    lines = [
        f"Device     {processes}{device_name(device)}; networks in {'bf16' if step.bf16 else 'float32'}",
        f"Model      {describe_model(m)}, {n_parameters:,} parameters, {m.network}, {m.nx}x{m.nx}",
        f"Data       {describe_data(experiment.data)}",
        f"Protocol   {t.n_frames} frames a clip in training; {t.n_cond} given and {t.n_frames_test - t.n_cond} "
        f"predicted in validation, best of {t.val_samples} samples, {t.val_clips} clips",
        f"Cost       {cost}",
        f"Floor      {work.flop / 1e9:,.1f} GFLOP a step, {limits.flop_per_second / 1e9:,.0f} GFLOP/s measured here: "
        f"at most {1 / floor:,.1f} steps/s",
        f"Folder     {out}" + (f", resumed at step {first_step:,}" if first_step else ""),
        f"Code       srvp-lite {__version__}, commit {commit() or 'unknown'}",
    ]
    if device.type == "cpu" and n_parameters > 5_000_000:
        lines.append("Warning    this model needs a GPU: on a CPU the run takes months. Try the preset 'lite'.")
    return "\n".join(lines)


def describe_model(m: SRVPConfig | SVGConfig) -> str:
    if isinstance(m, SVGConfig):
        return "SVG with a learned prior"
    parts = [f"{m.steps_per_frame} Euler step{'s' * (m.steps_per_frame > 1)} a frame"]
    if m.transition != "residual":
        parts = [f"{m.transition.upper()} transition"]
    parts += ["without z"] * (m.nz == 0) + ["without w"] * (not m.use_w) + ["without LSTM"] * (m.q_z != "lstm")
    return f"SRVP, {', '.join(parts)}"


def describe_data(data: MovingDigitsConfig | VideoConfig) -> str:
    if isinstance(data, VideoConfig):
        return f"videos of {data.dataset}, cut at random" + (", kept on the device" if data.on_device else "")
    kind = "new velocity at a wall" if data.stochastic else "reflected at a wall"
    return f"{data.n_digits} digits ({data.digits}), {kind}, made as they are needed"
