"""From a configuration to its model. What training, checkpoints and evaluation ask of any model is written here once.

A model is called on clips, `model(x, generator)`, and gives what its loss needs; `model.loss(out, x, train_config)`
gives the loss and its named terms; `model.predict(x_cond, n_frames, n_samples, ...)` draws futures.
"""

from __future__ import annotations

from torch import nn

from srvp_lite.config import SRVPConfig, SVGConfig
from srvp_lite.model.srvp import SRVP
from srvp_lite.model.svg import SVG

VideoModel = SRVP | SVG
MODELS: dict[type, type[nn.Module]] = {SRVPConfig: SRVP, SVGConfig: SVG}


def build(config: SRVPConfig | SVGConfig) -> VideoModel:
    """A new model, with initial weights from torch's global generator."""
    return MODELS[type(config)](config)
