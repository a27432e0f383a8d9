"""Scores of predicted frames, and predictions that need no model. Tensors in, tensors out.

Read in chapter 1: `pixels` (PSNR, SSIM), `naive` (copy the last frame, the mean frame). Read in chapter 8:
`perceptual` (LPIPS), `fvd` (a Frechet distance of videos), `intervals` (how sure a number is), `table` (all metrics, a
row each).
"""

from srvp_lite.metrics.intervals import bootstrap, mean_and_interval
from srvp_lite.metrics.naive import copy_last, mean_frame
from srvp_lite.metrics.pixels import psnr, ssim
from srvp_lite.metrics.table import METRICS, Metric

__all__ = ["METRICS", "Metric", "bootstrap", "copy_last", "mean_and_interval", "mean_frame", "psnr", "ssim"]
