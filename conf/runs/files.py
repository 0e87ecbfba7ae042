"""Files of a root, wherever it lies: JSON read and written whole, digests of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Set
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf.errors import StageError

HASH_MODULUS = 1 << 64


def filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path in it."""
    if "://" in uri:
        return fs.FileSystem.from_uri(uri)
    return fs.LocalFileSystem(), str(Path(uri).absolute())


def digest(count: int, hash_sum: int) -> str:
    """Digest of a set of rows.

    Their number and the sum of their hashes, so that order and partitioning do not matter.
    """
    return f"{count:x}-{hash_sum % HASH_MODULUS:016x}"


def digest_of(value: Any) -> str:
    """Digest of plain JSON."""
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()


def read_json(folder: str, name: str) -> Any:
    """The JSON file `name` in `folder`, or None where there is none. Raises StageError for a damaged one."""
    system, path = filesystem(folder)
    try:
        with system.open_input_stream(f"{path}/{name}") as stream:
            return json.loads(stream.read())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StageError(
            f"{folder}/{name} is damaged ({error}): delete it, and the same command makes it anew."
        ) from error


def write_bytes(folder: str, name: str, data: bytes) -> None:
    """Write a file whole or not at all.

    By rename where the file system is local, in one put where it is an object store.
    """
    system, path = filesystem(folder)
    system.create_dir(path, recursive=True)
    if not isinstance(system, fs.LocalFileSystem):
        with system.open_output_stream(f"{path}/{name}") as stream:
            stream.write(data)
        return
    draft = Path(path) / f".{name}.{os.getpid()}.draft"
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(Path(path) / name)


def write_json(folder: str, name: str, value: Any) -> None:
    """Write `value` as the JSON file `name` in `folder`."""
    write_bytes(folder, name, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode())


def clear(folder: str, keep: Set[str]) -> None:
    """Delete the files of a folder but those of these names; one that is not there is as good as empty."""
    system, path = filesystem(folder)
    for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        if info.type == fs.FileType.File and info.base_name not in keep:
            system.delete_file(info.path)
