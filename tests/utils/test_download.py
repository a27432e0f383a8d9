"""Downloads that break off and go on, archives that try to escape."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from made_files import Server, tarred, zipped

from srvp_lite.utils import download

DATA = np.random.default_rng(0).bytes(3_000_000)


def test_an_interrupted_download_goes_on_where_it_was_cut_off(tmp_path):
    server = Server({"/f": DATA}, cut=1_234_567)
    with pytest.raises(OSError, match="127.0.0.1 broke off .*run the command again to go on"):
        download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert server.part(tmp_path, "f").stat().st_size == 1_234_567 and not (tmp_path / "f").exists()
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert (tmp_path / "f").read_bytes() == DATA and server.asked[-1] == ("/f", "bytes=1234567-")
    n = len(server.asked)
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert len(server.asked) == n, "what is there is kept"


def test_a_source_without_ranges_starts_over(tmp_path):
    server = Server({"/f": DATA}, ranges=False)
    server.part(tmp_path, "f").write_bytes(DATA[:1000])
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_whole_part_only_gets_its_name(tmp_path):
    server = Server({"/f": DATA})
    server.part(tmp_path, "f").write_bytes(DATA)
    download.fetch([server.url("/f")], tmp_path / "f", progress=False)
    assert (tmp_path / "f").read_bytes() == DATA


def test_each_source_that_fails_is_named_and_the_next_one_tried(tmp_path):
    good, other = Server({"/f": DATA}), Server({"/f": DATA[:-1] + b"!"})
    digest = hashlib.sha256(DATA).hexdigest()
    sources = ["http://no-such-host.invalid/f", other.url("/nowhere"), other.url("/f"), good.url("/f")]
    download.fetch(sources, tmp_path / "f", digest, progress=False)
    assert (tmp_path / "f").read_bytes() == DATA
    with pytest.raises(OSError) as error:
        download.fetch(sources[:3], tmp_path / "g", digest, progress=False)
    message = str(error.value)
    assert "could not fetch g" in message and "no-such-host.invalid cannot be reached" in message
    assert "127.0.0.1 answered 404" in message and "the file it sent is another one (sha256" in message
    assert not list(tmp_path.glob("g*")), "a wrong file is not kept"


def test_a_page_instead_of_an_archive_is_refused(tmp_path):
    server = Server({"/a.zip": b"<html>moved</html>"})
    with pytest.raises(OSError, match="what it sent is no zip archive"):
        download.fetch([server.url("/a.zip")], tmp_path / "a.zip", check=download.is_zip, progress=False)


def test_a_full_disk_is_not_the_networks_fault(tmp_path):
    code = f"""
import resource, signal
from srvp_lite.utils.download import fetch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    fetch(["{Server({"/f": DATA}).url("/f")}"], "{tmp_path / "f"}", progress=False)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "could not write" in done.stdout and "File too large" in done.stdout, done.stdout + done.stderr
    assert list(tmp_path.glob("f.*.part")) and not (tmp_path / "f").exists()


# Archives ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_are_unpacked(tmp_path, make):
    archive = make(tmp_path / "a", {"x.txt": b"1", "deep/er/y.txt": b"2"})
    download.unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "er" / "y.txt").read_bytes() == b"2"


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/srvp-evil.txt", "a/../../evil.txt"])
def test_a_path_that_tries_to_escape_is_refused(tmp_path, make, name):
    archive = make(tmp_path / "a", {"good.txt": b"1", name: b"2"})
    with pytest.raises(ValueError, match="outside of .*nothing was unpacked"):
        download.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "evil.txt").exists()


def test_links_and_damage_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds 'link', which is no plain file"):
        download.unpack(tarred(tmp_path / "t", {}, link="/etc/passwd"), tmp_path / "out")
    archive = zipped(tmp_path / "z.zip", {"x": b"abcdefgh" * 100})
    data = bytearray(archive.read_bytes())
    data[100] ^= 255
    archive.write_bytes(data)
    with pytest.raises(ValueError, match="z.zip is damaged"):
        download.unpack(archive, tmp_path / "out")
    (tmp_path / "cut.tar").write_bytes(tarred(tmp_path / "u", {"x": bytes(9000)}).read_bytes()[:3000])
    with pytest.raises(ValueError, match="cut.tar is damaged"):
        download.unpack(tmp_path / "cut.tar", tmp_path / "out")
