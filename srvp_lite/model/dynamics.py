"""The residual state-space model: y moves by y_{t+dt} = y_t + dt f(y_t, z), and z has a prior that looks at y.

Built in chapters 3 and 4. One z serves a whole frame interval, whatever the number of Euler steps inside it. Steps
are counted with integers: a float clock loses frames when 1/dt is not a power of two.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.mlp import mlp


class Dynamics(nn.Module):
    """The residual function f and the prior p(z_{t+1} | y_t) (paper, section 3.1)."""

    def __init__(self, ny: int, nz: int, nh_res: int, nlayers_res: int, res_gain: float):
        super().__init__()
        self.f = mlp(ny + nz, nh_res, ny, nlayers_res)
        self.prior = mlp(ny, nh_res, 2 * nz, nlayers_res)
        for layer in self.f:
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, gain=res_gain)
                nn.init.zeros_(layer.bias)

    def p_z(self, y: Float[Tensor, "*batch ny"]) -> Gaussian:
        """The prior p(z_{t+1} | y_t), shape (..., nz), for states y_t of any leading shape."""
        return Gaussian.from_raw(self.prior(y))

    def frame(
        self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"], steps_per_frame: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One frame interval: K = steps_per_frame Euler steps of size 1/K under one z.

        Returns the K states after each step and the K residuals dt f(y, z), each (B, ny).
        """
        states, residuals = [], []
        for _ in range(steps_per_frame):
            residual = self.f(torch.cat([y, z], dim=-1)) / steps_per_frame
            y = y + residual
            states.append(y)
            residuals.append(residual)
        return states, residuals

    def rollout(
        self, y_1: Float[Tensor, "b ny"], z: Float[Tensor, "b t_minus_1 nz"], steps_per_frame: int
    ) -> tuple[Float[Tensor, "b t ny"], Float[Tensor, "b steps ny"]]:
        """Runs y through given z_{2:T}: the only loop over time of the model.

        Returns the states at the frames, y_1 included, (B, T, ny), and every residual, (B, (T - 1) K, ny).
        """
        y, residuals = [y_1], []
        for z_t in z.unbind(dim=1):
            states, new_residuals = self.frame(y[-1], z_t, steps_per_frame)
            y.append(states[-1])
            residuals.extend(new_residuals)
        no_steps = y_1.new_zeros(y_1.shape[0], 0, y_1.shape[1])
        return torch.stack(y, dim=1), torch.stack(residuals, dim=1) if residuals else no_steps

    def generate(
        self,
        y: Float[Tensor, "b ny"],
        n_frames: int,
        steps_per_frame: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, "b steps ny"], Float[Tensor, "b n_frames nz"]]:
        """Runs y forward from a given state with z drawn from the prior at each frame.

        Returns every state after y, sub-steps included, (B, n_frames K, ny), so that every K-th falls on a frame,
        and the z drawn, (B, n_frames, nz).
        """
        states, z = [], []
        for _ in range(n_frames):
            z.append(self.p_z(y).sample(generator))
            new_states, _ = self.frame(y, z[-1], steps_per_frame)
            states.extend(new_states)
            y = states[-1]
        return torch.stack(states, dim=1), torch.stack(z, dim=1)
