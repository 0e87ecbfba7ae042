"""A row looked up in its source again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from jobs.readers import reading
from jobs.rows_read import BOOKKEEPING
from jobs.tabular import cells, ingest
from jobs.tabular.again import record_again
from tests.jobs.tabular.made import people, recipe
from udfs import hashing, records


def test_words_are_read_as_they_are_written():
    words = np.array([5, 2**63], np.uint64), np.array([7, 1], np.uint64)
    contents = hashing.text_of(hashing.hex_of(*words)).to_pylist()
    assert [each.tolist() for each in cells.words_of(contents)] == [each.tolist() for each in words]


def test_a_row_is_found_where_it_was_read_until_another_record_stands_there(tmp_path):
    lines = ["name,age,score,label", *people(30)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    config = recipe(tmp_path, [{"name": "csv", "reader": "csv", "path": "a.csv"}])
    source = config.recipe.sources[0]
    task = reading(config, source)
    schema = pa.schema([*records.refused_schema(ingest.raw_schema(config.recipe)), *BOOKKEEPING])
    (piece,) = ingest.pieces(task)
    rows = pa.Table.from_batches(list(ingest.read_piece(task, piece, schema))).to_pylist()
    assert record_again(config, source, rows[4]) == ("read from its source again: the same record", True)
    second = ingest.ids(["csv"], [rows[4]["row_content"]], [1])[0]
    assert record_again(config, source, {**rows[4], "row_id": second})[1] is True, "the second of equal ones"
    lines[5] = "other,1,1,no"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert record_again(config, source, rows[4])[1] is False
    (tmp_path / "a.csv").write_text("\n".join(lines[:4]))
    told, same = record_again(config, source, rows[4])
    assert same is None
    assert "no longer there" in told
