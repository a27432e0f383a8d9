"""Which errors a user can set right. They are told in one sentence; all others are ours, and keep their traceback."""

import dis
import re

from srvp_lite.utils.errors import SRVPError

UNUSABLE_DEVICE = (
    "device string",
    "invalid device ordinal",
    "No CUDA GPUs",
    "NVIDIA driver",
    "no kernel image",
    "not linked with support for",
)
"""Words by which PyTorch says that a device does not exist or cannot be used; it has no error of its own for that."""


def sentence(error: Exception) -> str | None:
    """What to tell the user, or None where the error is a fault of the package.

    The user's are: errors made for them (SRVPError); files and the network (OSError); ValueError and ImportError if
    the package itself raised them, since it does so for what it was given and for missing extras, not if a library
    did, which means that the package called it wrongly; packages that are not installed; too little memory; devices
    that this machine does not have.
    """
    if isinstance(error, (SRVPError, OSError)):
        return str(error)
    if isinstance(error, (ValueError, ImportError)) and raised_by_the_package(error):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("srvp_lite"):
        return f'{error}; install what is missing: pip install "srvp-lite[eval,notebook,ode,video]"'
    if ran_out_of_memory(error):
        wanted = re.search(r"ried to allocate (\d[\d.]* ?\w+)", str(error))
        return (
            f"out of memory{f', {wanted[1]} more were asked for' if wanted else ''}. Smaller numbers need less: "
            "--batch-size, or more parts with --accumulate, in training; --samples, --clips, --n-clips, --n-frames "
            "elsewhere"
        )
    if isinstance(error, RuntimeError) and any(words in str(error) for words in UNUSABLE_DEVICE):
        return f"the device cannot be used ({str(error).splitlines()[0]}); --device cpu always can"
    return None


def raised_by_the_package(error: Exception) -> bool:
    """Whether a `raise` in srvp_lite made the error, rather than a function that srvp_lite called."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None or at.tb_frame.f_globals.get("__name__", "").split(".")[0] != "srvp_lite":
        return False
    # Functions written in C have no frame of their own, so the line may also be one that only calls.
    return dis.opname[at.tb_frame.f_code.co_code[at.tb_lasti]] == "RAISE_VARARGS"


def ran_out_of_memory(error: Exception) -> bool:
    """Of Python, or of PyTorch on any device: a CPU's is a plain RuntimeError with such words."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )
