"""Frames out of files: videos of any kind through PyAV, and the TFRecords of the BAIR data set without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

VIDEO_ENDINGS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", ".m4v", ".mpg", ".mpeg")


def read_video(
    path: str | Path,
    size: int | None = None,
    crop: tuple[int, int, int, int] | None = None,
    prepare: Callable[[np.ndarray], np.ndarray] | None = None,
    at_most: int | None = None,
) -> np.ndarray:
    """All frames of a video file, or the first `at_most`, bytes (T, H, W, 3).

    With `size` alone, frames are squeezed to size x size by FFmpeg's bicubic scaler, as the official scripts do for
    KTH. With `crop` (left, upper, right, lower), they are first cut out, then resized by Pillow's Lanczos filter, as
    for Human3.6M. `prepare` is called with each frame (H, W, 3) as it comes, so that a long video need not be held at
    its full size. Raises FileNotFoundError, ValueError for a file that is damaged or no video, and ImportError,
    saying what to install, without PyAV.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no video at {path}")
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise ImportError('videos are read by PyAV, which is not installed: pip install "srvp-lite[video]"') from error
    frames = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path} holds no video stream")
            container.streams.video[0].thread_type = "AUTO"
            for frame in container.decode(video=0):
                if prepare is not None:
                    frames.append(prepare(frame.to_ndarray(format="rgb24")))
                elif crop is not None and size is not None:
                    if crop[2] > frame.width or crop[3] > frame.height:
                        raise ValueError(
                            f"{path} has frames of {frame.width}x{frame.height}, too small to cut out {crop}: another "
                            "version of the data set?"
                        )
                    picture = Image.fromarray(frame.to_ndarray(format="rgb24")).crop(crop)
                    frames.append(np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS)))
                elif size is not None:
                    frames.append(frame.reformat(size, size, "rgb24", interpolation="BICUBIC").to_ndarray())
                else:
                    frames.append(frame.to_ndarray(format="rgb24"))
                if len(frames) == at_most:
                    break
    except FFmpegError as error:
        raise ValueError(f"{path} is damaged or no video ({error.strerror or error}); fetch it again") from error
    if not frames:
        raise ValueError(f"{path} holds no frames")
    return np.stack(frames)


def square(frame: np.ndarray, size: int, grey: bool) -> np.ndarray:
    """The middle square of a frame (H, W, 3), resized to (size, size, 3), or to one channel if `grey`."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    box = (left, top, left + side, top + side)
    picture = Image.fromarray(frame).crop(box).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture.convert("L"))[:, :, None] if grey else np.asarray(picture)
