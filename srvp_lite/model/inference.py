"""Amortised inference: from encodings of the frames to q(y_1 | x_{1:k}) and q(z_t | x_{1:t}).

Built in chapter 5. An LSTM runs forward over the encodings, so q(z_t) has seen the frames up to t and none after:
filtering, not smoothing. That is what lets the same network infer z on conditioning frames at test time.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.model.gaussian import Gaussian
from srvp_lite.model.mlp import mlp


class Inference(nn.Module):
    """Both posteriors of the paper (section 3.3)."""

    def __init__(self, nhx: int, ny: int, nz: int, nt_inf: int, nh_inf: int, nlayers_inf: int):
        super().__init__()
        self.first_state = mlp(nt_inf * nhx, nh_inf, 2 * ny, nlayers_inf)
        self.lstm = nn.LSTM(nhx, nh_inf, batch_first=True)
        self.to_z = nn.Linear(nh_inf, 2 * nz)

    def q_y(self, h: Float[Tensor, "b k nhx"]) -> Gaussian:
        """q(y_1 | x_{1:k}), shape (B, ny), from the encodings of the first k = nt_inf frames, in order."""
        return Gaussian.from_raw(self.first_state(h.flatten(1)))

    def q_z(self, h: Float[Tensor, "b t nhx"]) -> Gaussian:
        """q(z_t | x_{1:t}) for t = 2..T, shape (B, T - 1, nz), from the encodings of frames 1..T."""
        hidden, _ = self.lstm(h)
        return Gaussian.from_raw(self.to_z(hidden[:, 1:]))
