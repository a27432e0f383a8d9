"""Still digits: scikit-learn's bundled ones, which need no network, and MNIST's IDX files.

Read in chapter 1. torchvision could read MNIST too, but its wheel is tied to one build of torch, and the format is
a dozen lines.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from srvp_lite.utils.download import data_dir, fetch

SPLITS = ("train", "val", "test")
MNIST_FILES = {  # name of the images' and the labels' file, and the MD5 of the published archives
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def load_digits(
    source: str = "sklearn", split: str = "train", root: str | Path | None = None, size: int = 14
) -> tuple[Float[Tensor, "n size size"], Int[Tensor, " n"]]:
    """Digit images (N, size, size), float in [0, 1], and their labels (N,), integers 0..9.

    `source` is "sklearn" (1,797 digits of 8x8 pixels, enlarged) or "mnist" (IDX files under `root`, see
    `find_mnist`); `split` is "train", "val" or "test". No image is in two splits. scikit-learn's digits are split
    80 / 5 / 15 %; MNIST's training digits 95 / 5 %, as in the official code, and its test digits are the test split.
    Raises ValueError for an unknown source or split, FileNotFoundError when MNIST is not there.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if source == "sklearn":
        from sklearn.datasets import load_digits as bundled

        images, labels = bundled(return_X_y=True)
        images, labels = images.reshape(-1, 8, 8) / 16, labels
        shares = {"train": (0, 0.80), "val": (0.80, 0.85), "test": (0.85, 1)}
    elif source == "mnist":
        images, labels = read_mnist("test" if split == "test" else "train", root)
        images = images / 255
        shares = {"train": (0, 0.95), "val": (0.95, 1), "test": (0, 1)}
    else:
        raise ValueError(f"digits come from 'sklearn' or 'mnist', got {source!r}")
    # Neighbours in the files are often by one writer, so the digits are shuffled, always the same way, before the cut.
    order = np.random.default_rng(0).permutation(len(images))
    low, high = (round(share * len(order)) for share in shares[split])
    chosen = order[low:high]
    return resize(torch.from_numpy(images[chosen]).float(), size), torch.from_numpy(labels[chosen].astype(np.int64))


def resize(images: Float[Tensor, "n a a"], size: int) -> Float[Tensor, "n size size"]:
    """Square images at another size: averaged when shrunk, smoothly interpolated when enlarged."""
    if size < 1:
        raise ValueError(f"a digit needs at least one pixel, got size={size}")
    if size == images.shape[-1]:
        return images
    if size < images.shape[-1]:
        resized = F.interpolate(images[:, None], (size, size), mode="area")
    else:
        resized = F.interpolate(images[:, None], (size, size), mode="bicubic", align_corners=False)
    return resized[:, 0].clamp(0, 1)


def bent(images: Float[Tensor, "n a a"], copies: int) -> Float[Tensor, "copies_n a a"]:
    """`copies` of all images, one after the other: the first as they are, the others each turned by up to 12 degrees,
    sheared by up to 0.15 and scaled by 0.85 to 1.05 about its middle, always the same way."""
    n = len(images)
    generator = torch.Generator().manual_seed(0)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n * (copies - 1), generator=generator)

    angle, shear, scale = draw(-0.21, 0.21), draw(-0.15, 0.15), 1 / draw(0.85, 1.05)
    cos, sin, none = angle.cos() * scale, angle.sin() * scale, torch.zeros_like(angle)
    # Where each pixel of the copy is looked up in the original: x, then y.
    maps = torch.stack([cos, shear * cos - sin, none, sin, shear * sin + cos, none], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(maps, [len(maps), 1, *images.shape[1:]], align_corners=False)
    originals = images.repeat(copies - 1, 1, 1)[:, None]
    moved = F.grid_sample(originals, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
    return torch.cat([images, moved[:, 0].clamp(0, 1)])


def read_mnist(split: str, root: str | Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """MNIST as published: images (N, 28, 28) and labels (N,), uint8; `split` is "train" (60,000) or "test" (10,000)."""
    folder = find_mnist(root)
    images, labels = (read_idx(folder / name) for name in MNIST_FILES[split])
    if len(images) != len(labels):
        raise ValueError(f"{folder} holds {len(images)} images and {len(labels)} labels of MNIST's {split} set")
    return images, labels


def find_mnist(root: str | Path | None = None) -> Path:
    """The folder of the IDX files, gzipped or not: MNIST/raw in `data_dir(root)`, as torchvision has it, or itself."""
    base = data_dir(root)
    needed = [name for names in MNIST_FILES.values() for name in names]
    for folder in (base / "MNIST" / "raw", base):
        if all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in needed):
            return folder
    raise FileNotFoundError(
        f"no MNIST under {base.resolve()}: expected {needed[0]}[.gz] and three more files there or in MNIST/raw. "
        "Fetch them with srvp_lite.data.digits.download_mnist(), name another folder in the environment variable "
        "SRVP_DATA_DIR, or use scikit-learn's digits, which need no files"
    )


def read_idx(path: Path) -> np.ndarray:
    """One IDX file of bytes, gzipped if only `path`.gz is there: a big-endian header with the shape, then the bytes."""
    try:
        raw = path.read_bytes() if path.is_file() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}.gz is damaged ({error}); delete it and fetch it again") from error
    if raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"{path} is no IDX file of bytes: it should begin with 00 00 08, not {raw[:3].hex(' ')}")
    shape = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    if values.size != np.prod(shape):
        raise ValueError(
            f"{path} is cut off: its header promises {shape}, it holds {values.size} bytes; fetch it again"
        )
    return values.reshape(shape)


def download_mnist(root: str | Path | None = None) -> Path:
    """Fetches MNIST's four files (11 MB) into MNIST/raw under `data_dir(root)`, checks their MD5, returns the folder.

    Files already there are kept. Raises OSError, naming what each source answered, when none delivers.
    """
    folder = data_dir(root) / "MNIST" / "raw"
    for name, md5 in MNIST_MD5.items():
        if not (folder / name).is_file():
            sources = [f"{mirror}{name}.gz" for mirror in MNIST_MIRRORS]
            fetch(sources, folder / f"{name}.gz", md5, "md5", progress=False)
    return folder
