"""`srvp-lite prepare`: the store of a data set."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass
class Options:
    """Make the store of a data set: fetch it where its licence and its host allow, decode, split, draw the test clips.
    Stop it and run it again as you like.

    Example: srvp-lite prepare kth --root data
    Example: srvp-lite prepare folder --videos my_videos --name mine --grey
    """

    dataset: tyro.conf.Positional[str]
    """One of the paper's ("kth", "human36m", "bair", "mmnist"), or "folder": your own videos."""
    root: str | None = None
    """Folder of the stores; by default the one named by the environment variable SRVP_DATA_DIR, or downloads."""
    videos: Path | None = None
    """For "folder": where your videos are, in files of any common kind."""
    name: str = "mine"
    """For "folder": the name of the store."""
    size: int = 64
    """For "folder": height and width of the frames."""
    grey: bool = False
    """For "folder": one channel instead of three."""
    n_frames: int = 40
    """For "folder": frames of a test clip."""


def run(args: Options) -> None:
    from srvp_lite.data import prepare as preparation

    if args.dataset in preparation.DATASETS:
        folder = preparation.DATASETS[args.dataset](args.root)
    elif args.dataset != "folder":
        known = ", ".join((*preparation.DATASETS, "folder"))
        raise ValueError(f"unknown data set {args.dataset!r}; there are {known}")
    elif args.videos is None:
        raise ValueError("say where your videos are: srvp-lite prepare folder --videos FOLDER --name NAME")
    else:
        folder = preparation.prepare_own_videos(args.videos, args.name, args.root, args.size, args.grey, args.n_frames)
    print(f"Ready in {folder}")
