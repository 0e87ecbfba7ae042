"""Records of a table as rows of `raw`: their cells as text, their ids, where they stand.

A record's identity is hashed from its declared cells but the label, whatever the order of its columns; an empty cell
counts for nothing, so that a column that is declared anew, and empty in old files, leaves their rows their ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.readers.record import Reading, Record
from jobs.rows_read import STAGE, hashed, in_mix
from udfs import hashing, records
from udfs.rng import Words

_ONE, _TWO = hashing.word_of("record", 1), hashing.word_of("record", 2)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Cells:
    """Records: text by declared column (a column that the source lacks is left out), where each stands, its group."""

    columns: dict[str, pa.Array]
    positions: pa.Array
    groups: pa.Array | None = None


def ids(source: str, words: Words, more: Words, occurrences: Any = 0) -> pa.Array:
    """Ids of records by their two words and which one of several equal ones they are."""
    number = np.asarray(occurrences, np.uint64)
    with np.errstate(over="ignore"):
        return hashing.ids(records.maker("real", source), hashing.mix(words + number * _GAMMA), more ^ number)


def record_words(task: Reading, cells: Cells, names: Sequence[str], place: int) -> tuple[Words, Words]:
    """The two words of one record."""
    payload = _payload(task, cells, len(cells.positions))
    words, more = hashing.record_words(pa.table({n: payload[n].slice(place, 1) for n in names}), names, (_ONE, _TWO))
    return words, more


def ids_of_one(source: str, words: tuple[Words, Words], most: int) -> list[str]:
    """The ids that a record may have, by which one of several equal ones it is."""
    one, more = (np.repeat(each, most) for each in words)
    return ids(source, one, more, np.arange(most)).to_pylist()


def words_of(contents: Sequence[str]) -> tuple[Words, Words]:
    """The two words of records from their 32 hex digits, as `hashing.hex_of` writes them."""
    raw = np.frombuffer(bytes.fromhex("".join(contents)), "<u8").reshape(len(contents), 2).astype(np.uint64)
    return raw[:, 0], raw[:, 1]


def rows_of(task: Reading, cells: Cells, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Good records as rows of `schema`."""
    size = len(cells.positions)
    if not size:
        return
    payload = _payload(task, cells, size)
    names = [name for name, _ in task.columns if name != task.label]
    record = pa.table({name: payload[name] for name in names})
    words, more = hashing.record_words(record, names, (_ONE, _TWO))
    found = ids(task.source.name, words, more)
    columns: dict[str, Any] = {
        **payload,
        "row_id": found,
        "row_origin": pa.repeat("real", size),
        "row_split": _all(task.source.split, size),
        "row_source": cells.positions,
        "row_label_source": pa.repeat("given", size),
        "row_group": _groups(task, cells, size),
        "row_stage": pa.repeat(STAGE, size),
        "row_of": pa.repeat(task.source.name, size),
        "row_content": hashing.text_of(hashing.hex_of(words, more)),
        "row_in_mix": _in_mix(task, found, size),
    }
    yield from _conformed(columns, size, schema)


def refused_rows(task: Reading, bad: Sequence[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Records that could not be read, as rows without cells."""
    if not bad:
        return
    contents = [record.content.hex() for record in bad]
    found = ids(task.source.name, *words_of(contents))
    columns: dict[str, Any] = {
        "row_id": found,
        "row_origin": pa.repeat("real", len(bad)),
        "row_split": _all(task.source.split, len(bad)),
        "row_source": pa.array([record.position for record in bad], pa.string()),
        "row_stage": pa.repeat(STAGE, len(bad)),
        "row_reason": pa.array([record.reason for record in bad], pa.string()),
        "row_detail": pa.array([record.detail for record in bad], pa.string()),
        "row_of": pa.repeat(task.source.name, len(bad)),
        "row_content": pa.array(contents, pa.string()),
        "row_in_mix": _in_mix(task, found, len(bad)),
    }
    yield from _conformed(columns, len(bad), schema)


def _payload(task: Reading, cells: Cells, size: int) -> dict[str, pa.Array]:
    """Every declared column as text, labels in the recipe's words."""
    payload = {name: cells.columns.get(name, pa.nulls(size, pa.string())) for name, _ in task.columns}
    if task.label and task.source.labels:
        old, new = zip(*task.source.labels.items(), strict=True)
        label = payload[task.label]
        place = pc.index_in(pc.utf8_trim_whitespace(label), value_set=pa.array(old, pa.string()))
        mapped = pa.array(new, pa.string()).take(place)
        payload[task.label] = pc.coalesce(mapped, label)
    return payload


def _all(value: str | None, size: int) -> pa.Array:
    return pa.nulls(size, pa.string()) if value is None else pa.repeat(value, size)


def _groups(task: Reading, cells: Cells, size: int) -> pa.Array:
    if cells.groups is None:
        return pa.nulls(size, pa.string())
    return pc.binary_join_element_wise(task.source.name, cells.groups, ":")


def _in_mix(task: Reading, found: pa.Array, size: int) -> pa.Array:
    if task.source.weight >= 1:
        return pa.repeat(True, size)
    return pa.array([in_mix(each, task.source.weight) for each in found.to_pylist()])


def _conformed(columns: dict[str, Any], size: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """A batch of exactly `schema`, hashed."""
    loose = pa.schema([field.with_nullable(True) for field in schema])
    arrays = [columns.get(field.name, pa.nulls(size, field.type)) for field in loose]
    table = pa.table([array.cast(field.type) for array, field in zip(arrays, loose, strict=True)], schema=loose)
    yield from hashed(table, loose).combine_chunks().to_batches()
