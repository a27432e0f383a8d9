"""FVD: how far the distribution of predicted videos is from that of true ones (Unterthiner et al., 2019).

Read in chapter 8. Videos go through I3D, a network that recognises actions; its outputs over many videos are
summarised by a Gaussian on each side, and the Frechet distance of the two is the score. It depends on the number of
videos, so print that beside it; and this port to PyTorch resizes frames differently from the TensorFlow original, so
its numbers do not belong into one column with the paper's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from srvp_lite.utils.download import data_dir, fetch, is_zip
from srvp_lite.utils.files import sha256

I3D_FILE = "i3d_torchscript.pt"
I3D_SOURCES = ["https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1"]
LEAST_FRAMES = 9


class Moments:
    """Mean and covariance of vectors that come in batches, in float64; merged from batches without loss of digits."""

    def __init__(self) -> None:
        self.n = 0
        self.mean: Float[Tensor, " d"] = torch.empty(0, dtype=torch.float64)
        self.scatter: Float[Tensor, "d d"] = torch.empty(0, 0, dtype=torch.float64)

    def add(self, vectors: Float[Tensor, "n d"]) -> None:
        """Takes in a batch of vectors (n, d)."""
        vectors = vectors.detach().cpu().double()
        n, mean = len(vectors), vectors.mean(dim=0)
        centred = vectors - mean
        if self.n == 0:
            self.mean, self.scatter = torch.zeros_like(mean), torch.zeros(len(mean), len(mean), dtype=torch.float64)
        # The scatter about a joint mean is both scatters, and a term for the distance of the means.
        shift = mean - self.mean
        total = self.n + n
        self.scatter = self.scatter + centred.T @ centred + torch.outer(shift, shift) * self.n * n / total
        self.mean, self.n = self.mean + shift * n / total, total

    @property
    def covariance(self) -> Float[Tensor, "d d"]:
        """The unbiased covariance."""
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 vectors, there are {self.n}")
        return self.scatter / (self.n - 1)

    def state_dict(self) -> dict[str, int | Tensor]:
        """The number of vectors, their mean and their scatter, to be saved and given to `load_state_dict`."""
        return {"n": self.n, "mean": self.mean, "scatter": self.scatter}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        self.n, self.mean, self.scatter = state["n"], state["mean"], state["scatter"]


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mean_a - mean_b|^2 + trace(S_a + S_b - 2 (S_a S_b)^(1/2)) of two Gaussians.

    The trace of the root is the sum of the roots of the eigenvalues of R^T S_b R, where S_a = R R^T: symmetric, so no
    complex numbers and no instability where a covariance has no full rank, as with few videos.
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors * values.clamp(min=0).sqrt()
    product = torch.linalg.eigvalsh(root.T @ b.covariance @ root).clamp(min=0)
    difference = (a.mean - b.mean).square().sum()
    trace = a.covariance.trace() + b.covariance.trace() - 2 * product.sqrt().sum()
    return (difference + trace).item()


class FVD:
    """Features of videos by I3D (trained on Kinetics-400, as TorchScript), and the distance over them.

    `weights` is the file's path; by default it is looked for in `data_dir()`, and fetched if it is not there. The
    publishers name no hash, so `sha256` is printed with every result: compare it between machines. `detector` may be
    any call from videos (B, 3, T, H, W), floats in [0, 255], to features (B, d). Raises OSError or ValueError, saying
    what to do, where the weights cannot be had.
    """

    def __init__(
        self,
        device: str | torch.device = "cpu",
        weights: str | Path | None = None,
        detector: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.device = device
        self.sha256: str | None = None
        if detector is None:
            path = find_i3d() if weights is None else Path(weights)
            if not path.is_file():
                raise FileNotFoundError(f"no I3D weights at {path}: expected the TorchScript file {I3D_FILE}")
            try:
                network = torch.jit.load(str(path), map_location=device).eval()
            except RuntimeError as error:
                raise ValueError(
                    f"{path} is no TorchScript file of I3D, or damaged; delete it and try again"
                ) from error
            self.sha256 = sha256(path)

            def i3d(videos: Tensor) -> Tensor:
                return network(videos, rescale=True, resize=True, return_features=True)

            detector = i3d
        self.detector = detector
        self.version = f"I3D (torch port), sha256 {self.sha256}, conditioning and predicted frames"

    @torch.no_grad()
    def features(self, videos: UInt8[Tensor, "n t c h w"], at_once: int = 16) -> Float[Tensor, "n d"]:
        """Features (N, d) of videos (N, T, C, H, W), bytes, of at least 9 frames; grey ones repeated to 3 channels."""
        if videos.dtype != torch.uint8:
            raise TypeError(f"FVD takes bytes, as a video file would hold, got {videos.dtype}; use (x * 255).byte()")
        if videos.shape[1] < LEAST_FRAMES:
            raise ValueError(f"I3D needs videos of at least {LEAST_FRAMES} frames, got {videos.shape[1]}")
        if videos.shape[2] == 1:
            videos = videos.expand(-1, -1, 3, -1, -1)
        parts = [self.detector(v.to(self.device).float().transpose(1, 2)) for v in videos.split(at_once)]
        return torch.cat(parts)


def find_i3d() -> Path:
    """The weights in `data_dir()`, fetched (50 MB) if they are not there."""
    path = data_dir() / I3D_FILE
    try:
        return fetch(I3D_SOURCES, path, check=is_zip)
    except OSError as error:
        raise OSError(
            f"{error}. FVD needs I3D: fetch {I3D_FILE} on another machine, and name it with --fvd-weights, or put it "
            f"at {path}"
        ) from error
