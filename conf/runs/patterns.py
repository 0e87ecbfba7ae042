"""Files by path, URI or pattern, wherever they lie."""

from __future__ import annotations

import fnmatch
import re

from pyarrow import fs

from conf.runs.files import filesystem

_WILD = re.compile(r"[*?\[]")
_INSIDE = re.compile(r"^(.+?\.zip)/(.+)$", re.IGNORECASE)


def archive_of(uri: str) -> tuple[str, str] | None:
    """The zip and the member's name, of a name such as `data/all.zip/folder/a.csv`; None where it is no such name."""
    found = _INSIDE.match(uri)
    return (found[1], found[2]) if found else None


def base_of(uri: str) -> str:
    """The folder that a pattern starts from: all before its first wildcard; else the name itself, or its archive's."""
    if archive_of(uri):
        return archive_of(uri)[0]  # type: ignore[index]
    wild = _WILD.search(uri)
    if wild is None or _type_of(uri) != fs.FileType.NotFound:
        return uri
    return uri[: wild.start()].rpartition("/")[0] or ("/" if uri.startswith("/") else ".")


def files_of(uri: str) -> list[fs.FileInfo]:
    """Files, sorted by path: one, all below a folder, those that a pattern names (`*` stays within one folder), or the
    archive that a member lies in. None of them there: an empty list.
    """
    base = base_of(uri)
    system, path = filesystem(base)
    info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        return []
    infos = [info]
    if info.type == fs.FileType.Directory:
        infos = system.get_file_info(fs.FileSelector(path, recursive=True))
    found = [each for each in infos if each.type == fs.FileType.File]
    if base != uri and not archive_of(uri):
        pattern = filesystem(uri)[1].split("/")
        found = [each for each in found if _fits(each.path.split("/"), pattern)]
    return sorted(found, key=lambda each: each.path)


def _fits(parts: list[str], pattern: list[str]) -> bool:
    """Whether a path fits a pattern, folder by folder."""
    return len(parts) == len(pattern) and all(map(fnmatch.fnmatchcase, parts, pattern))


def _type_of(uri: str) -> fs.FileType:
    system, path = filesystem(uri)
    return system.get_file_info(path).type
