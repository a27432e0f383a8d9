"""The loss: a weighted negative ELBO and a penalty on the residuals. It knows tensors and Gaussians, no network.

Built in chapter 2, completed in chapter 3. Paper, section 3.3, the weights beta from its appendix; in the book's
notation equation (7), loss.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from srvp_lite.model.gaussian import LOG_2PI, Gaussian


@runtime_checkable
class Reconstruction(Protocol):
    """What the loss reads of a pass over clips of T frames. `srvp.Output` has it; any other bag of names will do."""

    @property
    def frames(self) -> Tensor:
        """Decoded frames, (B, T, C, H, W)."""
        ...

    @property
    def q_y(self) -> Gaussian:
        """q(y_1 | x_{1:k}), (B, ny)."""
        ...

    @property
    def q_z(self) -> Gaussian:
        """q(z_t | x_{1:t}) for t = 2..T, (B, T - 1, nz)."""
        ...

    @property
    def p_z(self) -> Gaussian:
        """p(z_t | y_{t-1}) for t = 2..T, (B, T - 1, nz)."""
        ...

    @property
    def residuals(self) -> Tensor:
        """dt f(y, z) of each of S Euler steps, (B, S, ny)."""
        ...


def elbo(
    out: Reconstruction,
    x: Float[Tensor, "b t c h w"],
    beta_y: float | Tensor,
    beta_z: float | Tensor,
    obs_std: float,
    residual_penalty: float | Tensor,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, " b"]]]:
    """The training loss of SRVP, to be minimised, and its named terms: equation (7).

        loss = nll + beta_y kl_y + beta_z kl_z + residual_penalty * residual

    `x` are the true clips (B, T, C, H, W), in [0, 1]; `obs_std` is the standard deviation of a pixel around the
    decoded one, in the same unit.

    Returns the loss, averaged over the batch, and a dictionary of terms, each per clip (B,), in nats, summed over
    time, pixels and dimensions and not yet weighted:
    - `nll`: -log N(x; frames, obs_std^2), constant included;
    - `kl_y`: KL(q(y_1) || N(0, I));
    - `kl_z`: sum over t of KL(q(z_t) || p(z_t | y_{t-1}));
    - `residual`: sum over the Euler steps of the norm (not squared) of dt f(y, z);
    - `loss`: their weighted sum.

    Sums of tens of thousands of numbers lose bits in half precision, so everything here is float32 at least.
    Raises ValueError if the frames and the clips differ in shape or obs_std is not positive.
    """
    if out.frames.shape != x.shape:
        raise ValueError(
            f"the decoded frames have shape {tuple(out.frames.shape)} and the clips {tuple(x.shape)}: "
            "the loss compares them pixel by pixel, so pass the clips the model was run on"
        )
    if not obs_std > 0:
        raise ValueError(f"obs_std is a standard deviation and must be positive, got {obs_std}")

    precise = torch.promote_types(out.frames.dtype, torch.float32)
    squared_error = (out.frames.to(precise) - x.to(precise)).square().flatten(1).sum(1)
    constant = x[0].numel() * (0.5 * LOG_2PI + math.log(obs_std))
    terms = {
        "nll": squared_error / (2 * obs_std**2) + constant,
        "kl_y": out.q_y.kl(Gaussian.standard(out.q_y.mean)).flatten(1).sum(1),
        "kl_z": out.q_z.kl(out.p_z).flatten(1).sum(1),
        "residual": torch.linalg.vector_norm(out.residuals.to(precise), dim=-1).flatten(1).sum(1),
    }
    terms["loss"] = (
        terms["nll"] + beta_y * terms["kl_y"] + beta_z * terms["kl_z"] + residual_penalty * terms["residual"]
    )
    return terms["loss"].mean(), terms
