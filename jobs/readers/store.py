"""Files of a source, wherever they lie: a folder, a URI, a zip or a tar. Names are relative, checked, and never
written to disk.

What an archive's names could do to a disk (`../`, absolute paths, links) they cannot do here, as nothing is unpacked;
such members are refused all the same, since a name that lies about its place lies about its class. A member that
would unpack to hundreds of times its size is refused before it is unpacked.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyarrow import fs

from conf.runs import filesystem
from jobs.readers.record import MAX_FILE_BYTES

MAX_RATIO = 200  # photographs unpack to 1.0 times their size, drawings saved as BMP to perhaps 50
RATIO_FREE_BYTES = 1 << 20  # below this, a high ratio does no harm
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_DRIVE = re.compile(r"^[A-Za-z]:")
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    RuntimeError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Entry:
    """One file: its name within the store, its size, and why it is refused, if it is."""

    name: str
    size: int
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Content:
    """One file's bytes, or the reason why there are none."""

    name: str
    data: bytes | None
    reason: str | None = None
    detail: str | None = None


def is_archive(uri: str) -> bool:
    """Whether the name is that of a zip or tar."""
    return uri.lower().endswith(ARCHIVES)


def safe_name(name: str) -> str | None:
    """The name with plain slashes; None where it is absolute, climbs with `..`, a URI, or no file's name."""
    plain = name.replace("\\", "/")
    parts = plain.split("/")
    if (
        not plain.strip()
        or plain.startswith("/")
        or _DRIVE.match(plain)
        or "://" in plain
        or "\0" in plain
        or ".." in parts
    ):
        return None
    return "/".join(part for part in parts if part not in ("", ".")) or None


def is_hidden(name: str) -> bool:
    """Whether the name belongs to an operating system and not to the data (.DS_Store, __MACOSX, Thumbs.db)."""
    parts = name.split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts) or parts[
        -1
    ] in ("Thumbs.db", "desktop.ini")


def entries(uri: str) -> list[Entry]:
    """All files, hidden ones aside, sorted by name. Raises OSError for an archive that cannot be listed."""
    if is_archive(uri):
        found = list(_zip_entries(uri) if uri.lower().endswith(".zip") else _tar_entries(uri))
    else:
        found = list(_folder_entries(uri))
    visible = sorted((entry for entry in found if not is_hidden(entry.name)), key=lambda entry: entry.name)
    return [_once(entry, visible[place - 1] if place else None, place) for place, entry in enumerate(visible)]


def _once(entry: Entry, before: Entry | None, place: int) -> Entry:
    """An archive may hold a name twice; the second one cannot be told from the first, and is refused."""
    if before is None or before.name != entry.name:
        return entry
    return Entry(
        f"{entry.name} ({place})", entry.size, "archive_name_doubled", f"the archive holds {entry.name} more than once"
    )


def contents(uri: str, names: Collection[str]) -> Iterator[Content]:
    """The named files, each once, in any order; what cannot be read comes with its reason."""
    if not is_archive(uri):
        yield from (_file_content(uri, name) for name in names)
    elif uri.lower().endswith(".zip"):
        yield from _zip_contents(uri, names)
    else:
        yield from _tar_contents(uri, set(names))


def in_order(uri: str) -> bool:
    """Whether the store can only be read from its start, as tars are, and so should be one piece."""
    return is_archive(uri) and not uri.lower().endswith(".zip")


# ---- folders ----


def _folder_entries(uri: str) -> Iterator[Entry]:
    system, path = filesystem(uri)
    if isinstance(system, fs.LocalFileSystem):
        yield from _local_entries(os.path.realpath(path))
        return
    for info in system.get_file_info(fs.FileSelector(path, recursive=True)):
        if info.type == fs.FileType.File:
            yield Entry(info.path[len(path.rstrip("/")) + 1 :], info.size)


def _local_entries(root: str) -> Iterator[Entry]:
    """Files below a local folder; links that lead out of it are refused, folders behind links are not entered."""
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as scan:
            for item in scan:
                name = os.path.relpath(item.path, root)
                if item.is_symlink() and not _within(root, item.path):
                    yield Entry(
                        name,
                        0,
                        "path_outside",
                        f"a link to {os.path.realpath(item.path)}, which lies outside the folder",
                    )
                elif item.is_dir(follow_symlinks=False):
                    folders.append(item.path)
                elif item.is_file():
                    yield Entry(name, item.stat().st_size)


def _within(root: str, path: str) -> bool:
    return os.path.realpath(path).startswith(root + os.sep)


def _file_content(uri: str, name: str) -> Content:
    system, path = filesystem(uri)
    full = f"{path}/{name}"
    if isinstance(system, fs.LocalFileSystem) and not _within(os.path.realpath(path), full):
        return Content(name, None, "path_outside", "a link, or a folder behind one, leads out of the folder")
    try:
        with system.open_input_file(full) as file:
            if file.size() > MAX_FILE_BYTES:
                return Content(
                    name, None, "file_too_large", f"{file.size():,} bytes; at most {MAX_FILE_BYTES:,} are read"
                )
            return Content(name, file.read())
    except FileNotFoundError:
        return Content(name, None, "file_missing", f"there is no {name} in {uri}")
    except OSError as error:
        return Content(name, None, "file_unreadable", f"{name}: {error.strerror or error}")


# ---- zip ----


def _zip_entries(uri: str) -> Iterator[Entry]:
    with _archive(uri), _zip(uri) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield Entry(info.filename, info.file_size, *_zip_refusal(info))


def _zip_refusal(info: zipfile.ZipInfo) -> tuple[str | None, str | None]:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "archive_link", "a link, which may lead anywhere"
    return _refusal(info.filename, info.file_size, info.compress_size)


def _refusal(name: str, size: int, packed: int) -> tuple[str | None, str | None]:
    """Why a member of an archive is not read."""
    if safe_name(name) is None:
        return "path_outside", f"the member's name is {name[:200]!r}"
    if size > MAX_FILE_BYTES:
        return "file_too_large", f"{size:,} bytes unpacked; at most {MAX_FILE_BYTES:,} are read"
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(1, packed):
        return "archive_ratio", f"{packed:,} bytes would unpack to {size:,}; at most {MAX_RATIO} times as many are"
    return None, None


def _zip_contents(uri: str, names: Collection[str]) -> Iterator[Content]:
    with _archive(uri), _zip(uri) as archive:
        for name in names:
            try:
                info = archive.getinfo(name)
            except KeyError:
                yield Content(name, None, "file_missing", f"there is no {name} in {uri}")
                continue
            reason, detail = _zip_refusal(info)
            yield Content(name, None, reason, detail) if reason else _zip_content(archive, info)


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Content:
    """A member's bytes, never more than it declared."""
    try:
        with archive.open(info) as stream:
            data = stream.read(info.file_size + 1)
        if len(data) != info.file_size:
            return Content(
                info.filename, None, "archive_damaged", f"{info.file_size:,} bytes declared, {len(data):,} found"
            )
        return Content(info.filename, data)
    except _DAMAGE as error:
        return Content(info.filename, None, "archive_damaged", str(error)[:300])


def _zip(uri: str) -> zipfile.ZipFile:
    system, path = filesystem(uri)
    return zipfile.ZipFile(system.open_input_file(path))


# ---- tar ----


def _tar_entries(uri: str) -> Iterator[Entry]:
    with _archive(uri), _tar(uri) as archive:
        for info in archive:
            if not info.isdir():
                yield Entry(info.name, info.size, *_tar_refusal(info))


def _tar_refusal(info: tarfile.TarInfo) -> tuple[str | None, str | None]:
    if not info.isfile():
        return "archive_link", "a link or device, which may lead anywhere"
    return _refusal(info.name, info.size, info.size)


def _tar_contents(uri: str, names: set[str]) -> Iterator[Content]:
    """Wanted members as they come; a tar has no index."""
    missing = set(names)
    try:
        with _tar(uri) as archive:
            for info in archive:
                if info.name not in missing:
                    continue
                missing.discard(info.name)
                reason, detail = _tar_refusal(info)
                stream = None if reason else archive.extractfile(info)
                yield (
                    Content(info.name, stream.read(), None, None)
                    if stream
                    else Content(info.name, None, reason, detail)
                )
    except _DAMAGE as error:
        yield from (Content(name, None, "archive_damaged", str(error)[:300]) for name in sorted(missing))
        return
    yield from (Content(name, None, "file_missing", f"there is no {name} in {uri}") for name in sorted(missing))


class _Bounded(io.RawIOBase):
    """An unpacking stream that stops where the ratio to what it was packed from grows beyond reason."""

    def __init__(self, unpacked: io.BufferedIOBase, packed: fs.NativeFile) -> None:  # type: ignore[name-defined]
        self._unpacked, self._packed, self._read = unpacked, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._unpacked.read(len(buffer))
        self._read += len(data)
        if self._read > RATIO_FREE_BYTES + MAX_RATIO * max(1, self._packed.tell()):
            raise OSError(f"it unpacks to more than {MAX_RATIO} times its size")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _tar(uri: str) -> Iterator[tarfile.TarFile]:
    """The archive as a stream; unpacking is ours, so that it can be bounded."""
    system, path = filesystem(uri)
    with system.open_input_file(path) as file:
        magic = file.read(6)
        file.seek(0)
        openers = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
        opener = openers.get(magic[:2])
        stream = io.BufferedReader(_Bounded(opener(file, "rb"), file), 1 << 20) if opener else file  # type: ignore[arg-type, operator]
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            yield archive


@contextmanager
def _archive(uri: str) -> Iterator[None]:
    """Damage to an archive as a whole, as OSError with its name."""
    try:
        yield
    except FileNotFoundError:
        raise
    except _DAMAGE as error:
        raise OSError(f"{uri} is not an archive that can be read: {error}") from error
