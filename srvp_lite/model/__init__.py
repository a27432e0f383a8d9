"""The model, part by part, in the order in which the chapters build them.

Chapter 2: `gaussian`, `mlp`, `convnets`, `elbo`. Chapter 3: `dynamics`. Chapter 4: `ode`. Chapter 5: `inference`.
Chapter 6: `content`, and `srvp`, which wires them all. Chapter 8: `fused`, the networks rearranged for prediction.
Chapter 9: `ablations`, parts that stand in for others, and the rival `svg`. `clips`: what a model accepts. `build`:
from a configuration to its model.
"""

from srvp_lite.model.build import VideoModel, build
from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.srvp import SRVP, Output
from srvp_lite.model.svg import SVG

__all__ = ["SRVP", "SVG", "Gaussian", "Output", "VideoModel", "build"]
