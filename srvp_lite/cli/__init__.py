"""The command `srvp-lite`. Each of its commands is a module with `Options`, whose docstrings are its help, and `run`.

`train`, `bench`: a run, and how fast it would be. `evaluate`, `ablate`, `table`: scores, and the paper's beside them.
`predict`, `explore`: pictures, the second with a file an experiment. `prepare`: data. `export`, `models`: what is kept
of a run, what comes with the package. `common`: what they share. `errors`: which errors are told in a sentence.

A new command needs such a module and its name in `COMMANDS`. So that help comes at once, these modules import nothing
but the standard library, tyro, `config` and `presets`; PyTorch and all that needs it are imported by `run`.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence

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


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the command `srvp-lite`; `argv` is what follows its name, by default what the shell gave.

    Leaves by SystemExit where something is amiss. Its code is 2 for a command line that cannot be read, 1 for what
    else the user can set right, told in one sentence, 130 after Ctrl-C and 141 where nobody reads the output any more.
    Faults of the package itself are raised as they are. With the environment variable SRVP_DEBUG=1 every error is.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's streams have no encoding to be too narrow
            stream.reconfigure(errors="replace")
    try:
        try:
            run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # a closed pipe is noticed here rather than when Python ends
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        from srvp_lite.cli.errors import sentence

        if os.environ.get("SRVP_DEBUG", "0") not in ("", "0"):
            raise
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to write goes nowhere
            sys.exit(141)
        if (said := sentence(error)) is None:
            raise
        sys.exit(f"srvp-lite: {said}")


def run(argv: Sequence[str]) -> None:
    """Reads the command line and does what it says. SystemExit, with help or the mistake printed, if it cannot be."""
    from srvp_lite.cli.common import choice, module_of, parse

    if argv and argv[0] in COMMANDS:  # the other nine are not even imported
        module = importlib.import_module(f"srvp_lite.cli.{argv[0]}")
        options = parse(module.Options, f"srvp-lite {argv[0]}", argv[1:])
    else:
        what = "Stochastic latent residual video prediction: train, measure, evaluate, predict."
        options = parse(choice("srvp_lite.cli", COMMANDS), "srvp-lite", argv, what)
    module_of(options).run(options)
