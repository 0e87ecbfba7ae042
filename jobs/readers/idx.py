"""IDX pairs (MNIST's form), gzipped or not: big-endian magic and sizes, then the bytes.

http://yann.lecun.com/exdb/mnist: magic 0x0000, type (0x08 = unsigned byte), number of dimensions; a uint32 per
dimension. A gzipped file cannot be entered in the middle, so every piece of it unpacks from the start: some tenths of
a second at MNIST's size.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np

from conf.runs import filesystem
from jobs.readers.arrays import array_records, ranges, stacked
from jobs.readers.record import Piece, Reading, Record

_UNSIGNED_BYTE = 0x08
_BLOCK = 1 << 20


def pieces(task: Reading) -> Iterator[Piece]:
    """Ranges of rows. Raises RecipeError where magic, length or the two files' counts are wrong."""
    images = task.need("images")
    shape = _checked_shape(task, images, (3, 4))
    labels = task.locations.get("labels_path")
    if labels:
        (count,) = _checked_shape(task, labels, (1,))
        if count != shape[0]:
            raise task.error(
                f"{images} has {shape[0]:,} images and {labels} has {count:,} labels: the counts must be equal."
            )
    row_bytes = math.prod(shape[1:])
    for start, stop in ranges(shape[0], row_bytes):
        yield {"start": start, "stop": stop, "shape": list(shape), "bytes": (stop - start) * row_bytes}


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """The rows of one range."""
    start, stop, shape = piece["start"], piece["stop"], tuple(piece["shape"])
    uri = task.need("images")
    row_bytes = math.prod(shape[1:])
    data = _read_range(uri, 4 + 4 * len(shape) + start * row_bytes, (stop - start) * row_bytes)
    images = stacked(np.frombuffer(data, np.uint8).reshape(stop - start, *shape[1:]))
    labels: list[str | None] = [None] * (stop - start)
    if "labels_path" in task.locations:
        labels = [str(label) for label in _read_range(task.locations["labels_path"], 8 + start, stop - start)]
    yield from array_records(images, labels, uri, start, task.source.split)


def _checked_shape(task: Reading, uri: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes in the header, once magic and length are found to be right."""
    try:
        shape, expected, found = _header(task, uri, dimensions)
    except (OSError, EOFError, zlib.error) as error:
        raise task.error(f"{uri} cannot be read to its end: {error}. Fetch it again.") from error
    if found != expected:
        sizes = " x ".join(str(size) for size in shape)
        raise task.error(f"{uri} declares {sizes}, which is {expected:,} bytes with its header; it has {found:,}.")
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise task.error(f"{uri} has {shape[3]} channels; 1 or 3 are needed.")
    return shape


def _header(task: Reading, uri: str, dimensions: tuple[int, ...]) -> tuple[tuple[int, ...], int, int]:
    """Sizes, expected length and found length."""
    with _open(uri) as stream:
        magic = stream.read(4)
        wanted = " or ".join(f"0000 08 {n:02x}" for n in dimensions)
        if len(magic) < 4 or magic[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or magic[3] not in dimensions:
            shown = (
                f"{magic[:2].hex()} {magic[2:3].hex()} {magic[3:].hex()}"
                if len(magic) == 4
                else "an end after fewer than 4 bytes"
            )
            raise task.error(f"{uri} is no IDX file of bytes: expected the magic {wanted}, found {shown}.")
        sizes = stream.read(4 * magic[3])
        if len(sizes) < 4 * magic[3]:
            raise task.error(
                f"{uri} ends within its header: expected {4 + 4 * magic[3]} bytes, found {4 + len(sizes)}."
            )
        shape = struct.unpack(f">{magic[3]}I", sizes)
        header = 4 + 4 * magic[3]
        expected = header + math.prod(shape)
        return shape, expected, header + _count(stream, math.prod(shape) + 1)


def _count(stream: IO[bytes], most: int) -> int:
    """Bytes left in the stream, counted up to `most`."""
    counted = 0
    while counted < most and (block := stream.read(min(_BLOCK, most - counted))):
        counted += len(block)
    return counted


def _read_range(uri: str, start: int, length: int) -> bytes:
    """`length` bytes from `start` of the unpacked file."""
    with _open(uri) as stream:
        stream.seek(start)
        data = stream.read(length)
    if len(data) != length:
        raise OSError(f"{uri} changed while it was read: {length:,} bytes expected at {start:,}, {len(data):,} found")
    return data


def _open(uri: str) -> IO[bytes]:
    """The unpacked stream; gzip is known by its first bytes, not by its name."""
    system, path = filesystem(uri)
    file = system.open_input_file(path)
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[return-value]
