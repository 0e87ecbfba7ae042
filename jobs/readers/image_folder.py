"""A folder (or zip, or tar) with one folder a class: `<class>/**/*.jpg`. Names of files say nothing more than where
they lie.

Files that lie in no class folder have no label: clean refuses them as `label_missing` unless the recipe labels rows.
A class that the recipe does not know is refused as `label_unknown` with its files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from conf.runs import filesystem
from jobs.readers import store
from jobs.readers.record import Piece, Reading, Record, chunks, fingerprint, refused

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jfif", ".ppm", ".pgm")


def pieces(task: Reading) -> Iterator[Piece]:
    """Some hundred files each; a tar is one piece, as it can only be read from its start.

    Raises RecipeError for an empty folder.
    """
    uri = task.need("path")
    found = listed(task, uri)
    if not found:
        raise task.error(f"{uri} holds no files: it needs <class>/<image> with images such as .jpg or .png.")
    yield from (
        {"refused": [entry.name, entry.reason, entry.detail], "bytes": 0} for entry in found if entry.reason is not None
    )
    good = [entry for entry in found if entry.reason is None]
    most = len(good) if store.in_order(uri) else None
    for names, size in chunks(
        ((e.name, e.size) for e in good), **({"most": most, "most_bytes": 1 << 62} if most else {})
    ):
        yield {"names": names, "bytes": size}


def read(task: Reading, piece: Piece) -> Iterator[Record]:
    """The images of one piece."""
    uri = task.need("path")
    if "refused" in piece:
        name, reason, detail = piece["refused"]
        yield refused(f"{uri}#{name}", reason, detail, fingerprint(b"name", name.encode()))
        return
    for content in store.contents(uri, piece["names"]):
        head, slash, _ = content.name.partition("/")
        yield file_record(task, uri, content, head if slash and task.source.label_column is not None else None)


def listed(task: Reading, uri: str) -> list[store.Entry]:
    """The store's files. Raises RecipeError where it cannot be listed."""
    try:
        return store.entries(uri)
    except OSError as error:
        raise task.error(f"{error}. Fetch it again.") from error


def file_record(
    task: Reading,
    uri: str,
    content: store.Content,
    label: str | None,
    split: str | None = None,
    group: str | None = None,
) -> Record:
    """The record of one image file, with its mask where the recipe has masks."""
    position = f"{uri}#{content.name}" if store.is_archive(uri) else f"{uri.rstrip('/')}/{content.name}"
    named = fingerprint(b"name", content.name.encode())
    if content.data is None:
        return refused(
            position, content.reason or "file_unreadable", content.detail or "", named, label=label, split=split
        )
    if not content.name.lower().endswith(SUFFIXES):
        detail = f"the name does not end in one of {', '.join(SUFFIXES)}"
        return refused(position, "file_not_image", detail, named, label=label, split=split)
    if not task.masks:
        return Record(fingerprint(content.data), position, label, content.data, split, group)
    mask, why = _mask(task, content.name)
    if mask is None:
        return refused(
            position, "mask_missing", why, fingerprint(content.data), label=label, split=split, image=content.data
        )
    return Record(fingerprint(content.data, mask), position, label, content.data, split, group, mask)


def _mask(task: Reading, name: str) -> tuple[bytes | None, str]:
    """The mask of an image: the file of the same name, as .png, below the source's `mask_path`."""
    root = task.need("mask_path")
    stem = str(PurePosixPath(name).with_suffix(""))
    for candidate in dict.fromkeys((f"{stem}.png", name)):
        found = next(iter(store.contents(root, [candidate])))
        if found.data is not None:
            return found.data, ""
    _, path = filesystem(root)
    return None, f"there is no {stem}.png in {path}"
