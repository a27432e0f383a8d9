"""Files of the formats of real data sets, and a web server that has them, made by the tests that need them."""

import http.server
import io
import struct
import tarfile
import threading
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from srvp_lite.data.tfrecords import masked_crc32c


def encode(path: Path, frames: np.ndarray, codec: str = "mpeg4", rate: int = 25) -> Path:
    """Writes frames (T, H, W, 3) as a video, at high quality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.bit_rate = 8_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def moving_bar(n_frames: int, height: int, width: int, brightness: int = 200) -> np.ndarray:
    """A vertical bar that moves right by two pixels a frame, so that a picture tells its time."""
    frames = np.zeros((n_frames, height, width, 3), np.uint8)
    for t in range(n_frames):
        x = (2 * t) % (width - 16)
        frames[t, :, x : x + 16] = brightness
    return frames


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], link: str | None = None) -> Path:
    with tarfile.open(path, "w") as t:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            t.addfile(info)
    return path


def varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def example(features: dict[str, bytes]) -> bytes:
    """A serialised tf.train.Example, with a feature of floats in between that must be stepped over."""
    entries = [field(1, field(1, k.encode()) + field(2, field(1, field(1, v)))) for k, v in features.items()]
    floats = field(1, field(1, b"0/action") + field(2, field(2, field(1, struct.pack("<4f", 1, 2, 3, 4)))))
    return field(1, floats + b"".join(entries))


def write_tfrecords(path: Path, examples: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as f:
        for data in examples:
            head = struct.pack("<Q", len(data))
            f.write(head + struct.pack("<I", masked_crc32c(head)) + data + b"\0\0\0\0")
    return path


class Server:
    """A web server of this test: gives files, in part if asked to, cuts off the first answer if told to."""

    def __init__(self, files: dict[str, bytes], cut: int | None = None, ranges: bool = True):
        self.asked, outer = [], self
        self.cut = cut

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("Range")))
                data = files.get(self.path)
                if data is None:
                    self.send_error(404, "Gone")
                    return
                start = int(self.headers["Range"][6:-1]) if ranges and self.headers.get("Range") else 0
                if start >= len(data) > 0:
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                end = len(data) if outer.cut is None else outer.cut
                outer.cut = None
                self.wfile.write(data[start:end])

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def part(self, folder: Path, name: str) -> Path:
        """Where the beginning of a download from here lies."""
        return folder / f"{name}.127.0.0.1_{self.server.server_port}.part"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"
