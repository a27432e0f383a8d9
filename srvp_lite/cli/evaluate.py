"""`srvp-lite evaluate`: the scores of a model on test clips."""

from __future__ import annotations

import dataclasses
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from srvp_lite.cli.common import save_results
from srvp_lite.presets import paper_protocol

if TYPE_CHECKING:
    import torch


@dataclass
class Options:
    """Score a model on the test clips of its data set, as the paper does, and compare with simple baselines.

    Example: srvp-lite evaluate lite-stochastic --samples 100 --out results.json
    Example: srvp-lite evaluate runs/smmnist --protocol paper --out results.json
    """

    model: tyro.conf.Positional[str]
    """A run's folder, a .safetensors file, a shipped name, or a folder of the official release."""
    protocol: Literal["paper"] | None = None
    """"paper": the paper's frames, samples and clips for the model's data set, LPIPS and FVD included where it has
    them; options below still count."""
    samples: int | None = None
    """Futures drawn per clip; the best one counts. 100 by default."""
    clips: int | None = None
    """Test clips; moving digits only have as many as you like, the official test set has 5,000. 500 by default."""
    n_frames: int | None = None
    """Frames of a clip, conditioning frames included; by default what the model was validated with."""
    steps_per_frame: int | None = None
    """Euler steps per frame interval; by default the model's own."""
    precision: Literal["float32", "bf16"] = "float32"
    """What the networks compute in; bf16 is faster where the device knows it, and changes scores in the last digits."""
    seed: int = 42
    """Seed of the noise (the test clips have a seed of their own)."""
    extra: tuple[str, ...] = ()
    """Metrics to score beside those that need no weights: "lpips" (AlexNet's weights, fetched at first use), "fvd"
    (I3D's, fetched at first use or named by --fvd-weights)."""
    fvd_weights: Path | None = None
    """I3D as a TorchScript file."""
    only_pixels: bool = False
    """Leave the metrics that need weights, LPIPS and FVD, out of the paper's protocol."""
    root: str | None = None
    """Folder of the data; by default what the model was trained with, or the environment variable SRVP_DATA_DIR."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1" or "mps"."""
    out: Path | None = None
    """Also write the results there, as JSON with all that is needed to repeat them. Scores so far are kept beside it,
    so that the command can be stopped and run again."""
    pictures: Path | None = None
    """Also write best, worst and random samples of the first clips into this folder, as pictures and arrays."""


def run(args: Options) -> None:
    import torch

    from srvp_lite import checkpoint, evaluation
    from srvp_lite.config import config_to_dict
    from srvp_lite.data.open import test_clips
    from srvp_lite.evaluation.protocol import digest
    from srvp_lite.utils.device import choose_device, device_name
    from srvp_lite.utils.provenance import commit, made_by
    from srvp_lite.version import __version__

    device = choose_device(args.device)
    model = checkpoint.load(args.model, device)
    experiment = checkpoint.load_experiment(args.model)
    data = experiment.data if args.root is None else dataclasses.replace(experiment.data, root=args.root)
    n_cond, n_frames, samples, n_clips, extra = experiment.train.n_cond, experiment.train.n_frames_test, 100, 500, False
    if args.protocol == "paper":
        paper = paper_protocol(data)
        if paper is None:
            raise ValueError("the paper has no protocol for this model's data; leave out --protocol")
        n_cond, n_frames, samples, n_clips, extra = (
            paper.n_cond, paper.n_frames, paper.n_samples, paper.n_clips, paper.perceptual,
        )  # fmt: skip
    n_frames, samples, n_clips = args.n_frames or n_frames, args.samples or samples, args.clips or n_clips
    scoring = evaluation.Scoring(
        loaded=load_metrics(args, device, extra and not args.only_pixels),
        steps_per_frame=args.steps_per_frame,
        bf16=args.precision == "bf16",
    )
    clips = test_clips(data, n_clips, n_frames)
    print(f"{args.model} on {device_name(device)}: {len(clips)} test clips, {n_cond} frames given")
    print(f"srvp-lite {__version__}, commit {commit() or 'unknown'}")
    start = time.perf_counter()
    partial = None if args.out is None else args.out.with_name(args.out.name + ".partial")
    noise = torch.Generator().manual_seed(args.seed)
    results = evaluation.evaluate(model, clips, n_cond, samples, noise, scoring, partial, progress=True)
    made: dict[str, Any] = {
        **made_by(device, time.perf_counter() - start),
        "model_sha256": checkpoint.model_sha256(args.model),
        "test_set_sha256": digest([clips]),
        "frame_size": model.config.nx,
        "data": config_to_dict(data),
    }
    print(evaluation.table(results))
    print(f"model sha256 {made['model_sha256'][:16]}, test set sha256 {made['test_set_sha256'][:16]}, "
          f"frames {model.config.nx}x{model.config.nx}")  # fmt: skip
    if args.pictures is not None:
        chosen = evaluation.best_worst_random(
            model, clips, n_cond, samples, noise, steps_per_frame=args.steps_per_frame
        )
        save_pictures(args.pictures, chosen, n_cond)
    if args.out is not None:
        save_results(args.out, dataclasses.replace(results, made=made).to_dict())
    if partial is not None:
        partial.unlink(missing_ok=True)


def load_metrics(args: Options, device: torch.device, everything: bool) -> dict[str, Any]:
    """The metrics that need weights, by name: those asked for, or all; without those that are not to be had."""
    from srvp_lite.metrics.table import METRICS

    heavy = {name: row for name, row in METRICS.items() if row.needs_weights}
    if unknown := set(args.extra) - heavy.keys():
        raise ValueError(f"unknown --extra {', '.join(sorted(unknown))}; there are {', '.join(heavy)}")
    files, loaded = {"fvd": args.fvd_weights}, {}
    for name, row in heavy.items():
        if everything or name in args.extra:
            try:
                loaded[name] = row.function(device, **({"weights": files[name]} if files.get(name) else {}))
            except (ImportError, OSError, ValueError) as error:
                print(f"{row.label} is left out: {error}")
    return loaded


def save_pictures(folder: Path, chosen: dict[str, torch.Tensor], n_cond: int) -> None:
    """One strip for each clip, a row for each kind of sample, and all of it as arrays."""
    import numpy as np

    from srvp_lite import plot
    from srvp_lite.utils.files import write_bytes

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(len(chosen["truth"])):
        rows = [clips[i].float() / 255 for clips in chosen.values()]
        plot.save(rows, folder / f"clip{i}.png", n_cond=n_cond, labels=list(chosen), scale=1)
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: clips.numpy() for name, clips in chosen.items()}
    np.savez_compressed(buffer, **arrays)
    write_bytes(folder / "samples.npz", buffer.getbuffer())
    print(f"Best, worst and random samples of {len(chosen['truth'])} clips written to {folder}")
