"""What several commands need: test clips, presets as subcommands, results written as JSON."""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated, Union

import tyro

from srvp_lite.config import Experiment
from srvp_lite.presets import PRESET_HELP, PRESETS
from srvp_lite.utils import files


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
