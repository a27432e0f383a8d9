"""What all models share: their common interface, what they accept, and how many frames to decode at once."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.config import LossWeights, SRVPConfig, SVGConfig


class VideoModel(nn.Module):
    """What training, checkpoints and evaluation ask of any model; the rows of `build.MODELS` are its kinds.

    A model is made from its configuration, and keeps it. Called on clips, `model(x, generator)`, it gives what its
    loss needs. Clips are batch first, (B, T, C, H, W), float, in [0, 1]. A base class, and no typing.Protocol: what
    trains, saves and loads a model needs an nn.Module besides these three methods.
    """

    config: Any
    """The configuration that the model was made from."""

    def loss(
        self, out: Any, x: Float[Tensor, "b t c h w"], weights: LossWeights, kl_share: float | Tensor = 1.0
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, " b"]]]:
        """The loss of what the model gave for the clips x, averaged over them, and its terms, each per clip (B,).

        `weights` are those of the training configuration; of the KL terms' weights, the share `kl_share` counts, a
        number or a tensor of no dimensions.
        """
        raise NotImplementedError

    def predict(
        self,
        x_cond: Float[Tensor, "b t c h w"],
        n_frames: int,
        n_samples: int = 1,
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "s b n c h w"]:
        """Draws n_samples futures of the conditioning frames, (n_samples, B, n_frames, C, H, W) in (0, 1), in
        evaluation mode and without gradients. Further options are each model's own: see `prediction_options`."""
        raise NotImplementedError


def prediction_options(model: VideoModel, **options: Any) -> dict[str, Any]:
    """Those of the options that are set, that is, not None, to be passed on to `model.predict`.

    Raises ValueError, naming it, for one that this kind of model does not have.
    """
    given = {name: value for name, value in options.items() if value is not None}
    unknown = [name for name in given if name not in inspect.signature(model.predict).parameters]
    if unknown:
        raise ValueError(
            f"{type(model).__name__} goes from frame to frame: it has no {' and no '.join(unknown)}; leave it out"
        )
    return given


def frames_at_once(config: SRVPConfig, device: torch.device) -> int:
    """How many frames to decode in one call: on a CPU as many as make its widest layer 24 MiB, elsewhere 1 GiB.

    A CPU's allocator gives blocks above 32 MiB back to the system after each layer, and fetches them anew, page by
    page, for the next. A GPU is busy enough with less than it could hold.
    """
    side = config.nx if config.network == "vgg" else config.nx // 2
    return max(1, (24 * 2**20 if device.type == "cpu" else 2**30) // (4 * config.nf * side**2))


@contextmanager
def evaluation_mode(module: nn.Module) -> Generator[None]:
    """Batch norms use their running statistics inside, whatever the mode before, which comes back after."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def check_counts(**counts: int) -> None:
    """Raises ValueError for a count below 1."""
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def check_clips(x: object, config: SRVPConfig | SVGConfig, training: bool) -> None:
    """Raises TypeError or ValueError, saying what was expected and how to get there, unless x are fit clips."""
    c, needed = config, config.frames_needed
    expected = f"(B, T, {c.nc}, {c.nx}, {c.nx}) with T >= {needed}"
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"clips must be a torch tensor of shape {expected}, got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(f"clips must be floats in [0, 1], got {x.dtype}; for bytes use x.float() / 255")
    if x.ndim != 5:
        raise ValueError(f"clips must have 5 dimensions, {expected}, got {tuple(x.shape)}; a single clip needs x[None]")
    if x.shape[2] != c.nc:
        raise ValueError(f"this model takes {c.nc} channel(s), {expected}, got {x.shape[2]} in {tuple(x.shape)}")
    if x.shape[3:] != (c.nx, c.nx):
        raise ValueError(f"this model takes frames of {c.nx}x{c.nx} pixels, {expected}, got {tuple(x.shape)}")
    if x.shape[0] < 1:
        raise ValueError(f"clips must be {expected}, got an empty batch {tuple(x.shape)}")
    if x.shape[1] < needed:
        raise ValueError(f"this model needs at least {needed} frames to begin with, got {x.shape[1]}")
    # Reading values back stalls a GPU, so there the range is checked at prediction only.
    if x.device.type == "cpu" or not (training or x.device.type == "meta"):
        low, high = x.amin().item(), x.amax().item()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"clips must lie in [0, 1], got values from {low:.4g} to {high:.4g}; divide bytes by 255")
