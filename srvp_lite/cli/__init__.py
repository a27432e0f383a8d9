"""The command `srvp-lite`. Each of its commands is a module with `Options`, whose docstrings are its help, and `run`.

A new command needs such a module and its name in `COMMANDS`.
"""

import importlib
import sys
from typing import Annotated, Union

import tyro

__all__ = ["COMMANDS", "main"]

COMMANDS = (  # in the order of the help
    "train",
    "bench",
    "evaluate",
    "ablate",
    "predict",
    "explore",
    "table",
    "prepare",
    "export",
    "models",
)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the command `srvp-lite`. Errors in what the user gave are printed without a traceback."""
    modules = {name: importlib.import_module(f"srvp_lite.cli.{name}") for name in COMMANDS}
    choices = [Annotated[module.Options, tyro.conf.subcommand(name)] for name, module in modules.items()]
    options = tyro.cli(
        Union[tuple(choices)],  # noqa: UP007 - a tuple of types cannot be joined with |
        prog="srvp-lite",
        description="Stochastic latent residual video prediction: train, measure, evaluate, predict.",
        args=argv,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.AvoidSubcommands),
    )
    (run,) = (module.run for module in modules.values() if isinstance(options, module.Options))
    try:
        run(options)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f"srvp-lite: {error}")
