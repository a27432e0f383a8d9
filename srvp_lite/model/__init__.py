"""The model, part by part, in the order in which the chapters build them.

Chapter 2: `gaussian`, `mlp`, `convnets`, `elbo`. Chapter 3: `dynamics`. Chapter 4: `ode`. Chapter 5: `inference`.
Chapter 6: `content`, and `srvp`, which wires them all. Chapter 8: `fused`, the networks fused for prediction.
Chapter 9: `ablations`, parts that stand in for others, and the rival `svg`. `clips`: what all models share. `build`:
from a configuration to its model.
"""

from srvp_lite.model.build import build_model
from srvp_lite.model.clips import VideoModel
from srvp_lite.model.dynamics import Transition
from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.srvp import SRVP, Inferred, Output
from srvp_lite.model.svg import SVG

__all__ = ["SRVP", "SVG", "Gaussian", "Inferred", "Output", "Transition", "VideoModel", "build_model"]
