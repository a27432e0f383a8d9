"""srvp_lite: stochastic latent residual video prediction, small enough to read and fast enough to train."""

__version__ = "0.1.0"

from srvp_lite.checkpoint import experiment, load, results, save
from srvp_lite.config import Experiment, ModelConfig
from srvp_lite.elbo import elbo
from srvp_lite.gaussian import Gaussian
from srvp_lite.model import SRVP

__all__ = ["SRVP", "Experiment", "Gaussian", "ModelConfig", "elbo", "experiment", "load", "results", "save"]
