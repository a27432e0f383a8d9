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


def install() -> None:
    typing.TYPE_CHECKING = True
    with install_import_hook("srvp_lite", "shapes.typechecked"):
        package = importlib.import_module("srvp_lite")
        for module in pkgutil.walk_packages(package.__path__, "srvp_lite."):
            if module.name not in (
                "srvp_lite.__main__",
                "srvp_lite.cli",
            ):  # tyro's defaults are not of the field's type
                importlib.import_module(module.name)
    typing.TYPE_CHECKING = False
