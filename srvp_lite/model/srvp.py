"""SRVP, wired: encode every frame, infer y_1 and z, roll y forward, decode every frame.

Built in chapter 6. Nothing is computed here: each line calls the file where it is. Clips are batch first,
(B, T, C, H, W), float, in [0, 1].

Paper, sections 3.1 to 3.3; in the book's notation equations (1) to (7).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from srvp_lite.config import LossWeights, SRVPConfig
from srvp_lite.model import convnets
from srvp_lite.model.ablations import POSTERIORS, TRANSITIONS, NoContent
from srvp_lite.model.clips import VideoModel, check_clips, check_counts, evaluation_mode, frames_at_once
from srvp_lite.model.content import Content, random_frames
from srvp_lite.model.elbo import Reconstruction, elbo
from srvp_lite.model.gaussian import Gaussian

Draw = Literal["z first", "y_1 first", "means"]
"""How `SRVP.infer` gets y_1 and z from their posteriors: drawn, in one order or the other, or their means."""


@dataclass(frozen=True)
class Output:
    """What one pass of the model over clips of T frames gives; K is the number of Euler steps per frame."""

    frames: Float[Tensor, "b t c h w"]
    """Decoded frames, in (0, 1)."""
    y: Float[Tensor, "b t ny"]
    """States at the frames."""
    z: Float[Tensor, "b t_minus_1 nz"]
    """Noise sampled from q_z; z[:, i] drives y[:, i] to y[:, i + 1]."""
    w: Float[Tensor, "b nw"]
    """Content."""
    q_y: Gaussian
    """q(y_1 | x_{1:k}), (B, ny)."""
    q_z: Gaussian
    """q(z_t | x_{1:t}) for t = 2..T, (B, T - 1, nz)."""
    p_z: Gaussian
    """p(z_t | y_{t-1}) for t = 2..T, (B, T - 1, nz)."""
    residuals: Float[Tensor, "b steps ny"]
    """dt f(y, z) of each Euler step, (B, (T - 1) K, ny)."""


@dataclass(frozen=True)
class Inferred:
    """What a model makes of clips of T frames without decoding them. With several samples, all but h have
    n_samples * B rows, samples outermost."""

    h: Float[Tensor, "b t nhx"]
    """Encodings of the frames."""
    skips: list[Tensor] | None
    """Features of one frame of each clip, deepest first, (rows, c, h, w) each; None for a model without skips."""
    w: Float[Tensor, "rows nw"]
    """Content."""
    q_y: Gaussian
    """q(y_1 | x_{1:k}), (rows, ny)."""
    q_z: Gaussian
    """q(z_t | x_{1:t}) for t = 2..T, (rows, T - 1, nz)."""
    y: Float[Tensor, "rows t ny"]
    """States at the frames."""
    z: Float[Tensor, "rows t_minus_1 nz"]
    """Noise from q_z; z[:, i] drives y[:, i] to y[:, i + 1]."""
    residuals: Float[Tensor, "rows steps ny"]
    """dt f(y, z) of each of the K Euler steps per frame, (rows, (T - 1) K, ny)."""


class SRVP(VideoModel):
    """Stochastic latent residual video prediction (Franceschi et al., ICML 2020).

    In training mode the content is read from nt_inf random frames of the clip and the skip features from one random
    frame; in evaluation mode from the last frames. `predict` and `reconstruct` switch to evaluation mode by
    themselves.
    """

    config: SRVPConfig

    def __init__(self, config: SRVPConfig):
        super().__init__()
        c = self.config = config
        make = {"dcgan": convnets.dcgan, "vgg": convnets.vgg}[c.network]
        nw = c.nh_inf if c.use_w else 0
        self.encoder, self.decoder = make(c.nx, c.nc, c.nf, c.nhx, n_latent=nw + c.ny, skip=c.skip)
        convnets.init_convnet(self.encoder)
        convnets.init_convnet(self.decoder)
        self.content = Content(c.nhx, nw) if c.use_w else NoContent()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")  # what z is read by, where nz = 0
            self.inference = POSTERIORS[c.q_z](
                nhx=c.nhx, ny=c.ny, nz=c.nz, nt_inf=c.nt_inf, nh_inf=c.nh_inf, nlayers_inf=c.nlayers_inf
            )
            self.dynamics = TRANSITIONS[c.transition](
                ny=c.ny, nz=c.nz, nh_res=c.nh_res, nlayers_res=c.nlayers_res, res_gain=c.res_gain
            )

    def forward(self, x: Float[Tensor, "b t c h w"], generator: torch.Generator | None = None) -> Output:
        """Reconstructs whole clips through the posterior: the pass that is trained.

        `x` holds at least nt_inf frames. All noise, and in training mode the choice of frames for w and the skips,
        comes from `generator` (on the clips' device), or from torch's global one.
        """
        seen = self.infer(x, generator=generator)
        p_z = self.dynamics.p_z(seen.y[:, :-1])
        frames = self.decode(seen.w, seen.y, seen.skips)
        return Output(frames, seen.y, seen.z, seen.w, seen.q_y, seen.q_z, p_z, seen.residuals)

    def loss(
        self,
        out: Reconstruction,
        x: Float[Tensor, "b t c h w"],
        weights: LossWeights,
        kl_share: float | Tensor = 1.0,
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, " b"]]]:
        """The loss and its named terms, as `elbo` gives them; of all weights but the nll's, the share `kl_share`
        counts, a number or a tensor of no dimensions."""
        return elbo(
            out,
            x,
            beta_y=weights.beta_y * kl_share,
            beta_z=weights.beta_z * kl_share,
            obs_std=weights.obs_std,
            residual_penalty=weights.residual_penalty * kl_share,
        )

    def infer(
        self,
        x: Float[Tensor, "b t c h w"],
        n_samples: int = 1,
        generator: torch.Generator | None = None,
        draw: Draw = "z first",
    ) -> Inferred:
        """Encodes the frames, infers, samples y_1 and z, and rolls y out over them: everything but the decoder.

        Every sample has its own y_1 and z; what they share is computed once and repeated. `draw` as in `latents`. In
        training mode the choice of frames for the skips and for w comes from `generator` before the noise does.
        """
        h, skips = self.encode(x, generator)
        if skips is not None and n_samples > 1:
            skips = [f.repeat(n_samples, 1, 1, 1) for f in skips]
        w, q_y, q_z, y_1, z = self.latents(h, n_samples, generator, draw)
        y, residuals = self.dynamics.rollout(y_1, z, self.config.steps_per_frame)
        return Inferred(h, skips, w, q_y, q_z, y, z, residuals)

    def latents(
        self,
        h: Float[Tensor, "b t nhx"],
        n_samples: int = 1,
        generator: torch.Generator | None = None,
        draw: Draw = "z first",
    ) -> tuple[Float[Tensor, "rows nw"], Gaussian, Gaussian, Float[Tensor, "rows ny"], Float[Tensor, "rows tm1 nz"]]:
        """w, q(y_1), q(z), y_1 and z from the encodings of T frames, equation (6); n_samples * B rows each.

        Which is drawn first says nothing about the model, but decides what a seed gives: training and reconstruction
        draw z first, prediction y_1 first. "means" draws nothing.
        """
        w = self.content(self.content_encodings(h, generator))
        q_y = self.inference.q_y(h[:, : self.config.nt_inf])
        q_z = self.inference.q_z(h)
        if n_samples > 1:
            w, q_y, q_z = w.repeat(n_samples, 1), repeat(q_y, n_samples), repeat(q_z, n_samples)
        if draw == "means":
            return w, q_y, q_z, q_y.mean, q_z.mean
        if draw == "z first":
            z = q_z.sample(generator)
            return w, q_y, q_z, q_y.sample(generator), z
        y_1 = q_y.sample(generator)
        return w, q_y, q_z, y_1, q_z.sample(generator)

    def encode(
        self, x: Float[Tensor, "b t c h w"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "b t nhx"], list[Tensor] | None]:
        """Encodes every frame in one call.

        Returns the encodings (B, T, nhx) and, for a model with skips, the features of one frame per clip, one
        tensor (B, c, h, w) for each stage, deepest first; None for a model without.
        """
        check_clips(x, self.config, self.training)
        n_clips, n_frames = x.shape[:2]
        h, features = self.encoder(x.flatten(0, 1))
        h = h.unflatten(0, (n_clips, n_frames))
        if not self.config.skip:
            return h, None
        if self.training:
            t = torch.randint(n_frames, (n_clips,), generator=generator, device=x.device)
        else:
            t = torch.full((n_clips,), n_frames - 1, device=x.device)
        one_per_clip = torch.arange(n_clips, device=x.device) * n_frames + t
        return h, [f[one_per_clip] for f in features]

    def content_encodings(
        self, h: Float[Tensor, "b t nhx"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b k nhx"]:
        """The nt_inf encodings that w is read from: random ones in training, the last ones otherwise."""
        n_clips, n_frames = h.shape[:2]
        k = self.config.nt_inf
        if not self.training:
            return h[:, -k:]
        t = random_frames(n_clips, n_frames, k, generator, h.device)
        return h.gather(1, t[:, :, None].expand(-1, -1, h.shape[-1]))

    def decode(
        self, w: Float[Tensor, "b nw"], y: Float[Tensor, "b t ny"], skips: list[Tensor] | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """Decodes the states of all frames, with the clip's one content, in one call."""
        n_frames = y.shape[1]
        latent = torch.cat([w[:, None].expand(-1, n_frames, -1), y], dim=-1)
        return self.decoder(latent.flatten(0, 1), skips).unflatten(0, y.shape[:2])

    def decode_in_parts(
        self, w: Float[Tensor, "b nw"], y: Float[Tensor, "b t ny"], skips: list[Tensor] | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """What `decode` gives, a part at a time: several clips, or some frames of one (see `frames_at_once`). Equal in
        evaluation mode only; in training mode batch norms would see one part each."""
        n = frames_at_once(self.config, y.device)
        rows = max(1, n // y.shape[1])
        parts = zip(w.split(rows), y.split(rows), *([s.split(rows) for s in skips or []]))
        return torch.cat(
            [
                torch.cat([self.decode(w, some, list(skips) or None) for some in y.split(n, dim=1)], dim=1)
                for w, y, *skips in parts
            ]
        )

    @torch.no_grad()
    def reconstruct(
        self, x: Float[Tensor, "b t c h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b t c h w"]:
        """The clips as the posterior sees them: encoded, sampled, decoded, in evaluation mode, without gradients."""
        with evaluation_mode(self):
            return self(x, generator).frames

    @torch.no_grad()
    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  (a generator by position is fine, too)
        self,
        x_cond: Float[Tensor, "b t c h w"],
        n_frames: int,
        n_samples: int = 1,
        steps_per_frame: int | None = None,
        frame_rate: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "s b n c h w"]:
        """Draws futures of the conditioning frames: z from the posterior on those, from the prior after.

        Parameters: `x_cond` (B, T, C, H, W), at least nt_inf frames; `n_frames` how many frame intervals to predict;
        `n_samples` how many futures; `steps_per_frame` Euler steps per predicted interval, the model's own by
        default (rounded up to a multiple of `frame_rate`); `frame_rate` how many frames to show per interval: 2
        doubles the clip's frame rate.

        Returns (n_samples, B, n_frames * frame_rate, C, H, W) in (0, 1). Frame number i, counted from 1, shows the
        time i / frame_rate after the last conditioning frame. Raises ValueError on wrong clips or counts.
        """
        steps = self.prediction_steps(steps_per_frame, frame_rate)
        check_counts(n_frames=n_frames, n_samples=n_samples)
        with evaluation_mode(self):
            y, w, skips = self.condition(x_cond, n_samples, generator)
            y, _ = self.dynamics.generate(y, n_frames, steps, generator)
            y = y[:, steps // frame_rate - 1 :: steps // frame_rate]
            frames = self.decode_in_parts(w, y, skips)
            return frames.unflatten(0, (n_samples, x_cond.shape[0]))

    def condition(
        self, x_cond: Float[Tensor, "b t c h w"], n_samples: int = 1, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "sb ny"], Float[Tensor, "sb nw"], list[Tensor] | None]:
        """What predictions start from: n_samples draws of the state at the last conditioning frame, w, and the skips.

        Each has n_samples * B rows, samples outermost.
        """
        seen = self.infer(x_cond, n_samples, generator, "y_1 first")
        return seen.y[:, -1], seen.w, seen.skips

    def prediction_steps(self, steps_per_frame: int | None, frame_rate: int) -> int:
        """How many Euler steps `predict` makes per frame interval: a multiple of `frame_rate`, or ValueError."""
        if frame_rate < 1:
            raise ValueError(f"frame_rate must be a whole number of at least 1, got {frame_rate}")
        if not self.dynamics.steps_inside and (frame_rate > 1 or steps_per_frame not in (None, 1)):
            raise ValueError(
                f"this model's {self.config.transition} transition goes from frame to frame in one step; frame_rate "
                "and steps_per_frame are for residual transitions"
            )
        if steps_per_frame is None:
            return -(-self.config.steps_per_frame // frame_rate) * frame_rate
        if steps_per_frame < 1 or steps_per_frame % frame_rate:
            raise ValueError(
                f"steps_per_frame={steps_per_frame} does not give {frame_rate} evenly spaced frames per interval: "
                f"choose a multiple of frame_rate={frame_rate}, or leave it out"
            )
        return steps_per_frame


def repeat(gaussian: Gaussian, n: int) -> Gaussian:
    """n copies of a batch of Gaussians, one after the other along the batch."""

    def tile(t: Tensor) -> Tensor:
        return t.repeat(n, *[1] * (t.ndim - 1))

    return Gaussian(tile(gaussian.mean), tile(gaussian.std))
