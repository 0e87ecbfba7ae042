"""What every reader yields: a record, or the reason why there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from conf.errors import RecipeError
from conf.schema import Source

Piece = dict[str, Any]
T = TypeVar("T")

PIECE_BYTES = 8 << 20  # about a second's work of one core
PIECE_FILES = 512
MAX_FILE_BYTES = 256 << 20  # a file beyond this is no training image, and must not fill a worker's memory


@dataclass(frozen=True)
class Reading:
    """A source as its reader sees it.

    Its declaration, where its files lie (by the source's keys), the recipe's classes and, for tables, its columns.
    """

    origin: str
    source: Source
    locations: dict[str, str]
    labels: tuple[str, ...]
    masks: bool = False
    boxes: bool = False
    columns: tuple[tuple[str, str], ...] = ()  # of a table: names and types, in the recipe's order
    label: str | None = None  # of a table: the column that is the label
    window: tuple[int, int] = (0, 0)  # of series: steps and channels
    wide: tuple[str, ...] = ()  # of series: the columns of steps that a row's window is put together from
    streams: dict[str, Any] = field(default_factory=dict)  # of clips: how they are cut, and which channels they have

    def error(self, message: str) -> RecipeError:
        """A person's mistake, with the recipe and the source in front."""
        return RecipeError(f"{self.origin}, source {self.source.name}: {message}")

    def need(self, key: str) -> str:
        """The location that the source's `key` names."""
        if key not in self.locations:
            raise self.error(f"reader {self.source.reader} needs the key {key}.")
        return self.locations[key]


@dataclass(frozen=True)
class Record:
    """One record of a source. `content` is what its identity is hashed from: never its label, name or position."""

    content: bytes
    position: str
    label: str | None = None
    image: bytes | None = None
    split: str | None = None
    group: str | None = None
    mask: bytes | None = None
    boxes: list[dict[str, Any]] | None = None
    reason: str | None = None
    detail: str | None = None


def fingerprint(*parts: bytes) -> bytes:
    """16 bytes that stand for a record's content; each part counts with its length."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


def refused(position: str, reason: str, detail: str, content: bytes | None = None, **known: Any) -> Record:
    """A record that could not be read, known by its bytes where it has any, else by its position."""
    return Record(
        content or fingerprint(b"refused", position.encode()), position, reason=reason, detail=detail, **known
    )


def chunks(
    items: Iterable[tuple[T, int]], most: int = PIECE_FILES, most_bytes: int = PIECE_BYTES
) -> Iterator[tuple[list[T], int]]:
    """Items of known sizes in runs of at most `most` items and about `most_bytes`, each with its bytes."""
    held: list[T] = []
    size = 0
    for item, item_bytes in items:
        if held and (len(held) >= most or size + item_bytes > most_bytes):
            yield held, size
            held, size = [], 0
        held.append(item)
        size += item_bytes
    if held:
        yield held, size


def plain_label(value: Any) -> str | None:
    """A label as the recipe writes it: text without blanks around it; whole numbers without a point.

    Null where empty.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None
