"""The paper's ablations: other rooms that fit into the same house (paper, section 4.1 and appendix).

Each class replaces one part of SRVP and keeps its interface, so that `model.py` wires it as it wires the original. A
model without z needs no class of its own: its z has no coordinates (nz = 0), and a sum over none is zero.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.model.dynamics import Dynamics
from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.inference import Inference
from srvp_lite.model.mlp import mlp


class MLPDynamics(Dynamics):
    """y_{t+1} = m(y_t, z_{t+1}): the network gives the new state itself. Initialised as PyTorch does, since f's small
    weights would forget the state at once.

    What counts as the residual in the loss is the way the state went, as for the other transitions.
    """

    def __init__(self, ny: int, nz: int, nh_res: int, nlayers_res: int, res_gain: float):
        super().__init__(ny, nz, nh_res, nlayers_res, res_gain)
        self.f = mlp(ny + nz, nh_res, ny, nlayers_res)

    def frame(self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"], steps_per_frame: int):
        """One frame interval in one go; `steps_per_frame` must be 1. Returns lists of one, as `Dynamics.frame`."""
        one_step(steps_per_frame)
        new = self.f(torch.cat([y, z], dim=-1))
        return [new], [new - y]


class GRUDynamics(Dynamics):
    """y_{t+1} = GRU(z_{t+1}, y_t): a recurrent cell whose hidden state is y."""

    def __init__(self, ny: int, nz: int, nh_res: int, nlayers_res: int, res_gain: float):
        super().__init__(ny, nz, nh_res, nlayers_res, res_gain)
        self.f = nn.GRUCell(nz, ny)

    def frame(self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"], steps_per_frame: int):
        """As `MLPDynamics.frame`."""
        one_step(steps_per_frame)
        new = self.f(z, y)
        return [new], [new - y]


def one_step(steps_per_frame: int) -> None:
    if steps_per_frame != 1:
        raise ValueError(
            f"an MLP or GRU transition goes from frame to frame in one step, got steps_per_frame={steps_per_frame}; "
            "frames in between are for residual transitions"
        )


class WindowInference(Inference):
    """q(z_t | x_{t-1}, x_t) by an MLP: two frames show a velocity, and nothing before them is remembered."""

    def __init__(self, nhx: int, ny: int, nz: int, nt_inf: int, nh_inf: int, nlayers_inf: int):
        super().__init__(nhx, ny, nz, nt_inf, nh_inf, nlayers_inf)
        self.lstm = None
        self.to_z = mlp(2 * nhx, nh_inf, 2 * nz, nlayers_inf)

    def q_z(self, h: Float[Tensor, "b t nhx"]) -> Gaussian:
        """q(z_t | x_{t-1}, x_t) for t = 2..T, shape (B, T - 1, nz), from the encodings of frames 1..T."""
        return Gaussian.from_raw(self.to_z(torch.cat([h[:, :-1], h[:, 1:]], dim=-1)))


class NoContent(nn.Module):
    """A content variable without coordinates, (B, 0)."""

    def forward(self, h: Float[Tensor, "b k nhx"]) -> Float[Tensor, "b 0"]:
        return h.new_zeros(h.shape[0], 0)
