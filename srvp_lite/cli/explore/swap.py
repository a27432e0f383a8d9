"""`srvp-lite explore swap`: one clip's looks on another's motion."""

from __future__ import annotations

from dataclasses import dataclass

from srvp_lite.cli.explore.common import Drawn, Loaded, needs_content, pick, print_table
from srvp_lite.config import MovingDigitsConfig


@dataclass
class Options:
    """Put the looks of some test clips on the motion of others and, where the truth is known (moving digits), measure
    how well that works.

    Example: srvp-lite explore swap lite-stochastic --contents 4 --motions 4 --out swap.gif
    """

    common: Drawn
    contents: int = 4
    """How many clips to take the looks from: the columns of the picture."""
    motions: int = 4
    """How many clips to take the motion from: the rows of the picture."""
    clip: int = 0
    """Number of the first test clip: the contents come first, the motions after them."""
    pairs: int = 200
    """Pairs of clips that the score is measured on. They share no digit, and are drawn from the seed."""


def run(args: Options, loaded: Loaded) -> dict:
    import torch

    from srvp_lite import explore
    from srvp_lite.data.open import moving_digits

    needs_content(loaded)
    if args.contents < 1 or args.motions < 1:
        raise ValueError(f"a grid needs a content and a motion at least, got {args.contents} and {args.motions}")
    clips = loaded.clips(args.common.n_clips)
    for number in (args.clip, args.clip + args.contents + args.motions - 1):
        pick(clips, number)
    contents, motions = clips[args.clip :][: args.contents + args.motions].split([args.contents, args.motions])
    if args.common.out is not None:
        grid = explore.swap_grid(loaded.model, contents, motions, generator=loaded.generator())
        top = torch.cat([torch.zeros_like(contents[:1]), contents])  # true clips above and at the left
        rows = [top, *(torch.cat([m[None], row]) for m, row in zip(motions, grid))]
        # A row of clips side by side is one wide clip.
        loaded.draw([torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)], [])
    if not isinstance(loaded.experiment.data, MovingDigitsConfig):
        print("What a perfect swap would show is known of moving digits only: no score for videos.")
        return {}
    data = {split: moving_digits(loaded.experiment.data, split, loaded.device) for split in ("train", "test")}
    classifier = explore.digit_classifier(data["train"])
    scores = explore.swap_score(
        loaded.model, data["test"], classifier, args.pairs, clips.shape[1], generator=loaded.generator()
    )

    def cell(v: dict[str, float]) -> str:
        return f"{v['mean']:.2f} +- {v['interval']:.2f}"

    print_table(("", *scores["swap"]), [(kind, *map(cell, row.values())) for kind, row in scores.items()])
    return {"pairs": args.pairs, "scores": scores}
