"""`srvp-lite models`: the list of the models that come with the package."""

from dataclasses import dataclass


@dataclass
class Options:
    """List the models that come with the package."""


def run(args: Options) -> None:
    from srvp_lite import checkpoint

    for name in checkpoint.shipped_names():
        header = checkpoint.read_header(checkpoint.find(name))
        info = header["info"]
        print(f"{name:<22} {info['step']:,} steps, validation PSNR {info['val_psnr']:.2f} dB")
    if not checkpoint.shipped_names():
        print("No model came with this installation.")
