"""`srvp-lite predict`: futures of one clip, as a picture or a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    import torch

    from srvp_lite.model.clips import VideoModel


@dataclass
class Options:
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
    """"auto", "cpu", "cuda", "cuda:1" or "mps"."""


def run(args: Options) -> None:
    import torch

    from srvp_lite import checkpoint, plot
    from srvp_lite.data.open import test_clips
    from srvp_lite.model.clips import prediction_options
    from srvp_lite.utils.device import choose_device

    device = choose_device(args.device)
    model = checkpoint.load(args.model, device)
    experiment = checkpoint.load_experiment(args.model)
    n_cond, what = experiment.train.n_cond, f"test clip {args.clip}"
    if args.video is not None:
        clip, what = own_clip(args.video, args, model, n_cond), args.video.name
    else:
        clips = test_clips(experiment.data, args.clip + 1, n_cond + args.n_frames)
        if len(clips) <= args.clip:
            raise ValueError(f"there are {len(clips)} test clips, number {args.clip} was asked for; they count from 0")
        clip = clips[args.clip : args.clip + 1].float() / 255
    r = args.frame_rate
    options = prediction_options(model, steps_per_frame=args.steps_per_frame, frame_rate=None if r == 1 else r)
    noise = torch.Generator(device).manual_seed(args.seed)
    futures = model.predict(clip[:, :n_cond].to(device), args.n_frames, args.samples, generator=noise, **options)
    # At a higher frame rate, the true frames stand still while the predicted ones move on.
    truth = clip[0].repeat_interleave(r, dim=0)
    given = truth[: n_cond * r]
    rows = [torch.cat([given, future[0].cpu()]) for future in futures]
    labels = [f"future {i + 1}" for i in range(args.samples)]
    if len(truth) == len(rows[0]):  # a video may end before the prediction does
        rows, labels = [truth, *rows], ["truth", *labels]
    plot.save(rows, args.out, n_cond=n_cond * r, labels=labels, scale=args.scale, fps=5 * r)
    print(f"{args.samples} futures of {what} written to {args.out}")


def own_clip(video: Path, args: Options, model: VideoModel, n_cond: int) -> torch.Tensor:
    """The frames of a reader's video from `start` on, (1, T, C, H, W) in [0, 1]: those given and, if it is long enough,
    those to be predicted."""
    import torch

    from srvp_lite.data.video_files import read_video, square

    size, grey = model.config.nx, model.config.nc == 1
    last = args.start + args.every * (n_cond + args.n_frames - 1)
    small = read_video(video, prepare=lambda frame: square(frame, size, grey), at_most=last + 1)
    frames = small[args.start :: args.every]
    if len(frames) < n_cond:
        raise ValueError(
            f"{video} has {len(frames)} frames from number {args.start} on, one in {args.every}; the model needs "
            f"{n_cond} to begin with"
        )
    return torch.from_numpy(frames.copy()).movedim(-1, 1)[None].float() / 255
