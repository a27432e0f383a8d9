"""LPIPS: the distance of two frames in the eyes of a network trained on photographs (Zhang et al., 2018).

Read in chapter 8. The package `lpips` brings the weights of its linear layers; the AlexNet beneath comes through
torchvision, which fetches it at first use. Version 0.1 of the linear weights, as in the paper: version 0.0 gives
lower numbers. Grey frames are repeated to three channels.
"""

from __future__ import annotations

import importlib.metadata
import urllib.error

import torch
from jaxtyping import Float
from torch import Tensor


class LPIPS:
    """LPIPS (AlexNet, version 0.1) on a device; lower is better, 0 means equal.

    `random_backbone` takes an AlexNet with random weights, for trying the code without a network. Raises ImportError
    or OSError, saying what to do, where a package or AlexNet's weights are missing.
    """

    def __init__(self, device: str | torch.device = "cpu", random_backbone: bool = False) -> None:
        try:
            import lpips
        except ImportError as error:
            raise ImportError('LPIPS needs the package lpips: pip install "srvp-lite[eval]"') from error
        except RuntimeError as error:  # "operator torchvision::nms does not exist"
            raise ImportError(
                f"torchvision does not fit the installed PyTorch {torch.__version__} ({error}); install the two "
                "together, as https://pytorch.org/get-started says"
            ) from error
        try:
            self.net = lpips.LPIPS(net="alex", version="0.1", pnet_rand=random_backbone, verbose=False)
        except (urllib.error.URLError, OSError) as error:
            raise OSError(
                f"AlexNet's weights are not here and could not be fetched ({error}). Fetch alexnet-owt-7be5be79.pth "
                "from https://download.pytorch.org/models/ on another machine and put it into "
                f"{torch.hub.get_dir()}/checkpoints"
            ) from error
        self.net = self.net.to(device).eval().requires_grad_(False)
        self.normalize = lpips.normalize_tensor
        self.backbone = "random" if random_backbone else "AlexNet"
        self.version = f"lpips {importlib.metadata.version('lpips')}, v0.1, {self.backbone}"

    @torch.no_grad()
    def __call__(
        self, prediction: Float[Tensor, "*b t c h w"], truth: Float[Tensor, "*#b t c h w"]
    ) -> Float[Tensor, "*b t"]:
        """The distance of each frame; frames (..., T, C, H, W) in [0, 1], at least 31 pixels high and wide.

        Where many predictions share one truth, broadcast along leading dimensions of size 1: its features are then
        computed once.
        """
        if truth.shape[-3] not in (1, 3) or min(truth.shape[-2:]) < 31:
            raise ValueError(
                f"LPIPS takes frames of 1 or 3 channels and at least 31x31 pixels, got {tuple(truth.shape[-3:])}"
            )
        theirs = self.features(truth)
        ours = self.features(prediction)
        total = torch.zeros((), device=truth.device)
        for layer, a, b in zip(self.net.lins, ours, theirs):
            difference = (a - b).square()  # broadcast over the samples
            weighted = layer(difference.flatten(0, -4)).mean(dim=(1, 2, 3))
            total = total + weighted.view(difference.shape[:-3])
        return total

    def features(self, frames: Float[Tensor, "*b t c h w"], at_once: int = 1024) -> list[Tensor]:
        """AlexNet's normalised features after five of its layers, each (..., T, c, h, w)."""
        flat = frames.flatten(0, -4)
        parts = []
        for some in flat.split(at_once):
            some = some if some.shape[1] == 3 else some.repeat(1, 3, 1, 1)
            outputs = self.net.net(self.net.scaling_layer(2 * some - 1))
            parts.append([self.normalize(f) for f in outputs])
        joined = [torch.cat(level) for level in zip(*parts)]
        return [f.view(*frames.shape[:-3], *f.shape[1:]) for f in joined]
