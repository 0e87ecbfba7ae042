"""Hashes of many rows at once: of cells, for identity and for what a MERGE compares; and ids by number.

Words of 64 bits, mixed by splitmix64's finaliser (`udfs/rng.py`), in numpy: a million rows of fifteen columns take
about a second. Text is hashed once for each distinct value (BLAKE2). Equal cells give equal words whatever the batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from udfs.rng import GAMMA, Words, keys_of, mix

_NULL = np.uint64(0xA5A5A5A55A5A5A5A)
_NAN = np.uint64(0x7FF8000000000000)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def word_of(*parts: Any) -> np.uint64:
    """64 bits of plain values, such as names: what salts the words of rows."""
    told = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big"))


def row_words(table: pa.Table | pa.RecordBatch, names: Sequence[str], salt: np.uint64) -> Words:
    """uint64[N]: a hash of each row's cells in the columns `names`, whose order matters."""
    words = np.full(table.num_rows, salt, np.uint64)
    for name in names:
        with np.errstate(over="ignore"):
            words = mix(words * GAMMA + cell_words(table.column(name)))
    return words


def id_words(ids: pa.Array | pa.ChunkedArray, salt: np.uint64) -> Words:
    """uint64[N]: a word for each row id, far quicker than for other text. Raises ValueError where one is no id."""
    if isinstance(ids, pa.ChunkedArray):
        return np.concatenate([np.zeros(0, np.uint64), *(id_words(chunk, salt) for chunk in ids.chunks)])
    ids = ids.cast(pa.string())
    _, offsets, data = ids.buffers()
    if ids.null_count or not pc.all(pc.equal(pc.binary_length(ids), 40), min_count=0).as_py():
        raise ValueError("a row id has 40 hex digits")
    start = np.frombuffer(offsets, np.int32)[ids.offset] if len(ids) else 0
    text = str(memoryview(data or b"")[start : start + 40 * len(ids)], "ascii")
    return mix(keys_of(text, len(ids)) ^ salt)


def record_words(table: pa.Table | pa.RecordBatch, names: Sequence[str], salts: Sequence[np.uint64]) -> list[Words]:
    """uint64[N] for each salt: hashes of each row's cells that say nothing of the columns' order, and for which an
    empty or null cell is as good as none: so a column that is added, and empty so far, changes no row's hash.
    """
    found = [np.zeros(table.num_rows, np.uint64) for _ in salts]
    for name in names:
        cells = table.column(name)
        nothing = pc.fill_null(pc.equal(pc.binary_length(cells), 0), True) if _is_text(cells.type) else cells.is_null()
        words, empty = cell_words(cells), _flags(nothing)
        for place, salt in enumerate(salts):
            with np.errstate(over="ignore"):
                found[place] += np.where(empty, np.uint64(0), mix(words ^ word_of(name, int(salt))))
    return [mix(words ^ salt) for words, salt in zip(found, salts, strict=True)]


def _flags(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    plain = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(plain.to_numpy(zero_copy_only=False), np.bool_)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def cell_words(column: pa.Array | pa.ChunkedArray) -> Words:
    """uint64[N]: a word for each cell; null has one of its own."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        column = column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)
    if len(column) == column.null_count:
        return np.full(len(column), _NULL, np.uint64)
    words = _valid_words(column)
    if column.null_count:
        words = np.where(column.is_null().to_numpy(zero_copy_only=False), _NULL, words)
    return words


def _valid_words(column: pa.Array) -> Words:
    """Words of cells; those of nulls do not matter."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _of_codes(column)
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).fill_null(0.0).to_numpy()
        return mix(np.where(np.isnan(values), _NAN, values.view(np.uint64)) + GAMMA)
    if pa.types.is_boolean(kind):
        return mix(column.cast(pa.int8()).cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64) + GAMMA)
    if pa.types.is_date32(kind):
        return mix(column.cast(pa.int32()).cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64) + GAMMA)
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return mix(column.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64) + GAMMA)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return _of_codes(column.dictionary_encode())
    if pa.types.is_list(kind) and pa.types.is_floating(kind.value_type):
        return _of_lists(column)
    return np.array([word_of(repr(value)) for value in column.to_pylist()], np.uint64)


def _of_lists(column: pa.ListArray) -> Words:
    """Words of lists of numbers: of their bytes, one zero and one NaN."""
    values = column.flatten().to_numpy(zero_copy_only=False) + 0.0
    values[np.isnan(values)] = np.nan
    ends = np.cumsum(pc.fill_null(pc.list_value_length(column), 0).to_numpy()).tolist()
    starts = [0, *ends[:-1]]
    spans = (values[at:end].tobytes() for at, end in zip(starts, ends, strict=True))
    raw = b"".join(hashlib.blake2b(span, digest_size=8).digest() for span in spans)
    return np.frombuffer(raw, ">u8").astype(np.uint64)


def _of_codes(column: pa.DictionaryArray) -> Words:
    """Words of a dictionary's values, taken by its codes."""
    values = column.dictionary.to_pylist()
    if not values:
        return np.full(len(column), _NULL, np.uint64)
    plain = (value if isinstance(value, bytes) else str(value).encode() for value in values)
    raw = b"".join(hashlib.blake2b(value, digest_size=8).digest() for value in plain)
    words = np.frombuffer(raw, ">u8").astype(np.uint64)
    return words[pc.fill_null(column.indices, 0).to_numpy().astype(np.int64)]


def hex_of(*words: Words) -> NDArray[np.uint8]:
    """uint8[N, 16 * len(words)]: the words of each row as hex digits, one after the other."""
    raw = np.stack([each.astype(">u8") for each in words], axis=1).view(np.uint8)
    return np.stack([_HEX[raw >> 4], _HEX[raw & 15]], axis=2).reshape(len(raw), 16 * len(words))


def text_of(digits: NDArray[np.uint8]) -> pa.Array:
    """The rows of a matrix of characters as strings of one length."""
    count, width = digits.shape
    offsets = np.arange(0, (count + 1) * width, width or 1, dtype=np.int32)[: count + 1]
    data = np.ascontiguousarray(digits)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


def hashes(words: Words) -> pa.Array:
    """16 hex digits for each word."""
    return text_of(hex_of(words))


def ids(maker: str, words: Words, more: Words) -> pa.Array:
    """Row ids: the maker's 16 hex digits, then 24 of each row's two words."""
    which = hex_of(words, more)[:, :24]
    head = np.broadcast_to(np.frombuffer(maker.encode(), np.uint8), (len(which), len(maker)))
    return text_of(np.concatenate([head, which], axis=1))


def numbered_ids(maker: str, label: str, start: int, stop: int) -> pa.Array:
    """Ids of rows `start` to `stop` of a label.

    Never twice the same: the finaliser is a bijection of the number.
    """
    numbers = np.arange(start, stop, dtype=np.uint64)
    with np.errstate(over="ignore"):
        words = mix(numbers * GAMMA + word_of("which", label))
        more = mix(numbers * GAMMA + word_of("more", label))
    return ids(maker, words, more)
