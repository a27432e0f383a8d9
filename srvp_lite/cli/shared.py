"""What several commands need: test clips, presets as subcommands, results written as JSON."""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated, Union

import torch
import tyro

from srvp_lite import files
from srvp_lite.config import PRESET_HELP, PRESETS, DataConfig, Experiment, VideoConfig


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


def write_json(path: Path, content: dict) -> None:
    files.write_json(path, content)
    print(f"Written to {path}")


def presets(command: type) -> object:
    """The subcommands, one a preset, that a command takes its numbers from."""
    choices = []
    for name, experiment in PRESETS.items():
        fitted = of_kind(command, experiment)
        default = fitted(of_kind(Experiment, experiment)(**vars(experiment)), **required(command))
        choices.append(Annotated[fitted, tyro.conf.subcommand(name, default=default, description=PRESET_HELP[name])])
    return Union[tuple(choices)]  # noqa: UP007 - a tuple of types cannot be joined with |


@functools.cache
def of_kind(cls: type, experiment: Experiment) -> type:
    """The class with fields as narrow as the experiment's: its kind of model, of data. Help then has a heading for
    each, which tyro does not give to what may be one of two."""
    narrow = {
        "model": type(experiment.model),
        "data": type(experiment.data),
        "experiment": Experiment if cls is Experiment else of_kind(Experiment, experiment),
    }
    fields = [(f.name, narrow[f.name]) for f in dataclasses.fields(cls) if f.name in narrow]
    made = dataclasses.make_dataclass(cls.__name__, fields, bases=(cls,), frozen=cls is Experiment)
    made.__doc__ = cls.__doc__
    return made


def experiment_of(args: object) -> Experiment:
    """A plain one again: the classes made for the help are known to no other process."""
    return Experiment(**vars(args.experiment))


def required(command: type) -> dict:
    """Fields beside the experiment that have no default: tyro asks for them."""
    fields = [f for f in dataclasses.fields(command) if f.default is dataclasses.MISSING and f.name != "experiment"]
    return {f.name: tyro.MISSING for f in fields}
