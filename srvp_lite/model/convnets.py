"""Frames to vectors and back: the DCGAN and VGG encoders and decoders of SRVP and SVG.

Built in chapter 2. Both families halve the resolution stage after stage until 4x4 pixels are left, then turn those
into one vector; the decoder mirrors the way. Layer sizes are the paper's (appendix on architectures), for 64x64
frames; the DCGAN pair also exists at other powers of two, with as many stages as the size needs.

Networks here see single frames, (N, C, H, W): time and batch are flattened together by the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


def conv_block(conv: nn.Conv2d | nn.ConvTranspose2d, activation: nn.Module, batch_norm: bool = True) -> nn.Sequential:
    """A convolution, its batch norm, its activation. The convolutions carry no bias: the batch norm would cancel it."""
    norm = [nn.BatchNorm2d(conv.out_channels)] if batch_norm else []
    return nn.Sequential(conv, *norm, activation)


def down(n_in: int, n_out: int, batch_norm: bool = True) -> nn.Sequential:
    """DCGAN stage that halves the resolution."""
    return conv_block(nn.Conv2d(n_in, n_out, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), batch_norm)


def up(n_in: int, n_out: int) -> nn.Sequential:
    """DCGAN stage that doubles the resolution."""
    return conv_block(nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False), nn.LeakyReLU(0.2))


def conv3(n_in: int, n_out: int) -> nn.Sequential:
    """VGG layer that keeps the resolution."""
    return conv_block(nn.Conv2d(n_in, n_out, 3, 1, 1, bias=False), nn.LeakyReLU(0.2))


class Encoder(nn.Module):
    """Frames (N, C, H, W) -> encodings (N, nhx) in (-1, 1), and the output of each stage, deepest first."""

    def __init__(self, stages: Sequence[nn.Module], to_vector: nn.Module):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.to_vector = to_vector

    def forward(self, frames: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n nhx"], list[Tensor]]:
        features = []
        h = frames
        for stage in self.stages:
            h = stage(h)
            features.append(h)
        return self.to_vector(h).flatten(1), features[::-1]


class Decoder(nn.Module):
    """Vectors (N, nw + ny) -> frames (N, C, H, W) in (0, 1); with skips, each stage also sees the encoder's.

    Skips may have fewer rows, M: each then serves N / M vectors in a row, as one frame's features serve a whole clip.
    """

    def __init__(self, from_vector: nn.Module, stages: Sequence[nn.Module]):
        super().__init__()
        self.from_vector = from_vector
        self.stages = nn.ModuleList(stages)

    def forward(self, vector: Float[Tensor, "n d"], skips: list[Tensor] | None = None) -> Float[Tensor, "n c h w"]:
        h = self.from_vector(vector[:, :, None, None])
        for i, stage in enumerate(self.stages):
            h = stage(h if skips is None else self.join(h, skips[i]))
        return torch.sigmoid(h)

    def join(self, h: Float[Tensor, "n c h w"], skip: Float[Tensor, "m d h w"]) -> Float[Tensor, "n c_plus_d h w"]:
        """What a stage sees: the features of each frame on top of its own."""
        if len(skip) < len(h):
            skip = skip.repeat_interleave(len(h) // len(skip), dim=0)
        return torch.cat([h, skip], dim=1)


def dcgan(nx: int, nc: int, nf: int, nhx: int, n_latent: int, skip: bool) -> tuple[Encoder, Decoder]:
    """The DCGAN pair for frames of nx x nx pixels (a power of two, 16 at least) and nc channels.

    `nf` is the width of the stage at full resolution, doubled at each halving; `nhx` the size of an encoding,
    `n_latent` that of the decoder's input, `skip` whether the decoder sees the encoder's features.
    """
    n_stages = round(math.log2(nx)) - 2  # down to 4x4
    widths = [nf * 2**i for i in range(n_stages)]
    encoder = Encoder(
        [down(nc, widths[0], batch_norm=False)] + [down(a, b) for a, b in zip(widths, widths[1:])],
        conv_block(nn.Conv2d(widths[-1], nhx, 4, 1, 0, bias=False), nn.Tanh()),
    )
    widths = widths[::-1]
    seen = 2 if skip else 1
    decoder = Decoder(
        conv_block(nn.ConvTranspose2d(n_latent, widths[0], 4, 1, 0, bias=False), nn.LeakyReLU(0.2)),
        [up(a * seen, b) for a, b in zip(widths, widths[1:])]
        + [nn.ConvTranspose2d(nf * seen, nc, 4, 2, 1, bias=False)],
    )
    return encoder, decoder


def vgg(nx: int, nc: int, nf: int, nhx: int, n_latent: int, skip: bool) -> tuple[Encoder, Decoder]:
    """The VGG pair for 64x64 frames; arguments as in `dcgan`."""
    if nx != 64:
        raise ValueError(f"the VGG networks of the paper are made for 64x64 frames, got nx={nx}; use network='dcgan'")

    def half():
        return nn.MaxPool2d(2)

    def double():
        return nn.Upsample(scale_factor=2, mode="nearest")

    encoder = Encoder(
        [
            nn.Sequential(conv3(nc, nf), conv3(nf, nf)),
            nn.Sequential(half(), conv3(nf, nf * 2), conv3(nf * 2, nf * 2)),
            nn.Sequential(half(), conv3(nf * 2, nf * 4), conv3(nf * 4, nf * 4), conv3(nf * 4, nf * 4)),
            nn.Sequential(half(), conv3(nf * 4, nf * 8), conv3(nf * 8, nf * 8), conv3(nf * 8, nf * 8)),
        ],
        nn.Sequential(half(), conv_block(nn.Conv2d(nf * 8, nhx, 4, 1, 0, bias=False), nn.Tanh())),
    )
    seen = 2 if skip else 1
    first = conv_block(nn.ConvTranspose2d(n_latent, nf * 8, 4, 1, 0, bias=False), nn.LeakyReLU(0.2))
    decoder = Decoder(
        nn.Sequential(first, double()),
        [
            nn.Sequential(conv3(nf * 8 * seen, nf * 8), conv3(nf * 8, nf * 8), conv3(nf * 8, nf * 4), double()),
            nn.Sequential(conv3(nf * 4 * seen, nf * 4), conv3(nf * 4, nf * 4), conv3(nf * 4, nf * 2), double()),
            nn.Sequential(conv3(nf * 2 * seen, nf * 2), conv3(nf * 2, nf), double()),
            nn.Sequential(conv3(nf * seen, nf), nn.ConvTranspose2d(nf, nc, 3, 1, 1, bias=False)),
        ],
    )
    return encoder, decoder


def init_convnet(network: nn.Module) -> None:
    """The paper's initialisation: convolutions N(0, 0.02), batch-norm gains N(1, 0.02), biases 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
