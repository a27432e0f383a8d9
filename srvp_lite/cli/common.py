"""What several commands need: reading the command line, presets as subcommands, results written as JSON."""

import dataclasses
import functools
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from srvp_lite.config import Experiment
from srvp_lite.presets import PRESETS


def parse(options: Any, prog: str, argv: Sequence[str], description: str | None = None) -> Any:
    """Reads a command line into `options`: a dataclass, or a `choice`. SystemExit for --help and for mistakes."""
    return tyro.cli(
        options,
        prog=prog,
        description=description,
        args=argv,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.AvoidSubcommands),
    )


def choice(package: str, names: Sequence[str]) -> Any:
    """The type of a choice between subcommands, each the `Options` of a module in `package`."""
    modules = [importlib.import_module(f"{package}.{name}") for name in names]
    choices = [Annotated[module.Options, tyro.conf.subcommand(name)] for name, module in zip(names, modules)]
    return Union[tuple(choices)]  # noqa: UP007 - a tuple of types cannot be joined with |


def module_of(options: Any) -> Any:
    """The module whose `Options` were chosen."""
    return sys.modules[type(options).__module__]


def save_results(path: Path, results: dict) -> None:
    """Writes results as JSON, whole or not at all, and says where."""
    from srvp_lite.utils.files import write_json

    write_json(path, results)
    print(f"Written to {path}")


def presets(command: type) -> Any:
    """The subcommands, one a preset, that a command takes its numbers from."""
    choices = []
    for name, row in PRESETS.items():
        experiment = row.experiment
        fitted = of_kind(command, experiment)
        default = fitted(of_kind(Experiment, experiment)(**vars(experiment)), **required(command))
        choices.append(Annotated[fitted, tyro.conf.subcommand(name, default=default, description=row.help)])
    return Union[tuple(choices)]  # noqa: UP007 - a tuple of types cannot be joined with |


@functools.cache
def of_kind(cls: type, experiment: Experiment) -> type:
    """The class with fields as narrow as the experiment's: its kind of model, of data.

    Without it, tyro gives no heading to what may be one of two. The help of `srvp-lite train lite` would be

        experiment options
          Sizes of the model. The defaults are those of Stochastic Moving MNIST.
          --nx INT          Height and width of a frame, in pixels. (default: 32)
          ...
          --digits {sklearn,mnist}
                            Where the digits come from: ...
        experiment.train options
          The loss, the schedule and the bookkeeping of a run.

    with the data's options among the "sizes of the model". With it, the model, the data and the training have a
    heading and a sentence each.
    """
    narrow = {
        "model": type(experiment.model),
        "data": type(experiment.data),
        "experiment": Experiment if cls is Experiment else of_kind(Experiment, experiment),
    }
    fields = [(f.name, narrow[f.name]) for f in dataclasses.fields(cls) if f.name in narrow]
    made = dataclasses.make_dataclass(cls.__name__, fields, bases=(cls,), frozen=cls is Experiment)
    made.__doc__ = cls.__doc__
    return made


def experiment_of(args: Any) -> Experiment:
    """A plain one again: the classes made for the help are known to no other process."""
    return Experiment(**vars(args.experiment))


def required(command: type) -> dict[str, Any]:
    """Fields beside the experiment that have no default: tyro asks for them."""
    fields = [f for f in dataclasses.fields(command) if f.default is dataclasses.MISSING and f.name != "experiment"]
    return {f.name: tyro.MISSING for f in fields}
