"""`srvp-lite train`: training, from a preset's numbers."""

from dataclasses import dataclass
from pathlib import Path

from srvp_lite.cli.common import experiment_of, presets
from srvp_lite.config import Experiment


@dataclass
class Train:
    """Train a model with these numbers."""

    experiment: Experiment
    out: Path
    """Folder of the run: configuration, log, checkpoints. Made if missing."""
    resume: bool = False
    """Go on with the run in the folder, from its last checkpoint, exactly where it was."""
    auto_resume: bool = False
    """Go on if the folder holds a run and start one if not: for machines that may be taken away at any time."""
    device: str = "auto"
    """"auto" (a GPU if there is one), "cpu", "cuda", "cuda:1" or "mps"."""
    threads: int | None = None
    """CPU threads; by default what PyTorch chooses."""


@dataclass
class Options:
    """Train a model. Start from a preset, change what you like; go on after an interruption with --resume.

    Example: srvp-lite train lite --out runs/lite
    """

    preset: presets(Train)  # pyright: ignore[reportInvalidTypeForm]: known when it runs
    """Where the numbers come from."""


def run(options: Options) -> None:
    import torch

    from srvp_lite.training.loop import train

    args = options.preset
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    train(experiment_of(args), args.out, "auto" if args.auto_resume else args.resume, args.device)
