"""From a configuration to its model: the one list of the kinds of models that there are."""

from __future__ import annotations

from srvp_lite.config import ModelConfig, SRVPConfig, SVGConfig
from srvp_lite.model.clips import VideoModel
from srvp_lite.model.srvp import SRVP
from srvp_lite.model.svg import SVG

MODELS: dict[type[ModelConfig], type[VideoModel]] = {SRVPConfig: SRVP, SVGConfig: SVG}
"""By the class of the configuration, whose `kind` is the name that files know."""


def build_model(config: ModelConfig) -> VideoModel:
    """A new model, with initial weights from torch's global generator."""
    return MODELS[type(config)](config)
