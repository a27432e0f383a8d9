"""`srvp-lite ablate`: what each part of the model is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from srvp_lite.config import AblationConfig


@dataclass
class Options:
    """Train the model, its ablations and the rival SVG alike, on both kinds of Moving MNIST, with several seeds; score
    them and print a table beside the paper's. Stop it and run it again as you like.

    Example: srvp-lite ablate --out runs/ablation --jobs 2 --threads 1
    """

    out: Path
    """Folder of the runs, one folder each, and of results.json."""
    settings: AblationConfig = field(default_factory=AblationConfig)
    variants: tuple[str, ...] = ("srvp", "euler2", "mlp", "gru", "no-z", "no-w", "no-lstm", "svg")
    """Which models: "srvp", "euler2" (two Euler steps), "mlp" and "gru" (other transitions), "no-z", "no-w", "no-lstm",
    "svg"."""
    data: tuple[str, ...] = ("stochastic", "deterministic")
    """What happens at a wall: "stochastic" draws a new velocity, "deterministic" reflects."""
    seeds: tuple[int, ...] = (1, 2, 3)
    """One training each."""
    jobs: int = 1
    """Trainings at a time, each in a process of its own."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1" or "mps"."""
    threads: int | None = None
    """CPU threads of each training; by default what PyTorch chooses."""
    results: Path | None = None
    """Also write the results there, as JSON."""


def run(args: Options) -> None:
    from srvp_lite.cli.common import save_results
    from srvp_lite.explore import ablation

    results = ablation.ablate(
        args.out, args.settings, args.variants, args.data, args.seeds, args.jobs, args.device, args.threads
    )
    print(ablation.table(results))
    if args.results is not None:
        save_results(args.results, results)
