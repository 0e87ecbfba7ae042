"""A path table's commit log, read without an engine: is it whole, what is its newest commit, who may write.

Delta reads a log entry that was cut at a line's end without a word, and then shows fewer rows. So every entry since
the last checkpoint is looked at before a table is read or written: it must be JSON, say who committed, and agree with
the number of files and of bytes that Delta keeps beside it. Delta's local log store is not safe between processes, so
writers of a local table take turns by a lock.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf import runs
from conf.errors import StageError

_ENTRY = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")


@dataclass(frozen=True)
class Commit:
    """A table's newest commit: its version and what it says of itself."""

    version: int
    info: dict[str, Any]


@dataclass(frozen=True)
class Holds:
    """Files of a table and their bytes (NaN where not told), or by how much these grew."""

    files: int
    bytes: float

    def __str__(self) -> str:
        return f"{self.files} files of {self.bytes:,.0f} bytes"


def has_log(place: str) -> bool:
    """Whether a Delta table lies at the path or URI."""
    return bool(_versions(*runs.filesystem(f"{place}/_delta_log"))[0])


def check_log(place: str) -> Commit | None:
    """The newest commit, or None where no table is. Raises StageError naming the version whose entry is missing or
    damaged.
    """
    system, path = runs.filesystem(f"{place}/_delta_log")
    entries, checkpoint = _versions(system, path)
    if not entries:
        return None
    newest = max(entries)
    first = min(checkpoint + 1, newest) if checkpoint >= 0 else 0
    holds: Holds | None = None
    info: dict[str, Any] = {}
    for version in range(first, newest + 1):
        if version not in entries:
            raise _damaged(place, version, "it is missing")
        info, change = _entry(place, system, path, version)
        holds = _holds_after(place, system, path, version, holds, change)
    return Commit(newest, info)


def commits_after(place: str, version: int) -> list[Commit]:
    """The commits that came after `version` (-1: all that there are), oldest first."""
    system, path = runs.filesystem(f"{place}/_delta_log")
    entries, _ = _versions(system, path)
    return [Commit(each, _entry(place, system, path, each)[0]) for each in sorted(entries) if each > version]


def _versions(system: fs.FileSystem, path: str) -> tuple[set[int], int]:
    """The versions that have an entry, and the newest checkpoint's (-1: none)."""
    names = [info.base_name for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True))]
    entries = {int(match[1]) for name in names if (match := _ENTRY.fullmatch(name))}
    return entries, max((int(match[1]) for name in names if (match := _CHECKPOINT.fullmatch(name))), default=-1)


def _entry(place: str, system: fs.FileSystem, path: str, version: int) -> tuple[dict[str, Any], Holds]:
    """An entry's commit information, and by how much it grew the table."""
    with system.open_input_stream(f"{path}/{version:020d}.json") as stream:
        lines = stream.read().splitlines()
    info, files, size = None, 0, 0
    for number, line in enumerate(lines, 1):
        try:
            action = json.loads(line)
        except ValueError as error:
            raise _damaged(place, version, f"line {number} is not JSON") from error
        info = action.get("commitInfo", info)
        for word, sign in (("add", 1), ("remove", -1)):
            if word in action:
                files, size = files + sign, size + sign * action[word].get("size", math.nan)
    if info is None:
        raise _damaged(place, version, "it is empty" if not lines else "it does not say who committed")
    return info, Holds(files, size)


def _holds_after(
    place: str, system: fs.FileSystem, path: str, version: int, before: Holds | None, change: Holds
) -> Holds | None:
    """What Delta says the table holds at `version`; None where it does not say. Raises where the entry disagrees."""
    try:
        with system.open_input_stream(f"{path}/{version:020d}.crc") as stream:
            said = json.loads(stream.read())
    except (FileNotFoundError, ValueError):
        return None
    if "numFiles" not in said:
        return None
    told = Holds(int(said["numFiles"]), said.get("tableSizeBytes", math.nan))
    before = Holds(0, 0) if version == 0 else before
    if before is not None:
        left = Holds(before.files + change.files, before.bytes + change.bytes)
        if left.files != told.files or abs(left.bytes - told.bytes) > 0:  # of bytes not told nothing is known
            raise _damaged(place, version, f"it leaves {left}, the table had {told}")
    return told


def _damaged(place: str, version: int, what: str) -> StageError:
    return StageError(
        f"{place}: version {version} of the table is damaged: _delta_log/{version:020d}.json: {what}. Put that file"
        " back from a copy, or delete the table's folder and run the same command: the table is made anew."
    )


@contextmanager
def lock(place: str) -> Iterator[None]:
    """Hold the local table at `place` against other processes' writes; nothing to hold elsewhere, where the store
    decides.
    """
    if "://" in place or "/" not in place:
        yield
        return
    import fcntl

    table = Path(place)
    path = table.parent / ".locks" / f"{table.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
