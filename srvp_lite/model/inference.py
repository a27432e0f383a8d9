"""Amortised inference: from encodings of the frames to q(y_1 | x_{1:k}) and q(z_t | x_{1:t}).

Built in chapter 5. An LSTM runs forward over the encodings, so q(z_t) has seen the frames up to t and none after:
filtering, not smoothing. That is what lets the same network infer z on conditioning frames at test time.

Paper, section 3.3; in the book's notation equation (6), posterior.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.mlp import mlp


class Posterior(nn.Module):
    """q(y_1 | x_{1:k}) by an MLP, and what all posteriors of z share.

    What q(z_t) sees is for a subclass to say in `q_z`; its name in configurations is a row of `ablations.POSTERIORS`.
    """

    def __init__(self, *, nhx: int, ny: int, nt_inf: int, nh_inf: int, nlayers_inf: int):
        super().__init__()
        self.first_state = mlp(nt_inf * nhx, nh_inf, 2 * ny, nlayers_inf)

    def q_y(self, h: Float[Tensor, "b k nhx"]) -> Gaussian:
        """q(y_1 | x_{1:k}), shape (B, ny), from the encodings of the first k = nt_inf frames, in order."""
        return Gaussian.from_raw(self.first_state(h.flatten(1)))

    def q_z(self, h: Float[Tensor, "b t nhx"]) -> Gaussian:
        """q(z_t) for t = 2..T, shape (B, T - 1, nz), from the encodings of frames 1..T."""
        raise NotImplementedError


class Inference(Posterior):
    """Both factors of the paper's posterior: q(z_t) has seen all frames up to t, through an LSTM."""

    def __init__(self, nhx: int, ny: int, nz: int, nt_inf: int, nh_inf: int, nlayers_inf: int):
        super().__init__(nhx=nhx, ny=ny, nt_inf=nt_inf, nh_inf=nh_inf, nlayers_inf=nlayers_inf)
        self.lstm = nn.LSTM(nhx, nh_inf, batch_first=True)
        self.to_z = nn.Linear(nh_inf, 2 * nz)

    def q_z(self, h: Float[Tensor, "b t nhx"]) -> Gaussian:
        """q(z_t | x_{1:t}) for t = 2..T, shape (B, T - 1, nz), from the encodings of frames 1..T."""
        hidden, _ = self.lstm(h)
        return Gaussian.from_raw(self.to_z(hidden[:, 1:]))
