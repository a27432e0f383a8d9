"""Diagonal Gaussians: the only distribution of the model.

Built in chapter 2. Every random variable of SRVP is a vector of independent Gaussians, so a mean and a standard
deviation per coordinate say all there is to say, and both the sample and the KL divergence fit in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MIN_STD = 1e-8  # keeps the KL finite when a network drives its raw scale to minus infinity
LOG_2PI = 1.8378770664093453


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussians with means `mean` and standard deviations `std`, two tensors of one shape (..., n)."""

    mean: Float[Tensor, "*batch n"]
    std: Float[Tensor, "*batch n"]

    @classmethod
    def from_raw(cls, raw: Float[Tensor, "*batch two_n"]) -> Gaussian:
        """Reads a network's output (..., 2n): its first half is the mean, softplus of its second half the std.

        Computed in float32 at least, whatever precision the network ran in: the KL divides by these numbers.
        """
        if raw.shape[-1] % 2:
            raise ValueError(
                f"a Gaussian's raw parameters hold means and scales, so an even last dimension; got {tuple(raw.shape)}"
            )
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        mean, raw_scale = raw.chunk(2, dim=-1)
        return cls(mean, F.softplus(raw_scale) + MIN_STD)

    @classmethod
    def standard(cls, like: Float[Tensor, "*batch n"]) -> Gaussian:
        """N(0, I) with the shape, dtype and device of the tensor `like`."""
        return cls(torch.zeros_like(like), torch.ones_like(like))

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "*batch n"]:
        """One reparameterised sample, mean + std * noise: gradients flow to mean and std (paper, section 3.3)."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.std * noise

    def log_prob(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """log N(x; mean, std^2) of each coordinate, constant included."""
        return -0.5 * (((x - self.mean) / self.std) ** 2 + LOG_2PI) - self.std.log()

    def kl(self, other: Gaussian) -> Float[Tensor, "*batch n"]:
        """KL(self || other) of each coordinate, in nats, in closed form."""
        variance_ratio = (self.std / other.std) ** 2
        shift = ((self.mean - other.mean) / other.std) ** 2
        return 0.5 * (variance_ratio + shift - 1 - variance_ratio.log())

    def __getitem__(self, index: Any) -> Gaussian:
        """The same slice of mean and std, so that `q_z[:, 0]` is the Gaussian of the first z."""
        return Gaussian(self.mean[index], self.std[index])
