"""`srvp-lite export`: what is worth keeping of a run, in small files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass
class Options:
    """Put what is worth keeping of a run into one folder of small files: weights in 16 bits, its log, its results.

    Example: srvp-lite export runs/speedrun --out data/speedrun
    """

    run: tyro.conf.Positional[Path]
    """A run's folder."""
    out: Path
    """The folder to write."""
    max_megabytes: float = 15.0
    """Largest size of a file; weights that need more are spread over several."""
    layout: Literal["srvp-lite", "official"] = "srvp-lite"
    """"official" writes config.json and model.pt, in 32 bits, as the authors' scripts read them."""


def run(args: Options) -> None:
    from srvp_lite import checkpoint
    from srvp_lite.checkpoint.weights import parts_of
    from srvp_lite.utils.files import write_bytes

    if args.layout == "official":
        folder = checkpoint.save_official(checkpoint.load(args.run), args.out, checkpoint.load_experiment(args.run))
        print(f"Written to {folder}: config.json and model.pt")
        return
    model, header = checkpoint.load(args.run), checkpoint.read_header(checkpoint.find(args.run))
    first = checkpoint.save(
        model, args.out / "model.safetensors", half=True, max_bytes=int(args.max_megabytes * 1e6), **header["info"]
    )
    written = parts_of(first)
    for name in ("config.json", "log.jsonl", "results.json"):
        if (args.run / name).is_file():
            content = (args.run / name).read_bytes()
            write_bytes(args.out / name, content)
            written.append(args.out / name)
    for path in written:
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path}")
