"""The paper's ablations: other parts that fit into the same model (paper, section 4.1 and appendix).

Read in chapter 9. Each class replaces one part of SRVP and keeps its interface, so that `srvp` wires it as it wires
the original. A model without z needs no class of its own: its z has no coordinates (nz = 0), and a sum over none is
zero. The tables at the end name all kinds of a part, the paper's own first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.model.dynamics import Dynamics, Transition
from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.inference import Inference, Posterior
from srvp_lite.model.mlp import mlp


class OneStep(Transition):
    """A transition from frame to frame in one go: f gives the new state itself.

    What counts as the residual in the loss is the way the state went, as for residual transitions.
    """

    def new_state(self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"]) -> Float[Tensor, "b ny"]:
        """y_{t+1} from y_t and z_{t+1}."""
        raise NotImplementedError

    def one_frame(
        self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"], steps_per_frame: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One frame interval in one go; `steps_per_frame` must be 1. Returns lists of one, as `Dynamics.one_frame`."""
        if steps_per_frame != 1:
            raise ValueError(
                f"an MLP or GRU transition goes from frame to frame in one step, got steps_per_frame={steps_per_frame};"
                " frames in between are for residual transitions"
            )
        new = self.new_state(y, z)
        return [new], [new - y]


class MLPDynamics(OneStep):
    """y_{t+1} = f(y_t, z_{t+1}), an MLP. Initialised as PyTorch does, whatever `res_gain`: with the small weights of a
    residual function the state would be forgotten at once."""

    def __init__(self, ny: int, nz: int, nh_res: int, nlayers_res: int, res_gain: float):
        f = mlp(ny + nz, nh_res, ny, nlayers_res)
        super().__init__(f, ny=ny, nz=nz, nh_res=nh_res, nlayers_res=nlayers_res)

    def new_state(self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"]) -> Float[Tensor, "b ny"]:
        return self.f(torch.cat([y, z], dim=-1))


class GRUDynamics(OneStep):
    """y_{t+1} = GRU(z_{t+1}, y_t): a recurrent cell whose hidden state is y, initialised as PyTorch does."""

    def __init__(self, ny: int, nz: int, nh_res: int, nlayers_res: int, res_gain: float):
        super().__init__(nn.GRUCell(nz, ny), ny=ny, nz=nz, nh_res=nh_res, nlayers_res=nlayers_res)

    def new_state(self, y: Float[Tensor, "b ny"], z: Float[Tensor, "b nz"]) -> Float[Tensor, "b ny"]:
        return self.f(z, y)


class WindowInference(Posterior):
    """q(z_t | x_{t-1}, x_t) by an MLP: two frames show a velocity, and nothing before them is remembered."""

    def __init__(self, nhx: int, ny: int, nz: int, nt_inf: int, nh_inf: int, nlayers_inf: int):
        super().__init__(nhx=nhx, ny=ny, nt_inf=nt_inf, nh_inf=nh_inf, nlayers_inf=nlayers_inf)
        self.to_z = mlp(2 * nhx, nh_inf, 2 * nz, nlayers_inf)

    def q_z(self, h: Float[Tensor, "b t nhx"]) -> Gaussian:
        """q(z_t | x_{t-1}, x_t) for t = 2..T, shape (B, T - 1, nz), from the encodings of frames 1..T."""
        return Gaussian.from_raw(self.to_z(torch.cat([h[:, :-1], h[:, 1:]], dim=-1)))


class NoContent(nn.Module):
    """A content variable without coordinates, (B, 0)."""

    def forward(self, h: Float[Tensor, "b k nhx"]) -> Float[Tensor, "b 0"]:
        return h.new_zeros(h.shape[0], 0)


TRANSITIONS: dict[str, Callable[..., Transition]] = {
    "residual": Dynamics,
    "mlp": MLPDynamics,
    "gru": GRUDynamics,
}
"""By `SRVPConfig.transition`. Called with ny, nz, nh_res, nlayers_res and res_gain, by name."""

POSTERIORS: dict[str, Callable[..., Posterior]] = {
    "lstm": Inference,
    "window": WindowInference,
}
"""By `SRVPConfig.q_z`. Called with nhx, ny, nz, nt_inf, nh_inf and nlayers_inf, by name."""
