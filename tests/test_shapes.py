"""The shapes in the signatures are true: the package's other tests run once more with every call checked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ["test_gaussian", "test_elbo", "test_model", "test_parity", "test_moving_mnist", "test_metrics", "test_plot",
           "test_evaluate", "test_ode", "test_video", "test_svg", "test_variants", "test_explore_content",
           "test_explore_frame_rate", "test_explore_latents", "test_explore_readout",
           "test_explore_uncertainty"]  # fmt: skip


@pytest.mark.skipif("SRVP_CHECK_SHAPES" in os.environ, reason="this is the checked run")
def test_signatures_hold():
    here = Path(__file__).parent
    files = [str(here / f"{name}.py") for name in MODULES]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not bad_input", *files]
    done = subprocess.run(
        command, env={**os.environ, "SRVP_CHECK_SHAPES": "1"}, capture_output=True, text=True, cwd=here.parent
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


def test_a_wrong_shape_is_caught():
    """The check itself can fail."""
    code = (
        "import shapes; shapes.install(); import torch, srvp_lite.model.content as c;"
        "c.Content(3, 4)(torch.zeros(2, 5, 3)); c.Content(3, 4).forward(torch.zeros(2, 3))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 1 and "TypeCheckError" in done.stderr
