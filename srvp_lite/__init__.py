"""srvp_lite: stochastic latent residual video prediction, small enough to read and fast enough to train."""

__version__ = "0.1.0"
