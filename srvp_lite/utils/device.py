"""Where tensors live: the device is chosen, named and waited for here, and the precision decided.

A new kind of device needs a word in `devices_here` and a look at each function below. No tensor of 64-bit floats is
made on a device but with `precise_dtype`.
"""

from __future__ import annotations

import platform
import time

import torch

WITHOUT_FLOAT64 = ("mps",)
"""Kinds of device that have no 64-bit floats."""


def devices_here() -> list[str]:
    """The devices that this PyTorch sees, the best first: CUDA GPUs, "cuda:0" and so on, Apple's "mps", the "cpu"."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return cuda + ["mps"] * torch.backends.mps.is_available() + ["cpu"]


def choose_device(device: str) -> torch.device:
    """The device of a name. "auto" is the first CUDA GPU, else Apple's GPU, else the CPU; "cuda" the present CUDA GPU.

    Raises ValueError, naming the devices that there are, for any other.
    """
    here = devices_here()
    kinds = list(dict.fromkeys(name.split(":")[0] for name in here))
    if device == "auto":
        device = kinds[0]
    if device not in here + kinds:
        raise ValueError(f"there is no device {device!r} here; choose one of auto, {', '.join(here)}")
    chosen = torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)  # streams and graphs go to the current device
    return chosen


def device_name(device: torch.device) -> str:
    """What a person calls it: the GPU's name, or the processor's kind and PyTorch's threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def best_time(call, device: torch.device, seconds: float) -> float:
    """The shortest of repeated calls, in seconds; a first call is left out."""
    call()
    synchronize(device)
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)


def synchronize(device: torch.device) -> None:
    """Waits until the device has done what it was given: a GPU's calls return before their work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def precise_dtype(device: torch.device) -> torch.dtype:
    """The most precise floats of a device: 64 bits, or 32 where there are no longer ones. A tensor of 64 bits is made
    with this, or on the CPU."""
    return torch.float32 if device.type in WITHOUT_FLOAT64 else torch.float64


def allow_fast_float32(device: torch.device) -> None:
    """On a GPU, what is not bf16 is TF32, and convolution algorithms are tried out: shapes never change here."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def runs_in_bf16(precision: str, device: torch.device) -> bool:
    """What `precision` means on a device. A CPU computes bf16 when asked to; many are far slower at it."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"
