"""Scores of predicted frames, and predictions that need no model. Tensors in, tensors out."""

from srvp_lite.metrics.naive import copy_last, mean_frame
from srvp_lite.metrics.pixels import psnr, ssim

__all__ = ["copy_last", "mean_frame", "psnr", "ssim"]
