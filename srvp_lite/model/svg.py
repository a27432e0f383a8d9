"""SVG-LP: stochastic video generation with a learned prior (Denton & Fergus, ICML 2018), the autoregressive rival.

Each frame is predicted from the frame before it: encoded, joined by a noise z_t, passed through an LSTM that remembers
the rest, decoded. In prediction the frame before is itself a prediction, so every frame of a future goes through the
encoder and the decoder, one after the other. SRVP differs in just this: its state moves on without looking at frames.

In training every true frame is known, so all frames are encoded in one call and decoded in one call; batch norms see
all frames of the batch at once. (The authors' code makes one call per time, so theirs see one time each.)
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srvp_lite.config import LossWeights, SVGConfig
from srvp_lite.model import convnets
from srvp_lite.model.clips import VideoModel, check_clips, check_counts, evaluation_mode
from srvp_lite.model.gaussian import Gaussian

Memory = tuple[Tensor, Tensor]
"""An LSTM's hidden and cell states, each (layers, B, rnn_size)."""


class Recurrent(nn.Module):
    """A linear layer, an LSTM of some layers, a linear layer, over (B, T, n_in) -> (B, T, n_out)."""

    def __init__(self, n_in: int, rnn_size: int, n_out: int, layers: int):
        super().__init__()
        self.embed = nn.Linear(n_in, rnn_size)
        self.lstm = nn.LSTM(rnn_size, rnn_size, layers, batch_first=True)
        self.out = nn.Linear(rnn_size, n_out)

    def forward(self, x: Float[Tensor, "b t n_in"], memory: Memory | None = None) -> tuple[Tensor, Memory]:
        hidden, after = self.lstm(self.embed(x), memory)
        return self.out(hidden), after


@dataclass(frozen=True)
class SVGOutput:
    """What one pass over clips of T frames gives, for frames 2..T."""

    frames: Float[Tensor, "b t_minus_1 c h w"]
    """Predicted from the true frame before, in (0, 1)."""
    q_z: Gaussian
    """q(z_t | x_{1:t}), (B, T - 1, z_dim)."""
    p_z: Gaussian
    """p(z_t | x_{1:t-1}), the learned prior, (B, T - 1, z_dim)."""


class SVG(VideoModel):
    """SVG-LP with the networks, initialisation and skip connections of its authors' code."""

    config: SVGConfig

    def __init__(self, config: SVGConfig):
        super().__init__()
        c = self.config = config
        make = {"dcgan": convnets.dcgan, "vgg": convnets.vgg}[c.network]
        self.encoder, self.decoder = make(c.nx, c.nc, c.nf, c.g_dim, n_latent=c.g_dim, skip=True)
        if c.network == "dcgan":  # which here has a batch norm in its first stage, and a bias in its last
            self.encoder.stages[0] = convnets.down(c.nc, c.nf)
            self.decoder.stages[-1] = nn.ConvTranspose2d(2 * c.nf, c.nc, 4, 2, 1)
        self.predictor = Recurrent(c.g_dim + c.z_dim, c.rnn_size, c.g_dim, c.predictor_layers)
        self.posterior = Recurrent(c.g_dim, c.rnn_size, 2 * c.z_dim, c.posterior_layers)
        self.prior = Recurrent(c.g_dim, c.rnn_size, 2 * c.z_dim, c.prior_layers)
        for network in (self.encoder, self.decoder):
            convnets.init_convnet(network)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, 0.02)
            if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)) and layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "b t c h w"], generator: torch.Generator | None = None) -> SVGOutput:
        """Predicts frames 2..T, each from the true frames before it and a z that has seen it."""
        check_clips(x, self.config, self.training)
        n_clips, n_frames = x.shape[:2]
        h, features = self.encoder(x.flatten(0, 1))
        h = h.unflatten(0, (n_clips, n_frames))
        q_z = gaussian(self.posterior(h[:, 1:])[0])
        p_z = gaussian(self.prior(h[:, :-1])[0])
        g, _ = self.predictor(torch.cat([h[:, :-1], q_z.sample(generator)], dim=-1))
        before = torch.arange(n_frames - 1, device=x.device)  # each frame's predecessor, whose features it sees ...
        if not self.config.last_frame_skip:
            before = before.clamp(max=self.config.n_past - 2)  # ... up to the last conditioning frame's
        skips = [f.unflatten(0, (n_clips, n_frames))[:, before].flatten(0, 1) for f in features]
        frames = self.decoder(torch.tanh(g).flatten(0, 1), skips)
        return SVGOutput(frames.unflatten(0, (n_clips, n_frames - 1)), q_z, p_z)

    def loss(
        self,
        out: SVGOutput,
        x: Float[Tensor, "b t c h w"],
        weights: LossWeights,
        kl_share: float | Tensor = 1.0,
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, " b"]]]:
        """Sum over frames of the mean squared error of a pixel + beta KL(q(z_t) || p(z_t)), averaged over the clips; of
        beta, the share `kl_share` counts. beta is the model's own (`SVGConfig.beta`): `weights` are of other terms.

        Returns it and its terms per clip (B,), unweighted: `mse`, `kl_z`, `loss`. With P pixels a frame this is, but
        for a factor and a constant, a negative ELBO with a pixel's standard deviation of sqrt(beta P / 2).
        """
        squared_error = (out.frames.float() - x[:, 1:].float()).square()
        terms = {"mse": squared_error.mean(dim=(2, 3, 4)).sum(1), "kl_z": out.q_z.kl(out.p_z).flatten(1).sum(1)}
        terms["loss"] = terms["mse"] + kl_share * self.config.beta * terms["kl_z"]
        return terms["loss"].mean(), terms

    @torch.no_grad()
    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  (a generator by position is fine, too)
        self,
        x_cond: Float[Tensor, "b t c h w"],
        n_frames: int,
        n_samples: int = 1,
        generator: torch.Generator | None = None,
        batch_norm: str = "running",
    ) -> Float[Tensor, "s b n c h w"]:
        """Draws futures, (n_samples, B, n_frames, C, H, W): z from the posterior on the given frames, then the prior.

        `batch_norm`: "running" uses the statistics of training, "batch" those of the frames of one time and one sample
        of all clips, as the authors' generation script does; a future then depends on the other clips. The other
        arguments as in `SRVP.predict`. Raises ValueError on wrong clips or counts.
        """
        check_counts(n_frames=n_frames, n_samples=n_samples)
        if batch_norm not in ("running", "batch"):
            raise ValueError(f"batch_norm must be 'running' or 'batch', got {batch_norm!r}")
        check_clips(x_cond, self.config, training=False)
        if batch_norm == "batch" and n_samples > 1:
            each = [self.predict(x_cond, n_frames, generator=generator, batch_norm="batch") for _ in range(n_samples)]
            return torch.cat(each)
        with evaluation_mode(self), batch_statistics(self) if batch_norm == "batch" else nullcontext():
            x, memories, skips = self.condition(x_cond, n_samples, generator)
            frames: list[Tensor] = []
            for _ in range(n_frames):
                x, memories, skips = self.next_frame(x, memories, skips, generator)
                frames.append(x)
            return torch.stack(frames, dim=1).unflatten(0, (n_samples, len(x_cond)))

    def condition(
        self, x_cond: Float[Tensor, "b t c h w"], n_samples: int, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "sb c h w"], tuple[Memory, Memory], list[Tensor]]:
        """What predictions start from: the last given frame, what the predictor and the prior remember of the frames
        before, and the features to decode with; n_samples copies, samples outermost, each with its own z."""
        encoded = [self.encoder(x) for x in x_cond.unbind(1)]  # one time a call, for batch norms that look at the batch
        h = torch.stack([h for h, _ in encoded], dim=1)
        skips = [f.repeat(n_samples, 1, 1, 1) for f in encoded[-2][1]]
        _, (hidden, cell) = self.prior(h[:, :-1])
        h = h.repeat(n_samples, 1, 1)
        z = gaussian(self.posterior(h[:, 1:])[0]).sample(generator)
        _, predictor = self.predictor(torch.cat([h[:, :-1], z], dim=-1))
        prior = (hidden.repeat(1, n_samples, 1), cell.repeat(1, n_samples, 1))
        return x_cond[:, -1].repeat(n_samples, 1, 1, 1), (predictor, prior), skips

    def next_frame(
        self,
        x: Float[Tensor, "n c h w"],
        memories: tuple[Memory, Memory],
        skips: list[Tensor],
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, "n c h w"], tuple[Memory, Memory], list[Tensor]]:
        """The frame after x, with what the LSTMs then remember and the features for the frame after that."""
        predictor, prior = memories
        h, features = self.encoder(x)
        raw, prior = self.prior(h[:, None], prior)
        z = gaussian(raw).sample(generator)
        g, predictor = self.predictor(torch.cat([h[:, None], z], dim=-1), predictor)
        skips = features if self.config.last_frame_skip else skips
        return self.decoder(torch.tanh(g[:, 0]), skips), (predictor, prior), skips


def gaussian(raw: Float[Tensor, "*batch two_z_dim"]) -> Gaussian:
    """Mean and log variance, the two halves of a network's output, as SVG has them; in float32 at least."""
    mean, log_variance = raw.to(torch.promote_types(raw.dtype, torch.float32)).chunk(2, dim=-1)
    return Gaussian(mean, (0.5 * log_variance).exp())


@contextmanager
def batch_statistics(module: nn.Module) -> Generator[None]:
    """Batch norms use the statistics of what they are given inside, and remember nothing of it."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [(m.training, m.track_running_stats) for m in norms]
    for m in norms:
        m.training, m.track_running_stats = True, False
    try:
        yield
    finally:
        for m, (training, tracking) in zip(norms, before):
            m.training, m.track_running_stats = training, tracking
