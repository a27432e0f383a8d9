"""What a trained model has learned: play with it, and measure what you see. One file per question.

Read in chapter 9. `frame_rate`: the same future, faster and slower. `swap`, `swap_scores`: one clip's looks on
another's motion, and whether it worked. `latents`: between two clips, and along each coordinate of y. `readout`,
`disentangle`: what can be read from y and from w. `uncertainty`: where futures differ, when the model is surprised,
whether it is right. `ablation`: what each part is worth, by training without it.
"""

from srvp_lite.explore.disentangle import disentangling, truths, untrained, variables
from srvp_lite.explore.frame_rate import agreement, at_rates, roughness, steps_sweep
from srvp_lite.explore.latents import centre, effects, interpolate, interpolate_content, interpolate_motion, pca, walk
from srvp_lite.explore.readout import Readout, fit_readout, r_squared, read_identity
from srvp_lite.explore.swap import content_of, motion_of, swap_content, swap_grid
from srvp_lite.explore.swap_scores import counterfactual, digit_classifier, read_digits, share_seen, swap_score
from srvp_lite.explore.uncertainty import (
    auc,
    disagreement,
    kl_per_step,
    rank_histogram,
    ranks,
    reliability,
    surprise_auc,
    variance_map,
)
from srvp_lite.metrics.intervals import bootstrap

__all__ = [
    "Readout", "agreement", "at_rates", "auc", "bootstrap", "centre", "content_of", "counterfactual",
    "digit_classifier", "disagreement", "disentangling", "effects", "fit_readout", "interpolate",
    "interpolate_content", "interpolate_motion", "kl_per_step", "motion_of", "pca", "r_squared", "rank_histogram",
    "ranks", "read_digits", "read_identity", "reliability", "roughness", "share_seen", "steps_sweep", "surprise_auc",
    "swap_content", "swap_grid", "swap_score", "truths", "untrained", "variables", "variance_map", "walk",
]  # fmt: skip
