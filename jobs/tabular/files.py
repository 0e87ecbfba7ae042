"""Files of a table's source, and their bytes as a stream: plain, packed (gzip, bzip2, ...) or within a zip."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
from pyarrow import fs

from conf.runs import filesystem
from conf.runs.patterns import archive_of, base_of, files_of
from jobs.readers import store
from jobs.readers.record import Reading

_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
# Encodings in which every byte below 128 is what it is in ASCII, whatever stands before it.
_PLAIN_ENCODINGS = ("utf-8", "iso8859", "cp125", "cp437", "cp850", "koi8", "mac")


@dataclass(frozen=True)
class File:
    """One file: its name as rows tell it, where it lies, its size."""

    name: str
    size: int
    path: str
    member: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it can be read from any place on."""
        return self.member is None and not self.path.lower().endswith(tuple(_PACKED))


def found(task: Reading) -> list[File]:
    """The source's files, sorted by name, hidden ones aside. Raises RecipeError where there is none."""
    uri = task.need("path")
    inside = archive_of(uri)
    if inside is not None:
        return [File(uri, sum(each.size for each in files_of(uri)), uri, inside[1])]
    base = filesystem(base_of(uri))[1]
    files = [File(each.path, each.size, each.path) for each in files_of(uri) if not _is_hidden(each, base)]
    if not files:
        raise task.error(f"{uri} holds no files.")
    return files


def _is_hidden(info: fs.FileInfo, base: str) -> bool:
    below = info.path[len(base) :].lstrip("/")
    return any(part.startswith(("_", ".")) for part in below.split("/") if part)


@contextmanager
def opened(task: Reading, file: File, start: int = 0) -> Iterator[IO[bytes]]:
    """The file's bytes from `start` on, unpacked, and as UTF-8 where its encoding is not a kind of ASCII.

    Raises OSError for what cannot be read.
    """
    if file.member is not None:
        archive = archive_of(file.path)
        (content,) = store.contents(archive[0] if archive else "", [file.member])
        if content.data is None:
            raise OSError(content.detail)
        yield _recoded(task, io.BytesIO(content.data))
        return
    system, _ = filesystem(task.need("path"))
    kind = next((kind for end, kind in _PACKED.items() if file.path.lower().endswith(end)), None)
    with system.open_input_file(file.path) as plain:
        plain.seek(start)
        stream: Any = pa.CompressedInputStream(plain, kind) if kind else plain
        yield _recoded(task, stream)


def is_recoded(task: Reading) -> bool:
    """Whether the bytes that `opened` gives are another encoding's than the file's."""
    try:
        name = codecs.lookup(task.source.encoding).name
    except LookupError:
        return False
    return not name.startswith(_PLAIN_ENCODINGS) and name != "ascii"


def _recoded(task: Reading, stream: Any) -> IO[bytes]:
    """UTF-8 of another encoding; a byte that has no place in it becomes one that has none in UTF-8."""
    if not is_recoded(task):
        return stream
    return _Recoded(stream, task.source.encoding)  # type: ignore[return-value]


class _Recoded:
    """A stream of one encoding as one of UTF-8."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream, self._held = stream, b""
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        while not self._held:
            data = self._stream.read(size)
            self._held = self._decoder.decode(data, final=not data).encode("utf-8", "surrogateescape")
            if not data:
                break
        told, self._held = self._held[:size], self._held[size:]
        return told


def skip(stream: IO[bytes], size: int) -> None:
    """Read past so many bytes."""
    while size and (data := stream.read(size)):
        size -= len(data)
