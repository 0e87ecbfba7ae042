"""A folder (or zip, or tar) of texts, one file each: `<class>/**/*.txt`. The label is the folder that a file lies in.

Bytes are read in the source's encoding where it says one that fits, else as their mark, UTF-8 or Windows-1252.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa

from jobs.readers import image_folder, store
from jobs.readers.record import Piece, Reading, Record, fingerprint, refused
from jobs.tabular.cells import Cells
from udfs.text.repair import decoded

SUFFIXES = (".txt", ".text", ".md")


def pieces(task: Reading) -> Iterator[Piece]:
    """Some hundred files each. Raises RecipeError for an empty folder."""
    if not image_folder.listed(task, task.need("path")):
        raise task.error(f"{task.need('path')} holds no files: it needs <class>/<text> with texts such as .txt.")
    yield from image_folder.pieces(task)


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The texts of one piece."""
    uri = task.need("path")
    if "refused" in piece:
        name, reason, detail = piece["refused"]
        yield [refused(f"{uri}#{name}", reason, detail, fingerprint(b"name", name.encode()))]
        return
    texts, labels, places, bad = [], [], [], list[Record]()
    for content in store.contents(uri, piece["names"]):
        place = f"{uri}#{content.name}" if store.is_archive(uri) else f"{uri.rstrip('/')}/{content.name}"
        if content.data is None or not content.name.lower().endswith(SUFFIXES):
            bad.append(_refusal(content, place))
            continue
        texts.append(decoded(content.data, task.source.encoding))
        labels.append(PurePosixPath(content.name).parent.name or None)
        places.append(place)
    yield bad
    columns = {"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())}
    yield Cells(columns, pa.array(places, pa.string()))


def _refusal(content: store.Content, place: str) -> Record:
    named = fingerprint(b"name", content.name.encode())
    if content.data is None:
        return refused(place, content.reason or "file_unreadable", content.detail or "", named)
    return refused(place, "file_not_text", f"the name does not end in one of {', '.join(SUFFIXES)}", named)
