"""What the experiments of `srvp-lite explore` do: load, call `srvp_lite.explore`, print, draw, write."""

import dataclasses
import time
from dataclasses import dataclass

import torch

from srvp_lite import checkpoint, explore, plot
from srvp_lite.cli.common import write_json
from srvp_lite.config import Experiment, MovingDigitsConfig
from srvp_lite.data.moving_mnist import Clips
from srvp_lite.data.open import moving_digits, test_clips
from srvp_lite.model.srvp import SRVP
from srvp_lite.presets import paper_dataset
from srvp_lite.utils import files
from srvp_lite.utils.device import choose_device
from srvp_lite.utils.provenance import made_by


@dataclass
class Loaded:
    """A model, what it was trained for, and its test clips."""

    model: SRVP
    experiment: Experiment
    device: torch.device

    def clips(self, n: int, n_frames: int | None = None) -> torch.Tensor:
        """The first n test clips, (n, T, C, H, W) in [0, 1], as long as in the model's tests unless told otherwise."""
        n_frames = n_frames or self.experiment.train.n_frames_test
        return test_clips(self.experiment.data, n, n_frames).to(self.device).float() / 255

    def truth(self, n: int, n_frames: int) -> Clips | None:
        """The same clips with the truth behind them; None for videos and for the official test set, which have none."""
        data = self.experiment.data
        if not isinstance(data, MovingDigitsConfig) or paper_dataset(data) is not None:
            return None
        generator = torch.Generator(self.device).manual_seed(42)
        return moving_digits(data, "test", self.device).sample_with_truth(n, n_frames, generator)


def run(name: str, args) -> None:
    common, start = args.common, time.perf_counter()
    device = choose_device(common.device)
    model = checkpoint.load(common.model, device)
    if not isinstance(model, SRVP):
        raise ValueError(f"{common.model} is a rival without y and w: what is explored here needs an SRVP model")
    out = getattr(common, "out", None)
    if out is not None and out.suffix.lower() not in (known := plot.ANIMATED + plot.STILL + plot.VIDEO):
        raise ValueError(f"pictures end in {', '.join(known)}; {str(out)!r} does not")  # before the work, not after
    experiment = checkpoint.load_experiment(common.model)
    if common.root is not None:
        experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, root=common.root))
    numbers = EXPERIMENTS[name](Loaded(model, experiment, device), args)
    if common.json is not None:
        made = made_by(device, time.perf_counter() - start)
        made["model_sha256"] = files.sha256(checkpoint.find(common.model))
        write_json(common.json, {"made": made, "seed": common.seed, **numbers})


def pick(clips: torch.Tensor, number: int) -> torch.Tensor:
    """One clip as a batch of one; ValueError for a number that does not exist."""
    if not 0 <= number < len(clips):
        raise ValueError(
            f"there are {len(clips)} test clips, counted from 0, number {number} was asked for; see --n-clips"
        )
    return clips[number : number + 1]


def draw(args, rows: list[torch.Tensor], labels: list[str], n_cond: int | None = None, fps: float = 5) -> None:
    if args.common.out is not None:
        plot.save(list(rows), args.common.out, n_cond=n_cond, labels=labels, scale=args.common.scale, fps=fps)
        print(f"Drawn in {args.common.out}")


def print_table(head: tuple[str, ...], rows: list[tuple]) -> None:
    lines = [head, *([c if isinstance(c, str) else f"{c:.3f}" for c in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))))


def rates(loaded: Loaded, args) -> dict:
    t = loaded.experiment.train
    n = args.n_frames or t.n_frames_test - t.n_cond
    x = pick(loaded.clips(args.common.n_clips, t.n_cond), args.clip)
    wanted = tuple(dict.fromkeys((*args.rates, 1)))  # rate 1 is compared with the model's own prediction
    shown = explore.at_rates(loaded.model, x, n, wanted, args.method, args.steps_per_frame, seed=args.common.seed)
    numbers = {}
    for rate in args.rates:
        frames = shown[rate][0]
        rough = explore.roughness(frames).item() if frames.shape[1] > 2 else None
        numbers[str(rate)] = {"frames": frames.shape[1], "roughness": rough}
    # The same futures by the model's own steps: what a finer method changes.
    own = loaded.model.predict(x, n, generator=torch.Generator(loaded.device).manual_seed(args.common.seed))
    agreement = explore.agreement(shown[1], own, 1, 1)[0, 0].tolist()
    print_table(("frames per interval", "frames", "roughness"),
                [(k, str(v["frames"]), "too few" if v["roughness"] is None else v["roughness"])
                 for k, v in numbers.items()])  # fmt: skip
    print(f"{args.method} against the model's own steps, at the frames of the data: {agreement[0]:.1f} dB at first, "
          f"{agreement[-1]:.1f} dB at last")  # fmt: skip
    # Every frame stays as long as its rate says, so that all rows take the same time.
    fastest = max(args.rates)
    rows = [shown[r][0, 0] for r in args.rates]
    if args.common.out is not None and args.common.out.suffix != ".png":
        rows = [row.repeat_interleave(max(1, round(fastest / r)), dim=0) for row, r in zip(rows, args.rates)]
    draw(args, rows, [f"x {r:g}" for r in args.rates], fps=5 * fastest)
    return {"method": args.method, "steps_per_frame": args.steps_per_frame, "rates": numbers, "agreement": agreement}


def needs_content(loaded: Loaded) -> None:
    if not loaded.model.config.use_w:
        raise ValueError("this model was made without w, so it has no content to swap; take one with use_w")


def swap(loaded: Loaded, args) -> dict:
    needs_content(loaded)
    if args.contents < 1 or args.motions < 1:
        raise ValueError(f"a grid needs a content and a motion at least, got {args.contents} and {args.motions}")
    clips = loaded.clips(args.common.n_clips)
    for number in (args.clip, args.clip + args.contents + args.motions - 1):
        pick(clips, number)
    contents, motions = clips[args.clip :][: args.contents + args.motions].split([args.contents, args.motions])
    if args.common.out is not None:
        generator = torch.Generator(loaded.device).manual_seed(args.common.seed)
        grid = explore.swap_grid(loaded.model, contents, motions, generator=generator)
        top = torch.cat([torch.zeros_like(contents[:1]), contents])  # true clips above and at the left
        rows = [top, *(torch.cat([m[None], row]) for m, row in zip(motions, grid))]
        # A row of clips side by side is one wide clip.
        draw(args, [torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)], [])
    if not isinstance(loaded.experiment.data, MovingDigitsConfig):
        print("What a perfect swap would show is known of moving digits only: no score for videos.")
        return {}
    data = {split: moving_digits(loaded.experiment.data, split, loaded.device) for split in ("train", "test")}
    classifier = explore.digit_classifier(data["train"])
    scores = explore.swap_score(
        loaded.model, data["test"], classifier, args.pairs, clips.shape[1], seed=args.common.seed
    )

    def cell(v: dict[str, float]) -> str:
        return f"{v['mean']:.2f} +- {v['interval']:.2f}"

    print_table(("", *scores["swap"]), [(kind, *map(cell, row.values())) for kind, row in scores.items()])
    return {"pairs": args.pairs, "scores": scores}


def interpolate(loaded: Loaded, args) -> dict:
    if args.what == "content":
        needs_content(loaded)
    clips = loaded.clips(args.common.n_clips)
    a, b = (pick(clips, number) for number in args.between)
    between = {"content": explore.interpolate_content, "motion": explore.interpolate_motion}[args.what]
    frames = between(loaded.model, a, b, args.n, torch.Generator(loaded.device).manual_seed(args.common.seed))[:, 0]
    changes = frames.diff(dim=0).square().mean(dim=(1, 2, 3, 4)).sqrt().tolist()
    print("change of a pixel from step to step (root mean square):", "  ".join(f"{c:.3f}" for c in changes))
    draw(args, list(frames), [f"{i / (args.n - 1):.2f}" for i in range(args.n)])
    return {"between": list(args.between), "what": args.what, "changes": changes}


def walk(loaded: Loaded, args) -> dict:
    clips = loaded.clips(args.common.n_clips)
    chosen = torch.cat([pick(clips, number) for number in args.clip])

    def generator():
        return torch.Generator(loaded.device).manual_seed(args.common.seed)

    found = explore.effects(loaded.model, clips, generator=generator())
    order = found["rms"].argsort(descending=True).tolist()
    names = ("std", "rms", "rows", "columns", "distance")
    print_table(("y", *names), [(str(i), *(found[n][i].item() for n in names)) for i in order])
    dimension = order[0] if args.dimension is None else args.dimension
    states = explore.motion_of(loaded.model, clips, generator=generator())
    frames = explore.walk(loaded.model, chosen, dimension, args.values, reference=states, generator=generator())
    draw(args, list(frames.transpose(0, 1)), [f"clip {number}" for number in args.clip])
    return {"dimension": dimension, "effects": {n: found[n].tolist() for n in names}}


def readouts(loaded: Loaded, args) -> dict:
    if not isinstance(loaded.experiment.data, MovingDigitsConfig):
        raise ValueError("what is to be read must be known, as it is of moving digits; videos have no such truth")
    train, test = (moving_digits(loaded.experiment.data, split, loaded.device) for split in ("train", "test"))
    t = loaded.experiment.train
    found = explore.disentangling(loaded.model, train, test, args.n_fit, args.n_new, t.n_frames, args.common.seed)
    columns = ("place", "velocity", "spread")

    def cell(v: dict[str, float]) -> str:
        return f"{v['value']:.2f} ({v['low']:.2f} to {v['high']:.2f})"

    print_table(("", *(f"{c}, R2" for c in columns), "digits right", "by chance"),
                [(name, *(cell(row[c]) for c in columns), cell(row["identity"]["right"]), row["identity"]["shuffled"])
                 for name, row in found.items()])  # fmt: skip
    return {"n_fit": args.n_fit, "n_new": args.n_new, "readouts": found}


def uncertainty(loaded: Loaded, args) -> dict:
    if args.samples < 4:
        raise ValueError(f"to judge the spread of samples takes 4 of them at least, got --samples {args.samples}")
    t = loaded.experiment.train
    n = args.n_frames or t.n_frames_test - t.n_cond
    clips = loaded.clips(args.common.n_clips, t.n_cond + n)
    drawn = pick(clips, args.clip)  # complain before the work
    given, truth = clips[:, : t.n_cond], clips[:, t.n_cond :]
    generator = torch.Generator(loaded.device).manual_seed(args.common.seed)
    futures = loaded.model.predict(given, n, args.samples, generator=generator)
    spread = explore.disagreement(futures).mean(dim=0).sqrt().tolist()
    print("standard deviation of a pixel over the futures, frame by frame:", "  ".join(f"{s:.3f}" for s in spread))
    numbers = {"samples": args.samples, "spread": spread}
    if (with_truth := loaded.truth(len(clips), clips.shape[1])) is not None:
        kl = explore.kl_per_step(loaded.model, clips, generator)
        auc = explore.surprise_auc(kl, with_truth.bounces, lag=1, generator=torch.Generator().manual_seed(0))
        print("the KL of a step tells bounces from calm: area under the ROC curve "
              f"{auc['value']:.2f} ({auc['low']:.2f} to {auc['high']:.2f}), chance is 0.5")  # fmt: skip
        numbers["auc"] = auc
    table = {name: values.tolist() for name, values in explore.reliability(futures, truth, args.bins).items()}
    bins = zip(table["count"], table["predicted"], table["observed"])
    print_table(("pixels", "predicted std", "observed error"), [(f"{n:,}", p**0.5, o**0.5) for n, p, o in bins])
    variance = explore.variance_map(futures[:, args.clip : args.clip + 1])[0, :, None]
    rows = {"truth": drawn[0, t.n_cond :], "mean": futures[:, args.clip].mean(dim=0),
            "variance": variance / variance.amax().clamp(min=1e-9)}  # fmt: skip
    rows |= {f"future {i + 1}": futures[i, args.clip] for i in range(min(args.shown, args.samples))}
    draw(args, [row.expand(-1, drawn.shape[2], -1, -1) for row in rows.values()], list(rows))
    return numbers | {"reliability": table}


EXPERIMENTS = {
    "rates": rates, "swap": swap, "interpolate": interpolate, "walk": walk, "readouts": readouts,
    "uncertainty": uncertainty,
}  # fmt: skip
