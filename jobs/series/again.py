"""Rows of series looked up again, for `explain`: a child as augment hands it to the steps, a window cut anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf import Config
from conf.schema import Recipe
from jobs import plain_tables
from jobs.series.gathering import Gathering, schema_of
from jobs.series.observing import OBSERVED
from jobs.series.recordings import file_name
from udfs import records
from udfs.series.windows import SERIES_TYPE

BLANK = " "  # what Spark trims of a recording's name: other white space is part of it


def child_batch(recipe: Recipe, row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> pa.RecordBatch:
    """The row's primary id, its first parent's payload, its partner beside it."""
    first, *others = row["row_parents"]
    parent, schema = parents[first], records.row_schema(recipe)
    primary = records.child_id(row["row_id"][: records.MAKER_HEX], [first])
    lineage = {name: row.get(name) for name in records.LINEAGE.names}
    payload = {name: parent.get(name) for name in schema.names if name not in records.LINEAGE.names}
    cells = {**lineage, **payload, "row_id": primary, "row_parents": [first]}
    columns = {field.name: pa.array([cells[field.name]], field.type) for field in schema}
    partner = parents[others[0]] if others else None
    columns |= {
        "partner_series": pa.array([partner and partner["series"]], SERIES_TYPE),
        "partner_label": pa.array([partner and partner["label"]], pa.string()),
        "partner_id": pa.array([others[0] if others else None], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)


def window_again(config: Config, row: Mapping[str, Any]) -> tuple[str, bool | None]:
    """A window cut again from its recording's observations in `raw`, or what clean refused refused again: what came of
    it in words, and whether it is the row (None: its observations are no longer there).
    """
    from jobs.series.clean import batch_rows, cleaned_schema

    recipe, maker = config.recipe, row["row_id"][: records.MAKER_HEX]
    gathering = Gathering.of(recipe, schema_of(cleaned_schema()), batch_rows(recipe))
    for recording in _recordings(config, maker, row["row_source"]):
        for batch in gathering(recording):
            place = pc.index(batch.column("row_id"), row["row_id"]).as_py()
            if place >= 0:
                again = batch.slice(place, 1).to_pylist()[0]
                same = _same(again, row)
                return f"cut from its observations again: {'the same' if same else 'NOT THE SAME'}", same
    return f"cannot be cut again here: the observations at {row['row_source']} are no longer there", None


def _same(again: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether two rows hold the same values, or were both refused without any for the same reason."""
    if again["series"] is None or row["series"] is None:
        return again["series"] is row["series"] and again["row_reason"] == row.get("row_reason")
    return bool(np.array_equal(again["series"], row["series"], equal_nan=True))


def _recordings(config: Config, maker: str, where: str) -> Iterator[pa.Table]:
    """The recordings that the observation at `where` may belong to, as clean hands them to a worker."""
    form, raw = config.recipe.series, plain_tables.rows(config, "raw")
    assert form is not None and form.recordings is not None
    if raw is None:
        return
    mine = (pc.field("row_id") >= maker) & (pc.field("row_id") < f"{maker}g")
    first = raw.to_table(filter=mine & (pc.field("row_source") == where))
    if not first.num_rows:
        return
    kind = form.recordings.entity
    if kind == "column":
        name = pc.coalesce(pc.utf8_trim(pc.field("entity"), BLANK), pc.scalar(""))
        own = pc.equal(name, (first.column("entity")[0].as_py() or "").strip(BLANK))
        yield _named(raw.to_table(filter=mine & own), None, form.channels)
    elif kind == "columns":
        whole, shared = raw.to_table(filter=mine), [each for each in OBSERVED if each != "entity"]
        for name in form.recordings.entities:  # one may have the channel's name
            yield _named(whole.select([*shared, name]).rename_columns([*shared, *form.channels]), name, form.channels)
    elif kind == "file":
        path = where.rpartition("#")[0] + "#"
        yield _named(
            raw.to_table(filter=mine & pc.starts_with(pc.field("row_source"), path)),
            file_name(config, where),
            form.channels,
        )
    else:
        yield _named(raw.to_table(filter=mine), "", form.channels)


def _named(rows: pa.Table, entity: str | None, channels: Sequence[str]) -> pa.Table:
    """Observations with their recording's name, trimmed where it is a column of theirs."""
    if entity is None:
        name = pc.utf8_trim(rows.column("entity"), BLANK)
        name = pc.if_else(pc.equal(name, ""), pa.scalar(None, pa.string()), name)
        rows = rows.set_column(rows.schema.get_field_index("entity"), "entity", name)
    else:
        rows = rows.append_column("entity", pa.array([entity] * rows.num_rows, pa.string()))
    return rows.select([*OBSERVED, *channels])
