"""The residual state-space model: y moves by y_{t+dt} = y_t + dt f(y_t, z), and z has a prior that looks at y.

Built in chapters 3 and 4. One z serves a whole frame interval, whatever the number of Euler steps inside it. Steps
are counted with integers: a float clock loses frames when 1/dt is not a power of two.

Paper, section 3.1; in the book's notation equations (2), prior, (3), residual-update, and (5), euler-step.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.mlp import mlp


class Transition(nn.Module):
    """What moves the state: a network f of y and z, and the prior p(z_{t+1} | y_t), equation (2).

    A kind of transition is a subclass that makes its f and says in `one_frame` what happens between two frames. Its
    name in configurations is a row of `ablations.TRANSITIONS`, and a word in `SRVPConfig.transition`.
    """

    steps_inside: ClassVar[bool] = False
    """Whether a frame interval can be cut into several steps, which gives states between two frames."""

    def __init__(self, f: nn.Module, *, ny: int, nz: int, nh_res: int, nlayers_res: int):
        super().__init__()
        self.nz = nz
        self.f = f
        self.prior = mlp(ny, nh_res, 2 * nz, nlayers_res)

    def p_z(self, y: Float[Tensor, "*batch ny"]) -> Gaussian:
        """The prior p(z_{t+1} | y_t), equation (2): shape (..., nz), for states y_t of any leading shape."""
        return Gaussian.from_raw(self.prior(y))

    def one_frame(
        self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"], steps_per_frame: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One frame interval under one z, in K = steps_per_frame steps.

        Returns the K states after each step and the K residuals, which is how far each step went; each (B, ny).
        Raises ValueError for several steps, unless the class has `steps_inside`.
        """
        raise NotImplementedError

    def rollout(
        self, y_1: Float[Tensor, "b ny"], z: Float[Tensor, "b t_minus_1 nz"], steps_per_frame: int
    ) -> tuple[Float[Tensor, "b t ny"], Float[Tensor, "b steps ny"]]:
        """Runs y through given z_{2:T}: the only loop over time of the model.

        Returns the states at the frames, y_1 included, (B, T, ny), and every residual, (B, (T - 1) K, ny).
        """
        y, residuals = [y_1], []
        for z_t in z.unbind(dim=1):
            states, new_residuals = self.one_frame(y[-1], z_t, steps_per_frame)
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
        states: list[Tensor] = []
        z: list[Tensor] = []
        for _ in range(n_frames):
            z.append(self.p_z(y).sample(generator))
            new_states, _ = self.one_frame(y, z[-1], steps_per_frame)
            states.extend(new_states)
            y = states[-1]
        return torch.stack(states, dim=1), torch.stack(z, dim=1)


class Dynamics(Transition):
    """The residual transition of the paper, equation (3): f, an MLP, says how y changes.

    Its weights begin as orthogonal matrices times `res_gain`.
    """

    steps_inside = True

    def __init__(self, ny: int, nz: int, nh_res: int, nlayers_res: int, res_gain: float):
        f = mlp(ny + nz, nh_res, ny, nlayers_res)
        super().__init__(f, ny=ny, nz=nz, nh_res=nh_res, nlayers_res=nlayers_res)
        for layer in f:
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, gain=res_gain)
                nn.init.zeros_(layer.bias)

    def one_frame(
        self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"], steps_per_frame: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One frame interval: K = steps_per_frame Euler steps of size 1/K under one z, equation (5).

        Returns the K states after each step and the K residuals dt f(y, z), each (B, ny).
        """
        states: list[Tensor] = []
        residuals: list[Tensor] = []
        for _ in range(steps_per_frame):
            residual = self.f(torch.cat([y, z], dim=-1)) / steps_per_frame
            y = y + residual
            states.append(y)
            residuals.append(residual)
        return states, residuals
