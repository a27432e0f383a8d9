"""`srvp-lite bench`: the speed of training steps and, if asked, of evaluation."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from srvp_lite.cli.common import experiment_of, presets, save_results
from srvp_lite.config import Experiment


@dataclass
class Bench:
    """Measure training steps with these numbers."""

    experiment: Experiment
    rounds: int = 5
    """How often the variants take turns."""
    steps_per_round: int = 2
    """Steps of each variant in its turn."""
    variants: tuple[str, ...] | None = None
    """Which variants: "float32", "bf16", "bf16, compiled", "bf16, recorded", "bf16, compiled and recorded"; by default
    those that make sense on the device."""
    against: Path | None = None
    """Folder of a clone of the official code, to be timed in the same rounds."""
    evaluation: bool = False
    """Also time the scoring of samples."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1" or "mps"."""
    threads: int | None = None
    """CPU threads; by default what PyTorch chooses."""
    out: Path | None = None
    """Also write the results there, as JSON."""


@dataclass
class Options:
    """Measure how fast a training step is on this machine, how fast it could be, and where its time goes.

    Example: srvp-lite bench smmnist --batch-size 16
    """

    preset: presets(Bench)  # pyright: ignore[reportInvalidTypeForm]: known when it runs
    """Where the numbers come from."""


def run(options: Options) -> None:
    import torch

    from srvp_lite.bench import speed
    from srvp_lite.utils.device import choose_device, device_name
    from srvp_lite.utils.provenance import made_by
    from srvp_lite.version import __version__

    args = options.preset
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    start = time.perf_counter()
    print(f"{device_name(device)}, PyTorch {torch.__version__}, srvp-lite {__version__}")
    variants = None if args.variants is None else list(args.variants)
    results = speed.bench(
        experiment_of(args), device, args.rounds, args.steps_per_round, variants, args.against, args.evaluation,
        say=lambda line: print(line, "...", file=sys.stderr),
    )  # fmt: skip
    print(speed.table(results))
    if args.out is not None:
        save_results(args.out, {"made": made_by(device, time.perf_counter() - start), **results})
