"""Holds the signatures true: every function of the package, checked at each call by jaxtyping and beartype.

The package imports jaxtyping under TYPE_CHECKING only, so that users need not install it. Here that flag is raised
while the package is imported, after everything that it imports has been. Used through SRVP_CHECK_SHAPES=1, see
`test_shapes.py`.
"""

import importlib
import pkgutil
import typing

import beartype
import numpy  # noqa: F401
import PIL.ImageDraw  # noqa: F401
import PIL.ImageFont  # noqa: F401
import safetensors.torch  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch.utils.tensorboard  # noqa: F401
import torchdiffeq  # noqa: F401
import tqdm.auto  # noqa: F401
import tyro  # noqa: F401
from jaxtyping import install_import_hook

# A whole number is a fine value for a float, as everywhere in Python.
typechecked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))


# Where tyro is told defaults that are not of the field's type. The walk must not even enter the package of the command:
# to walk through a package is to import it.
UNCHECKED = ("srvp_lite.__main__", "srvp_lite.cli")


def install() -> None:
    typing.TYPE_CHECKING = True
    with install_import_hook("srvp_lite", "shapes.typechecked"):
        import_all("srvp_lite")
    typing.TYPE_CHECKING = False


def import_all(name: str) -> None:
    """A package, and all that is below it."""
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(package.__path__, f"{name}."):
        if module.name in UNCHECKED:
            continue
        if module.ispkg:
            import_all(module.name)
        else:
            importlib.import_module(module.name)
