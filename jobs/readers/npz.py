"""NumPy archives: `images` and `labels`, or both with `train_`, `val_`, `test_` before. Never unpickled.

An .npz is a zip of .npy files. Headers are read on the driver, rows in ranges by the workers, so no array is ever
whole in memory.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from conf.runs import filesystem
from jobs.readers.arrays import array_records, ranges, stacked
from jobs.readers.record import Piece, Reading, Record, plain_label

_SPLITS = ("train", "val", "test")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Member:
    """One array of the archive: its shape and type, and where in the .npy its data begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    file_bytes: int


def pieces(task: Reading) -> Iterator[Piece]:
    """Ranges of rows of every pair of arrays.

    Raises RecipeError where arrays are missing, mistyped, truncated or of unequal length.
    """
    uri = task.need("path")
    members = _members(task, uri)
    pairs = _pairs(task, uri, members)
    for images, labels, split in pairs:
        shape = _checked_images(task, uri, images, members[images])
        if labels is not None:
            _checked_labels(task, uri, images, labels, members)
        row_bytes = math.prod(shape[1:])
        for start, stop in ranges(shape[0], row_bytes):
            size = (stop - start) * row_bytes
            yield {"images": images, "labels": labels, "split": split, "start": start, "stop": stop, "bytes": size}


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """The rows of one range."""
    uri = task.need("path")
    start, stop = piece["start"], piece["stop"]
    with _opened(uri) as archive:
        images = stacked(_rows(archive, piece["images"], start, stop))
        labels: list[str | None] = [None] * (stop - start)
        if piece["labels"]:
            values = _rows(archive, piece["labels"], start, stop).reshape(stop - start)
            labels = [plain_label(value) for value in values.tolist()]
    yield from array_records(images, labels, f"{uri}:{piece['images']}", start, piece["split"])


def _members(task: Reading, uri: str) -> dict[str, Member]:
    """The arrays by name. Object arrays would need unpickling, which runs what the file says: refused."""
    try:
        with _opened(uri) as archive:
            damaged = archive.testzip()
            if damaged:
                raise ValueError(f"the checksum of {damaged} is wrong, so the file is damaged")
            infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            return {info.filename[:-4]: _member(archive, info) for info in infos}
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise task.error(f"{uri} is not an NPZ archive that can be read: {error}.") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    with archive.open(info) as stream:
        shape, fortran, dtype = _npy_header(stream)
        if dtype.hasobject:
            raise ValueError(
                f"{info.filename} holds Python objects, which only unpickling could read;"
                " save it as plain numbers or text"
            )
        if fortran and len(shape) > 1:
            raise ValueError(f"{info.filename} is stored in Fortran order; save np.ascontiguousarray of it")
        return Member(tuple(shape), dtype, stream.tell(), info.file_size)


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version == (1, 0):
        return npy.read_array_header_1_0(stream)
    if version == (2, 0):
        return npy.read_array_header_2_0(stream)
    raise ValueError(f"its arrays are of .npy version {version}, and 1.0 or 2.0 are known")


def _pairs(task: Reading, uri: str, members: dict[str, Member]) -> list[tuple[str, str | None, str | None]]:
    """(images, labels, split) of each part that is there; a source with a split of its own takes that part only."""
    own = task.source.split
    plain = [("images", "labels", own)] if "images" in members else []
    parts = [(f"{split}_images", f"{split}_labels", split) for split in _SPLITS if f"{split}_images" in members]
    if own and any(split == own for *_, split in parts):
        parts = [part for part in parts if part[2] == own]
    found = plain or parts
    if not found:
        held = ", ".join(sorted(members)) or "none"
        raise task.error(f"{uri} has no array images, nor train_images, val_images or test_images; it has {held}.")
    missing = [labels for _, labels, _ in found if labels not in members]
    if missing and task.source.label_column is not None:
        raise task.error(f"{uri} has no array {missing[0]}; for images without labels say label_column: null.")
    return [(images, labels if labels in members else None, split) for images, labels, split in found]


def _checked_images(task: Reading, uri: str, name: str, member: Member) -> tuple[int, ...]:
    if member.dtype != np.uint8:
        raise task.error(f"{uri}: {name} is of type {member.dtype}; uint8 in 0 to 255 is needed.")
    if len(member.shape) not in (3, 4) or (len(member.shape) == 4 and member.shape[3] not in (1, 3)):
        raise task.error(
            f"{uri}: {name} has the shape {member.shape}; (N, H, W), (N, H, W, 1) or (N, H, W, 3) is needed."
        )
    _checked_length(task, uri, name, member)
    return member.shape


def _checked_labels(task: Reading, uri: str, images: str, labels: str, members: dict[str, Member]) -> None:
    count, member = members[images].shape[0], members[labels]
    if math.prod(member.shape) != count or member.shape[:1] != (count,):
        raise task.error(
            f"{uri}: {images} has {count:,} images and {labels} has the shape {member.shape}:"
            " one label an image is needed."
        )
    if member.dtype.kind not in "iubUS":
        raise task.error(f"{uri}: {labels} is of type {member.dtype}; whole numbers or text are needed.")
    _checked_length(task, uri, labels, member)


def _checked_length(task: Reading, uri: str, name: str, member: Member) -> None:
    expected = member.offset + math.prod(member.shape) * member.dtype.itemsize
    if member.file_bytes != expected:
        raise task.error(
            f"{uri}: {name} declares {member.shape}, which is {expected:,} bytes with its header;"
            f" it has {member.file_bytes:,}."
        )


def _rows(archive: zipfile.ZipFile, name: str, start: int, stop: int) -> NDArray[Any]:
    """Rows [start, stop) of one array; a deflated member is unpacked up to there, in blocks."""
    info = archive.getinfo(f"{name}.npy")
    member = _member(archive, info)
    row_bytes = math.prod(member.shape[1:]) * member.dtype.itemsize
    with archive.open(info) as stream:
        stream.seek(member.offset + start * row_bytes)
        data = stream.read((stop - start) * row_bytes)
    return np.frombuffer(data, member.dtype).reshape(stop - start, *member.shape[1:])


def _opened(uri: str) -> zipfile.ZipFile:
    system, path = filesystem(uri)
    return zipfile.ZipFile(system.open_input_file(path))
