import json
import os
import sys
from collections import Counter
from pathlib import Path

import jaxtyping
import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    """What takes long starts first, so that no process is left with it in the end: chapters by what they cost, then the
    files of many slow tests. Whatever a browser looks at is slow."""
    costs = json.loads((ROOT / "data" / "results" / "chapter_costs.json").read_text())
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))

    def place(item):
        return -costs.get(item.path.stem, {"fast": {"seconds": 0}})["fast"]["seconds"], -slow[item.path]

    items.sort(key=place)  # a stable sort: what is of one file stays together, in order


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


@pytest.fixture(scope="session")
def untrained_run(tmp_path_factory):
    """A run's folder with an untrained model of the data of the preset lite; tests may read it, not write into it."""
    import dataclasses

    import torch
    from small import SMALL

    from srvp_lite import checkpoint
    from srvp_lite.model.srvp import SRVP
    from srvp_lite.presets import preset

    out = tmp_path_factory.mktemp("run")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SRVP(SMALL)
    experiment = dataclasses.replace(preset("lite"), model=SMALL)
    checkpoint.save(model, out / "best.safetensors", experiment=experiment.to_dict(), step=0, val_psnr=0.0)
    return out
