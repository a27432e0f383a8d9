"""Models on disk. Nothing here unpickles code. Read in chapter 7, the official release in chapter 6.

`weights`: our format, written and read. `official`: folders of the official release, read and written. `shipped`: what
comes with the package. `loading`: from a path or a name to a model, whatever lies there.
"""

from srvp_lite.checkpoint.loading import find, load, load_experiment, model_sha256
from srvp_lite.checkpoint.official import load_official, official_experiment, save_official
from srvp_lite.checkpoint.shipped import shipped_dir, shipped_names, shipped_results
from srvp_lite.checkpoint.weights import load_weights, read_header, save
from srvp_lite.utils.files import CheckpointError, read_tensors, write_tensors

__all__ = [
    "CheckpointError", "find", "load", "load_experiment", "load_official", "load_weights", "model_sha256",
    "official_experiment", "read_header", "read_tensors", "save", "save_official", "shipped_dir", "shipped_names",
    "shipped_results", "write_tensors",
]  # fmt: skip
