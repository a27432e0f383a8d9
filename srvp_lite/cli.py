"""The command `srvp-lite`: train, bench, evaluate, table, predict, prepare, export, models. Nothing imports it.

The options come from the dataclasses of `config.py` through tyro, so their docstrings are the help.
"""

import dataclasses
import io
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Union

import torch
import tyro

import srvp_lite
from srvp_lite import checkpoint, files
from srvp_lite.config import PRESET_HELP, PRESETS, DataConfig, Experiment, VideoConfig


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
    """"auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1"."""
    threads: int | None = None
    """CPU threads; by default what PyTorch chooses."""


def train(args: Train) -> None:
    from srvp_lite.train import train as run

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    run(args.experiment, args.out, "auto" if args.auto_resume else args.resume, args.device)


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
    """"auto", "cpu", "cuda" or "cuda:1"."""
    threads: int | None = None
    """CPU threads; by default what PyTorch chooses."""
    out: Path | None = None
    """Also write the results there, as JSON."""


def bench(args: Bench) -> None:
    from srvp_lite import bench as benchmark
    from srvp_lite.provenance import device_name, made_by
    from srvp_lite.train import choose_device

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    start = time.perf_counter()
    print(f"{device_name(device)}, PyTorch {torch.__version__}, srvp-lite {srvp_lite.__version__}")
    variants = None if args.variants is None else list(args.variants)
    results = benchmark.bench(
        args.experiment, device, args.rounds, args.steps_per_round, variants, args.against, args.evaluation,
        say=lambda line: print(line, "...", file=sys.stderr),
    )  # fmt: skip
    print(benchmark.table(results))
    if args.out is not None:
        write_json(args.out, {"made": made_by(device, time.perf_counter() - start), **results})


def write_json(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=1)
    files.write_atomically(path, lambda tmp: Path(tmp).write_text(text))
    print(f"Written to {path}")


@dataclass
class Evaluate:
    """Score a model on the test clips of its data set, as the paper does, and compare with simple baselines.

    Example: srvp-lite evaluate lite-stochastic --samples 100 --out results.json
    Example: srvp-lite evaluate runs/smmnist --protocol paper --out results.json
    """

    model: tyro.conf.Positional[str]
    """A run's folder, a .safetensors file, a shipped name, or a folder of the official release."""
    protocol: Literal["paper"] | None = None
    """"paper": the paper's frames, samples and clips for the model's data set, LPIPS and FVD included where it has
    them; options below still count."""
    samples: int | None = None
    """Futures drawn per clip; the best one counts. 100 by default."""
    clips: int | None = None
    """Test clips; moving digits only have as many as you like, the official test set has 5,000. 500 by default."""
    n_frames: int | None = None
    """Frames of a clip, conditioning frames included; by default what the model was validated with."""
    steps_per_frame: int | None = None
    """Euler steps per frame interval; by default the model's own."""
    precision: Literal["float32", "bf16"] = "float32"
    """What the networks compute in; bf16 is faster where the device knows it, and changes scores in the last digits."""
    seed: int = 42
    """Seed of the noise (the test clips have a seed of their own)."""
    lpips: bool = False
    """Also score LPIPS; needs AlexNet's weights, fetched at first use."""
    fvd: bool = False
    """Also score FVD; needs I3D's weights, fetched at first use or named by --fvd-weights."""
    fvd_weights: Path | None = None
    """I3D as a TorchScript file."""
    only_pixels: bool = False
    """Leave LPIPS and FVD out of the paper's protocol."""
    root: str | None = None
    """Folder of the data; by default what the model was trained with, or the environment variable SRVP_DATA_DIR."""
    device: str = "auto"
    """"auto", "cpu", "cuda" or "cuda:1"."""
    out: Path | None = None
    """Also write the results there, as JSON with all that is needed to repeat them. Scores so far are kept beside it,
    so that the command can be stopped and run again."""
    pictures: Path | None = None
    """Also write best, worst and random samples of the first clips into this folder, as pictures and arrays."""


def evaluate(args: Evaluate) -> None:
    from srvp_lite import evaluate as evaluation
    from srvp_lite.config import PROTOCOLS, paper_dataset
    from srvp_lite.provenance import commit, device_name, made_by
    from srvp_lite.train import choose_device

    device = choose_device(args.device)
    model = checkpoint.load(args.model, device)
    experiment = checkpoint.experiment(args.model)
    data = experiment.data if args.root is None else dataclasses.replace(experiment.data, root=args.root)
    n_cond, n_frames, samples, n_clips, extra = experiment.train.n_cond, experiment.train.n_frames_test, 100, 500, False
    if args.protocol == "paper":
        name = paper_dataset(data)
        if name is None:
            raise ValueError("the paper has no protocol for this model's data; leave out --protocol")
        paper = PROTOCOLS[name]
        n_cond, n_frames, samples, n_clips, extra = (
            paper.n_cond, paper.n_frames, paper.n_samples, paper.n_clips, paper.perceptual,
        )  # fmt: skip
    n_frames, samples, n_clips = args.n_frames or n_frames, args.samples or samples, args.clips or n_clips
    options = {"steps_per_frame": args.steps_per_frame, "bf16": args.precision == "bf16"}
    for name, wanted, make in [("lpips", args.lpips, load_lpips), ("fvd", args.fvd, load_fvd)]:
        if wanted or (extra and not args.only_pixels):
            try:
                options[name] = make(device, args)
            except (ImportError, OSError, ValueError) as error:
                print(f"{name.upper()} is left out: {error}")
    clips = test_set(data, n_clips, n_frames)
    print(f"{args.model} on {device_name(device)}: {len(clips)} test clips, {n_cond} frames given")
    print(f"srvp-lite {srvp_lite.__version__}, commit {commit() or 'unknown'}")
    start = time.perf_counter()
    if args.out is not None:
        options["partial"] = args.out.with_name(args.out.name + ".partial")
    results = evaluation.evaluate(model, clips, n_cond, samples, args.seed, progress=True, **options)
    made = {
        **made_by(device, time.perf_counter() - start),
        "model_sha256": files.sha256(checkpoint.find(args.model)),
        "test_set_sha256": evaluation.digest([clips]),
        "frame_size": model.config.nx,
        "data": dataclasses.asdict(data),
    }
    print(evaluation.table(results))
    print(f"model sha256 {made['model_sha256'][:16]}, test set sha256 {made['test_set_sha256'][:16]}, "
          f"frames {model.config.nx}x{model.config.nx}")  # fmt: skip
    if args.pictures is not None:
        chosen = evaluation.best_worst_random(
            model, clips, n_cond, samples, args.seed, steps_per_frame=args.steps_per_frame
        )
        save_pictures(args.pictures, chosen, n_cond)
    if args.out is not None:
        write_json(args.out, {"made": made, **results})
        options["partial"].unlink(missing_ok=True)


def load_lpips(device: torch.device, args: Evaluate):
    from srvp_lite.metrics.perceptual import LPIPS

    return LPIPS(device)


def load_fvd(device: torch.device, args: Evaluate):
    from srvp_lite.metrics.fvd import FVD

    return FVD(device, args.fvd_weights)


def save_pictures(folder: Path, chosen: dict[str, torch.Tensor], n_cond: int) -> None:
    """One strip for each clip, a row for each kind of sample, and all of it as arrays."""
    import numpy as np

    from srvp_lite import plot

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(len(chosen["truth"])):
        rows = [clips[i].float() / 255 for clips in chosen.values()]
        plot.save(rows, folder / f"clip{i}.png", n_cond=n_cond, labels=list(chosen), scale=1)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: clips.numpy() for name, clips in chosen.items()})
    files.write_atomically(folder / "samples.npz", lambda tmp: Path(tmp).write_bytes(buffer.getbuffer()))
    print(f"Best, worst and random samples of {len(chosen['truth'])} clips written to {folder}")


@dataclass
class Predict:
    """Draw futures of a test clip, or of your own video, and write them as an animated picture, the true clip first.

    Example: srvp-lite predict lite-stochastic --samples 3 --frame-rate 4 --out future.gif
    Example: srvp-lite predict runs/kth --video my.mp4 --out future.mp4
    """

    model: tyro.conf.Positional[str]
    """A run's folder, a .safetensors file or a shipped name."""
    out: Path
    """The picture: .gif, .webp or .png (a strip), or .mp4 where imageio is installed."""
    clip: int = 0
    """Number of the test clip."""
    video: Path | None = None
    """Instead of a test clip: a video file. Its middle square is taken, at the model's size."""
    start: int = 0
    """With --video: the first conditioning frame."""
    every: int = 1
    """With --video: take one frame in so many."""
    samples: int = 3
    """How many futures."""
    n_frames: int = 15
    """How many frames to predict."""
    frame_rate: int = 1
    """Frames shown for each frame interval: 2 doubles the frame rate."""
    steps_per_frame: int | None = None
    """Euler steps per frame interval; by default the model's own."""
    seed: int = 0
    """Seed of the futures."""
    scale: int = 4
    """Screen pixels per frame pixel."""
    device: str = "auto"
    """"auto", "cpu", "cuda" or "cuda:1"."""


def predict(args: Predict) -> None:
    from srvp_lite import plot
    from srvp_lite.train import choose_device

    device = choose_device(args.device)
    model = checkpoint.load(args.model, device)
    experiment = checkpoint.experiment(args.model)
    n_cond, what = experiment.train.n_cond, f"test clip {args.clip}"
    if args.video is not None:
        clip, what = own_clip(args, model, n_cond), args.video.name
    else:
        clips = test_set(experiment.data, args.clip + 1, n_cond + args.n_frames)
        if len(clips) <= args.clip:
            raise ValueError(f"there are {len(clips)} test clips, number {args.clip} was asked for; they count from 0")
        clip = clips[args.clip : args.clip + 1].float() / 255
    futures = model.predict(
        clip[:, :n_cond].to(device), args.n_frames, args.samples, args.steps_per_frame, args.frame_rate,
        torch.Generator(device).manual_seed(args.seed),
    )  # fmt: skip
    # At a higher frame rate, the true frames stand still while the predicted ones move on.
    r = args.frame_rate
    truth = clip[0].repeat_interleave(r, dim=0)
    given = truth[: n_cond * r]
    rows = [torch.cat([given, future[0].cpu()]) for future in futures]
    labels = [f"future {i + 1}" for i in range(args.samples)]
    if len(truth) == len(rows[0]):  # a video may end before the prediction does
        rows, labels = [truth, *rows], ["truth", *labels]
    plot.save(rows, args.out, n_cond=n_cond * r, labels=labels, scale=args.scale, fps=5 * r)
    print(f"{args.samples} futures of {what} written to {args.out}")


def own_clip(args: Predict, model, n_cond: int) -> torch.Tensor:
    """The frames of a reader's video from `start` on, (1, T, C, H, W) in [0, 1]: those given and, if it is long enough,
    those to be predicted."""
    from srvp_lite.data.decode import read_video, square

    size, grey = model.config.nx, model.config.nc == 1
    last = args.start + args.every * (n_cond + args.n_frames - 1)
    small = read_video(args.video, prepare=lambda frame: square(frame, size, grey), at_most=last + 1)
    frames = small[args.start :: args.every]
    if len(frames) < n_cond:
        raise ValueError(
            f"{args.video} has {len(frames)} frames from number {args.start} on, one in {args.every}; the model needs "
            f"{n_cond} to begin with"
        )
    return torch.from_numpy(frames.copy()).movedim(-1, 1)[None].float() / 255


@dataclass
class Table:
    """Print the paper's table of a data set, with results of yours below.

    Example: srvp-lite table smmnist runs/smmnist/results.json --format latex
    """

    dataset: tyro.conf.Positional[Literal["smmnist", "mmnist", "kth", "human36m", "bair"]]
    """The data set."""
    results: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Results files, as `srvp-lite evaluate --protocol paper --out` writes them; the row takes the file's name, or its
    folder's."""
    format: Literal["markdown", "html", "latex"] = "markdown"
    """How to write it."""


def table(args: Table) -> None:
    from srvp_lite.paper import comparison

    names = [path.parent.name if path.stem == "results" else path.stem for path in args.results]
    ours = {name: json.loads(path.read_text()) for name, path in zip(names, args.results)}
    print(comparison(args.dataset, ours, args.format))


@dataclass
class Prepare:
    """Make the store of a data set: fetch it where its licence and its host allow, decode, split, draw the test clips.
    Stop it and run it again as you like.

    Example: srvp-lite prepare kth --root data
    Example: srvp-lite prepare folder --videos my_videos --name mine --grey
    """

    dataset: tyro.conf.Positional[Literal["kth", "human36m", "bair", "mmnist", "folder"]]
    """One of the paper's, or "folder": your own videos."""
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


def prepare(args: Prepare) -> None:
    from srvp_lite.data import prepare as preparation

    if args.dataset != "folder":
        folder = preparation.DATASETS[args.dataset](args.root)
    elif args.videos is None:
        raise ValueError("say where your videos are: srvp-lite prepare folder --videos FOLDER --name NAME")
    else:
        folder = preparation.folder_of_videos(args.videos, args.name, args.root, args.size, args.grey, args.n_frames)
    print(f"Ready in {folder}")


@dataclass
class Export:
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


def export(args: Export) -> None:
    if args.layout == "official":
        from srvp_lite.official import save_official

        folder = save_official(checkpoint.load(args.run), args.out, checkpoint.experiment(args.run))
        print(f"Written to {folder}: config.json and model.pt")
        return
    model, header = checkpoint.load(args.run), checkpoint.read_header(checkpoint.find(args.run))
    first = checkpoint.save(
        model, args.out / "model.safetensors", half=True, max_bytes=int(args.max_megabytes * 1e6), **header["info"]
    )
    written = checkpoint.parts_of(first)
    for name in ("config.json", "log.jsonl", "results.json"):
        if (args.run / name).is_file():
            content = (args.run / name).read_bytes()
            files.write_atomically(args.out / name, lambda tmp, content=content: Path(tmp).write_bytes(content))
            written.append(args.out / name)
    for path in written:
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path}")


@dataclass
class Models:
    """List the models that come with the package."""


def models(args: Models) -> None:
    for name in checkpoint.shipped_names():
        header = checkpoint.read_header(checkpoint.find(name))
        info = header["info"]
        print(f"{name:<22} {info['step']:,} steps, validation PSNR {info['val_psnr']:.2f} dB")
    if not checkpoint.shipped_names():
        print("No model came with this installation.")


def test_set(data: DataConfig | VideoConfig, n_clips: int, n_frames: int) -> torch.Tensor:
    """Test clips (n_clips, n_frames, C, H, W), bytes: the official ones at the paper's sizes, else clips made with a
    fixed seed from held-out digits. There may be fewer than asked for."""
    from srvp_lite.config import paper_dataset
    from srvp_lite.data import moving_mnist
    from srvp_lite.data.video import open_videos
    from srvp_lite.train import moving_digits, open_data

    if isinstance(data, VideoConfig):
        return open_data(data, "test").first_frames(slice(n_clips), n_frames)
    if (name := paper_dataset(data)) is not None:
        try:  # made once and for all by `srvp-lite prepare mmnist`
            return open_videos(name, "test", data.root).first_frames(slice(n_clips), n_frames)
        except FileNotFoundError:
            clips = moving_mnist.official_test_set(data.root, deterministic=not data.stochastic)
        if n_frames > clips.shape[1]:
            raise ValueError(f"the official test clips have {clips.shape[1]} frames, {n_frames} were asked for")
        return torch.as_tensor(clips[:n_clips, :n_frames, None])
    return moving_digits(data, "test").sample_bytes(n_clips, n_frames, torch.Generator().manual_seed(42))


def presets(command: type) -> object:
    """The subcommands, one a preset, that a command takes its numbers from."""
    choices = [
        Annotated[
            command,
            tyro.conf.subcommand(
                name, default=command(PRESETS[name], **required(command)), description=PRESET_HELP[name]
            ),
        ]
        for name in PRESETS
    ]
    return Union[tuple(choices)]  # noqa: UP007 - a tuple of types cannot be joined with |


def required(command: type) -> dict:
    """Fields beside the experiment that have no default: tyro asks for them."""
    fields = [f for f in dataclasses.fields(command) if f.default is dataclasses.MISSING and f.name != "experiment"]
    return {f.name: tyro.MISSING for f in fields}


@dataclass
class TrainPreset:
    """Train a model. Start from a preset, change what you like; go on after an interruption with --resume.

    Example: srvp-lite train lite --out runs/lite
    """

    preset: presets(Train)
    """Where the numbers come from."""


@dataclass
class BenchPreset:
    """Measure how fast a training step is on this machine, how fast it could be, and where its time goes.

    Example: srvp-lite bench smmnist --batch-size 16
    """

    preset: presets(Bench)
    """Where the numbers come from."""


Command = Union[  # noqa: UP007
    Annotated[TrainPreset, tyro.conf.subcommand("train")],
    Annotated[BenchPreset, tyro.conf.subcommand("bench")],
    Annotated[Evaluate, tyro.conf.subcommand("evaluate")],
    Annotated[Predict, tyro.conf.subcommand("predict")],
    Annotated[Table, tyro.conf.subcommand("table")],
    Annotated[Prepare, tyro.conf.subcommand("prepare")],
    Annotated[Export, tyro.conf.subcommand("export")],
    Annotated[Models, tyro.conf.subcommand("models")],
]


def main(argv: list[str] | None = None) -> None:
    """Entry point of the command `srvp-lite`. Errors in what the user gave are printed without a traceback."""
    command = tyro.cli(
        Command,
        prog="srvp-lite",
        description="Stochastic latent residual video prediction: train, measure, evaluate, predict.",
        args=argv,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.AvoidSubcommands),
    )
    try:
        match command:
            case TrainPreset():
                train(command.preset)
            case BenchPreset():
                bench(command.preset)
            case Evaluate():
                evaluate(command)
            case Predict():
                predict(command)
            case Table():
                table(command)
            case Prepare():
                prepare(command)
            case Export():
                export(command)
            case Models():
                models(command)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f"srvp-lite: {error}")


if __name__ == "__main__":
    main()
