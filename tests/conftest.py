import os
import sys
from pathlib import Path

import jaxtyping
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def unchecked_on_bad_input(request):
    """Lets a test marked `bad_input` see what a function itself says of a wrong type or shape."""
    if request.node.get_closest_marker("bad_input") is None:
        yield
    else:
        jaxtyping.config.update("jaxtyping_disable", True)
        yield
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with MNIST's files, where the environment variable SRVP_DATA_DIR names one; else a visible skip."""
    from srvp_lite.data.digits import find_mnist

    folder = os.environ.get("SRVP_DATA_DIR") or ROOT / "downloads"
    try:
        find_mnist(folder)
    except FileNotFoundError:
        pytest.skip("MNIST's files are not here: set SRVP_DATA_DIR to their folder")
    return folder


@pytest.fixture(scope="session")
def shim_torchvision():
    """Lets torchvision's CUDA wheel be imported beside a CPU build of torch, where two of its operators are missing."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "does not exist" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        import torchvision  # noqa: F401

        return library
