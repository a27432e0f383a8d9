"""`srvp-lite explore interpolate`: in equal steps from one clip to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from srvp_lite.cli.explore.common import Drawn, Loaded, needs_content, pick


@dataclass
class Options:
    """Go in equal steps from one test clip to another, in what they show or in how they move.

    Example: srvp-lite explore interpolate lite-stochastic --between 0 5 --what motion --out between.gif
    """

    common: Drawn
    between: tuple[int, int] = (0, 1)
    """Numbers of the two test clips."""
    n: int = 7
    """How many steps, both ends included."""
    what: Literal["content", "motion"] = "content"
    """"content": w goes from one to the other on the motion of the first clip; "motion": y, with its looks."""


def run(args: Options, loaded: Loaded) -> dict:
    from srvp_lite import explore

    if args.what == "content":
        needs_content(loaded)
    clips = loaded.clips(args.common.n_clips)
    a, b = (pick(clips, number) for number in args.between)
    between = {"content": explore.interpolate_content, "motion": explore.interpolate_motion}[args.what]
    frames = between(loaded.model, a, b, args.n, loaded.generator())[:, 0]
    changes = frames.diff(dim=0).square().mean(dim=(1, 2, 3, 4)).sqrt().tolist()
    print("change of a pixel from step to step (root mean square):", "  ".join(f"{c:.3f}" for c in changes))
    loaded.draw(list(frames), [f"{i / (args.n - 1):.2f}" for i in range(args.n)])
    return {"between": list(args.between), "what": args.what, "changes": changes}
