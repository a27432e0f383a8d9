"""`srvp-lite explore rates`: one future at several frame rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from srvp_lite.cli.explore.common import Drawn, Loaded, pick, print_table


@dataclass
class Options:
    """Show one future at several frame rates, and how smooth each is. The picture plays all at one speed.

    Example: srvp-lite explore rates lite-stochastic --rates 1 2 4 --out rates.gif
    """

    common: Drawn
    clip: int = 0
    """Number of the test clip."""
    rates: tuple[float, ...] = (0.5, 1, 2, 4, 8)
    """Frames shown for each frame interval of the data."""
    method: Literal["euler", "midpoint", "rk4", "dopri5"] = "euler"
    """How the state is carried from frame to frame."""
    steps_per_frame: int | None = None
    """Steps per frame interval; by default the model's own. dopri5 chooses its steps itself."""
    n_frames: int | None = None
    """Frame intervals to predict; by default as many as the model was validated with."""


def run(args: Options, loaded: Loaded) -> dict:
    from srvp_lite import explore

    t = loaded.experiment.train
    n = args.n_frames or t.n_frames_test - t.n_cond
    x = pick(loaded.clips(args.common.n_clips, t.n_cond), args.clip)
    wanted = tuple(dict.fromkeys((*args.rates, 1)))  # rate 1 is compared with the model's own prediction
    shown = explore.at_rates(
        loaded.model, x, n, wanted, args.method, args.steps_per_frame, generator=loaded.generator()
    )
    numbers = {}
    for rate in args.rates:
        frames = shown[rate][0]
        rough = explore.roughness(frames).item() if frames.shape[1] > 2 else None
        numbers[str(rate)] = {"frames": frames.shape[1], "roughness": rough}
    # The same futures by the model's own steps: what a finer method changes.
    own = loaded.model.predict(x, n, generator=loaded.generator())
    agreement = explore.agreement(shown[1], own, 1, 1)[0, 0].tolist()
    print_table(
        ("frames per interval", "frames", "roughness"),
        [(k, str(v["frames"]), "too few" if v["roughness"] is None else v["roughness"]) for k, v in numbers.items()],
    )
    print(
        f"{args.method} against the model's own steps, at the frames of the data: {agreement[0]:.1f} dB at first, "
        f"{agreement[-1]:.1f} dB at last"
    )
    # Every frame stays as long as its rate says, so that all rows take the same time.
    fastest = max(args.rates)
    rows = [shown[r][0, 0] for r in args.rates]
    if args.common.out is not None and args.common.out.suffix != ".png":
        rows = [row.repeat_interleave(max(1, round(fastest / r)), dim=0) for row, r in zip(rows, args.rates)]
    loaded.draw(rows, [f"x {r:g}" for r in args.rates], fps=5 * fastest)
    return {"method": args.method, "steps_per_frame": args.steps_per_frame, "rates": numbers, "agreement": agreement}
