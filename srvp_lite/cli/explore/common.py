"""What the experiments share: options, the loaded model and its test clips, tables and pictures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from srvp_lite.cli.common import save_results
from srvp_lite.config import Experiment, MovingDigitsConfig
from srvp_lite.presets import paper_protocol

if TYPE_CHECKING:
    import torch

    from srvp_lite.data.moving_mnist import Clips
    from srvp_lite.model.srvp import SRVP


@dataclass
class Common:
    model: tyro.conf.Positional[str]
    """A run's folder, a .safetensors file, a shipped name, or a folder of the official release."""
    seed: int = 0
    """Seed of the noise (the test clips have a seed of their own)."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1" or "mps"."""
    root: str | None = None
    """Folder of the data; by default what the model was trained with, or the environment variable SRVP_DATA_DIR."""
    json: Path | None = None
    """Also write the numbers there, with all that is needed to repeat them."""


@dataclass
class Drawn(Common):
    n_clips: int = 100
    """Test clips. Clips are numbered among them from 0, and what is measured on test clips is measured on all of them:
    fewer take less time and memory."""
    out: Path | None = None
    """Draw it there: .gif or .webp (playing), .png (a strip), or .mp4 where imageio is installed."""
    scale: int = 4
    """Screen pixels per frame pixel."""


@dataclass
class Loaded:
    """A model, what it was trained for, and its test clips."""

    model: SRVP
    experiment: Experiment
    device: torch.device
    common: Common

    def clips(self, n: int, n_frames: int | None = None) -> torch.Tensor:
        """The first n test clips, (n, T, C, H, W) in [0, 1], as long as in the model's tests unless told otherwise."""
        from srvp_lite.data.open import test_clips

        n_frames = n_frames or self.experiment.train.n_frames_test
        return test_clips(self.experiment.data, n, n_frames).to(self.device).float() / 255

    def truth(self, n: int, n_frames: int) -> Clips | None:
        """The same clips with the truth behind them; None for videos and for the official test set, which have none."""
        import torch

        from srvp_lite.data.open import moving_digits

        data = self.experiment.data
        if not isinstance(data, MovingDigitsConfig) or paper_protocol(data) is not None:
            return None
        generator = torch.Generator(self.device).manual_seed(42)
        return moving_digits(data, "test", self.device).sample_with_truth(n, n_frames, generator)

    def generator(self) -> torch.Generator:
        """The noise, from its beginning."""
        import torch

        return torch.Generator(self.device).manual_seed(self.common.seed)

    def draw(self, rows: list[torch.Tensor], labels: list[str], fps: float = 5) -> None:
        """Clips (T, C, H, W) in [0, 1], drawn where --out says; nothing without it."""
        from srvp_lite import plot

        if isinstance(self.common, Drawn) and self.common.out is not None:
            plot.save(rows, self.common.out, labels=labels, scale=self.common.scale, fps=fps)
            print(f"Drawn in {self.common.out}")

    def save(self, numbers: dict, seconds: float) -> None:
        """Writes an experiment's numbers where --json says, with how they were made in so many seconds; nothing
        without it."""
        from srvp_lite.checkpoint import model_sha256
        from srvp_lite.utils.provenance import made_by

        if self.common.json is None:
            return
        made = {**made_by(self.device, seconds), "model_sha256": model_sha256(self.common.model)}
        save_results(self.common.json, {"made": made, "seed": self.common.seed, **numbers})


def load(common: Common) -> Loaded:
    """The model that was asked for. ValueError for a rival, and for a picture that could not be written."""
    from srvp_lite import checkpoint, plot
    from srvp_lite.model.srvp import SRVP
    from srvp_lite.utils.device import choose_device

    device = choose_device(common.device)
    model = checkpoint.load(common.model, device)
    if not isinstance(model, SRVP):
        raise ValueError(f"{common.model} is a rival without y and w: what is explored here needs an SRVP model")
    if isinstance(common, Drawn) and common.out is not None:  # before the work, not after
        known = plot.ANIMATED + plot.STILL + plot.VIDEO
        if common.out.suffix.lower() not in known:
            raise ValueError(f"pictures end in {', '.join(known)}; {str(common.out)!r} does not")
    experiment = checkpoint.load_experiment(common.model)
    if common.root is not None:
        experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, root=common.root))
    return Loaded(model, experiment, device, common)


def pick(clips: torch.Tensor, number: int) -> torch.Tensor:
    """One clip as a batch of one; ValueError for a number that does not exist."""
    if not 0 <= number < len(clips):
        raise ValueError(
            f"there are {len(clips)} test clips, counted from 0, number {number} was asked for; see --n-clips"
        )
    return clips[number : number + 1]


def needs_content(loaded: Loaded) -> None:
    """ValueError for a model without w."""
    if not loaded.model.config.use_w:
        raise ValueError("this model was made without w, so it has no content to swap; take one with use_w")


def print_table(head: tuple[str, ...], rows: list[tuple[str | float, ...]]) -> None:
    """Columns of equal width, the first one to the left, numbers with three digits."""
    lines = [head, *(tuple(c if isinstance(c, str) else f"{c:.3f}" for c in row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))))
