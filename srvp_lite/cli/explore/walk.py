"""`srvp-lite explore walk`: what each coordinate of the state does."""

from __future__ import annotations

from dataclasses import dataclass

from srvp_lite.cli.explore.common import Drawn, Loaded, pick, print_table


@dataclass
class Options:
    """Move one coordinate of the state y and see what it does; a table says what each of them does.

    Example: srvp-lite explore walk lite-stochastic --values -2 -1 0 1 2 --out walk.png
    """

    common: Drawn
    clip: tuple[int, ...] = (0, 1, 2)
    """Numbers of the test clips to draw, a row each. Their last frame is shown."""
    dimension: int | None = None
    """Which coordinate, counted from 0; by default the one that changes the frames most."""
    values: tuple[float, ...] = (-2, -1, 0, 1, 2)
    """Where to put it, in standard deviations from its mean."""


def run(args: Options, loaded: Loaded) -> dict:
    import torch

    from srvp_lite import explore

    clips = loaded.clips(args.common.n_clips)
    chosen = torch.cat([pick(clips, number) for number in args.clip])

    found = explore.effects(loaded.model, clips, generator=loaded.generator())
    order = found["rms"].argsort(descending=True).tolist()
    names = ("std", "rms", "rows", "columns", "distance")
    print_table(("y", *names), [(str(i), *(found[n][i].item() for n in names)) for i in order])
    dimension = order[0] if args.dimension is None else args.dimension
    states = explore.motion_of(loaded.model, clips, generator=loaded.generator())
    frames = explore.walk(loaded.model, chosen, dimension, args.values, reference=states, generator=loaded.generator())
    loaded.draw(list(frames.transpose(0, 1)), [f"clip {number}" for number in args.clip])
    return {"dimension": dimension, "effects": {n: found[n].tolist() for n in names}}
