"""The TFRecords of the BAIR data set, without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path


def read_tfrecords(path: str | Path) -> Iterator[dict[str, list[bytes]]]:
    """The examples of a TFRecord file: for each, its features that are bytes, by name.

    A record is a length (8 bytes, little-endian), a checksum of the length, the data, a checksum of the data. The
    data is a protocol buffer of type `tf.train.Example`. Checksums of lengths are checked, those of the data are not:
    in Python they would take longer than everything else. Raises ValueError on a damaged or truncated file.
    """
    path = Path(path)
    with open(path, "rb") as f:
        number = 0
        while head := f.read(12):
            if len(head) < 12:
                raise ValueError(f"{path} is cut off in the header of record {number}; fetch it again")
            length, checksum = struct.unpack("<QI", head)
            if masked_crc32c(head[:8]) != checksum:
                raise ValueError(f"{path} is damaged, or no TFRecord file: record {number} has a wrong checksum")
            data = f.read(length + 4)
            if len(data) < length + 4:
                raise ValueError(f"{path} is cut off in record {number}; fetch it again")
            try:
                yield parse_example(data[:length])
            except (IndexError, ValueError) as error:
                raise ValueError(f"{path} is damaged in record {number}: {error}") from error
            number += 1


def parse_example(data: bytes) -> dict[str, list[bytes]]:
    """Example { features = 1 { feature = 1 (map) { key = 1, value = 2 { bytes_list = 1 { value = 1 } } } } }."""
    features = {}
    for _, example in fields(data, 1):
        for _, entry in fields(example, 1):
            name = next((v for _, v in fields(entry, 1)), b"").decode()
            for _, feature in fields(entry, 2):
                for _, values in fields(feature, 1):
                    features[name] = [v for _, v in fields(values, 1)]
    return features


def fields(data: bytes, wanted: int) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protocol buffer message that have the number `wanted`."""
    i = 0
    while i < len(data):
        tag, i = varint(data, i)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, i = varint(data, i)
        elif kind == 1:
            i += 8
        elif kind == 5:
            i += 4
        elif kind == 2:
            length, i = varint(data, i)
            if i + length > len(data):
                raise ValueError("a field is longer than its message")
            if number == wanted:
                yield number, data[i : i + length]
            i += length
        else:
            raise ValueError(f"unknown kind of field, {kind}")


def varint(data: bytes, i: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[i]
        value |= (byte & 127) << shift
        i, shift = i + 1, shift + 7
        if byte < 128:
            return value, i


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C (Castagnoli), rotated by 15 bits and shifted by a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
