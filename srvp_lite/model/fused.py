"""The networks fused for prediction: the same functions, in fewer passes over memory.

What is trained is written as it is taught; what is drawn a hundred times for each test clip may be arranged otherwise.
Batch norms in evaluation mode are affine and go into the convolutions before them. What the decoder makes of the skips
it makes once for a predicted clip, not for each frame. On a CPU, the transposed convolutions that its library is slow
at, those of tiny images and those with few output channels, become matrix products. Results differ by rounding only;
what it is worth is seen with `srvp-lite bench --evaluation`.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from srvp_lite.model.convnets import Decoder, Encoder

SMALL_IMAGE = 4  # images of at most 4x4 pixels ...
FEW_CHANNELS = 8  # ... and at most 8 output channels are where a CPU's convolutions leave most of it idle


@contextmanager
def fused_networks(model: nn.Module, bf16: bool = False) -> Iterator[None]:
    """Inside, the model has fused copies in place of its encoder and decoder; after, its own again.

    With `bf16` the copies hold their weights in 16 bits, for use inside autocast.
    """
    own = {name: part for name, part in model.named_children() if isinstance(part, (Encoder, Decoder))}
    try:
        for name, network in own.items():
            copied = fuse(network)
            setattr(model, name, copied.to(torch.bfloat16) if bf16 else copied)
        yield
    finally:
        for name, network in own.items():
            setattr(model, name, network)


def fuse(network: Encoder | Decoder) -> Encoder | Decoder:
    """A copy that computes, in evaluation mode, what `network` does; it cannot be trained."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    fold_batch_norms(network)
    if isinstance(network, Decoder):
        network = SplitDecoder(network.from_vector, list(network.stages))
    for name, layer in convolutions(network):
        if isinstance(layer, nn.ConvTranspose2d) and layer.weight.device.type == "cpu":
            network.set_submodule(name, MatmulConvTranspose(layer))
    return network


def convolutions(network: nn.Module) -> list[tuple[str, nn.Conv2d | nn.ConvTranspose2d]]:
    """All convolutions of a network, in order, each with its name."""
    return [(name, m) for name, m in network.named_modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]


def fold_batch_norms(network: nn.Module) -> None:
    """Puts each batch norm, as it is in evaluation mode, into the convolution before it."""
    for block in [m for m in network.modules() if isinstance(m, nn.Sequential)]:
        for i, (layer, following) in enumerate(itertools.pairwise(list(block))):
            if isinstance(following, (nn.BatchNorm2d, nn.SyncBatchNorm)):
                assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))  # as `convnets` builds them
                block[i] = fuse_conv_bn_eval(layer, following, transpose=isinstance(layer, nn.ConvTranspose2d))
                block[i + 1] = nn.Identity()
            elif isinstance(following, nn.LeakyReLU):
                following.inplace = True  # what comes before is a convolution's fresh output


class SplitDecoder(Decoder):
    """A decoder in which the convolutions that see skips are two each: that of a clip's skips is
    done once for all its frames."""

    def __init__(self, from_vector: nn.Module, stages: Sequence[nn.Module]):
        super().__init__(from_vector, stages)
        for (_, before), (name, layer) in itertools.pairwise(convolutions(self)):
            if layer.in_channels > before.out_channels:
                self.set_submodule(name, SplitConv(layer, before.out_channels))

    def join(  # pyright: ignore[reportIncompatibleMethodOverride]: its stages take pairs
        self, h: Float[Tensor, "n c h w"], skip: Float[Tensor, "m d h w"]
    ) -> tuple[Tensor, Tensor]:
        return h, skip


class SplitConv(nn.Module):
    """A convolution of a frame's features and of skips on top of them, as the sum of a convolution of each."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d, n_own: int):
        super().__init__()
        self.own = of_channels(layer, slice(None, n_own), layer.bias)
        self.skip = of_channels(layer, slice(n_own, None), None)

    def forward(
        self, features: tuple[Float[Tensor, "n c h w"], Float[Tensor, "m d h w"]]
    ) -> Float[Tensor, "n e h2 w2"]:
        own, skip = self.own(features[0]), self.skip(features[1])
        return own.unflatten(0, (len(skip), -1)).add_(skip[:, None]).flatten(0, 1)


def of_channels(
    layer: nn.Conv2d | nn.ConvTranspose2d, channels: slice, bias: Tensor | None
) -> nn.Conv2d | nn.ConvTranspose2d:
    """The part of a convolution that sees some of the channels."""
    weight = layer.weight[channels] if isinstance(layer, nn.ConvTranspose2d) else layer.weight[:, channels]
    n_in = len(range(layer.in_channels)[channels])
    shape: Any = (layer.kernel_size, layer.stride, layer.padding)  # which torch declares as tuples of any length
    some = type(layer)(n_in, layer.out_channels, *shape, bias=False)
    some.weight, some.bias = nn.Parameter(weight.clone(), requires_grad=False), bias
    return some


class MatmulConvTranspose(nn.Module):
    """A transposed convolution that, where it is quicker, is computed as matrix products.

    With a kernel of m strides, each pixel of the input adds to m x m blocks of stride x stride pixels of the output:
    one product for each of the m x m, added up where they fall.
    """

    def __init__(self, layer: nn.ConvTranspose2d):
        super().__init__()
        self.layer = layer
        self.stride, self.padding = layer.stride[0], int(layer.padding[0])
        self.m = layer.kernel_size[0] // layer.stride[0]

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h2 w2"]:
        n, c, h, w = x.shape
        if self.layer.out_channels <= FEW_CHANNELS:
            return self.side_by_side(self.one_product(x.permute(0, 2, 3, 1).reshape(-1, c), n, h, w))
        if max(h, w) <= SMALL_IMAGE:
            return self.side_by_side(self.product_per_block(x.permute(0, 2, 3, 1).reshape(-1, c), n, h, w))
        return self.layer(x)

    @functools.cached_property
    def by_block(self) -> Float[Tensor, "m m c ssd"]:
        """The weights, a matrix for each block."""
        c, d, m, s = self.layer.in_channels, self.layer.out_channels, self.m, self.stride
        return self.layer.weight.view(c, d, m, s, m, s).permute(2, 4, 0, 3, 5, 1).reshape(m, m, c, -1).contiguous()

    @functools.cached_property
    def by_plane(self) -> Float[Tensor, "mmssd c"]:
        """The weights, a row for each pixel of the output that a pixel of the input adds to."""
        c, d, m, s = self.layer.in_channels, self.layer.out_channels, self.m, self.stride
        return self.layer.weight.view(c, d, m, s, m, s).permute(2, 4, 3, 5, 1, 0).reshape(-1, c).contiguous()

    def product_per_block(
        self, pixels: Float[Tensor, "nhw c"], n: int, h: int, w: int
    ) -> Float[Tensor, "n hm wm s s d"]:
        """What the pixels add to each block, by m x m products with the output's channels last: for tiny images."""
        m, s = self.m, self.stride
        first = (pixels @ self.by_block[0, 0]).view(n, h, w, -1)
        out = first.new_zeros(
            n, h + m - 1, w + m - 1, first.shape[-1]
        )  # of the products' precision, under autocast too
        for a in range(m):
            for b in range(m):
                product = (pixels @ self.by_block[a, b]).view(n, h, w, -1) if a or b else first
                out[:, a : a + h, b : b + w] += product
        return out.view(n, h + m - 1, w + m - 1, s, s, -1)

    def one_product(self, pixels: Float[Tensor, "nhw c"], n: int, h: int, w: int) -> Float[Tensor, "n hm wm s s d"]:
        """The same by one product for all blocks, each channel an image of its own, so that rows of pixels are long:
        for few channels."""
        m, s = self.m, self.stride
        products = (self.by_plane @ pixels.T).view(m, m, -1, n, h, w)
        out = products.new_zeros(products.shape[2], n, h + m - 1, w + m - 1)
        for a in range(m):
            for b in range(m):
                out[:, :, a : a + h, b : b + w] += products[a, b]
        return out.view(s, s, -1, n, h + m - 1, w + m - 1).permute(3, 4, 5, 0, 1, 2)

    def side_by_side(self, blocks: Float[Tensor, "n h w s s d"]) -> Float[Tensor, "n d h2 w2"]:
        """Blocks of pixels side by side, the padding cut off, the bias added."""
        n, h, w, s, _, d = blocks.shape
        p = self.padding
        image = blocks.transpose(2, 3).reshape(n, h * s, w * s, d)[:, p : h * s - p, p : w * s - p].permute(0, 3, 1, 2)
        return image if self.layer.bias is None else image + self.layer.bias[:, None, None]
