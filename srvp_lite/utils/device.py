"""Where tensors live: the device is chosen, named and waited for here, and the precision decided."""

from __future__ import annotations

import platform
import time

import torch


def choose_device(device: str) -> torch.device:
    """ "auto" is the first GPU, or the CPU where there is none."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("device 'cuda' was asked for, but this PyTorch sees no GPU; use --device cpu")
        torch.cuda.set_device(chosen)  # streams and graphs go to the current device
    return chosen


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
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
