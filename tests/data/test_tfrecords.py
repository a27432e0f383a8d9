"""TFRecords, as TensorFlow writes them: read without it; damaged ones are named."""

import pytest
from made_files import example, write_tfrecords

from srvp_lite.data.tfrecords import masked_crc32c, parse_example, read_tfrecords


def test_the_checksum_is_the_published_one():
    """CRC-32C of "123456789" is e3069283 (RFC 3720); masked as TensorFlow documents it."""
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def test_examples_are_read(tmp_path):
    path = write_tfrecords(
        tmp_path / "a.tfrecords", [example({"0/x": b"abc", "long": bytes(70_000)}), example({"y": b""})]
    )
    first, second = read_tfrecords(path)
    assert first["0/x"] == [b"abc"] and first["long"] == [bytes(70_000)] and second["y"] == [b""]
    assert parse_example(b"") == {}


@pytest.mark.parametrize("cut, message", [(-3, "cut off in record 1"), (8, "cut off in the header of record 0")])
def test_truncated_records_are_named(tmp_path, cut, message):
    path = write_tfrecords(tmp_path / "a.tfrecords", [example({"x": b"abc"})] * 2)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=f"a.tfrecords is {message}"):
        list(read_tfrecords(path))


def test_damaged_records_are_named(tmp_path):
    path = write_tfrecords(tmp_path / "a.tfrecords", [example({"x": b"abc"})])
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="record 0 has a wrong checksum"):
        list(read_tfrecords(path))
    write_tfrecords(path, [b"\x0a\xff\x01"])
    with pytest.raises(ValueError, match="damaged in record 0"):
        list(read_tfrecords(path))
