"""Ingest: the table `raw` in step with the sources: new, changed and removed records, corrected labels.

Files are listed on the driver and read by the workers. A record's id is hashed from its source and its bytes, so a
line that is appended, a file that is renamed or a label that is corrected touches no other row. What cannot be read
goes to quarantine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import Place, StageResult
from jobs import readers
from jobs.readers import Reading, Record
from jobs.staging import lay_down, remove, write_empty
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STAGE = "ingest"
_WORK = "work"
_BATCH_ROWS = 1024
_BATCH_BYTES = 16 << 20
_TASK_BYTES = 32 << 20
_SHARE_DIGITS = 13  # hex digits that fit a float64 exactly
_BOOKKEEPING = pa.schema([("source", pa.string()), ("content", pa.string()), ("in_mix", pa.bool_())])


def run(spark: SparkSession, config: Config) -> StageResult:
    """Read every source and bring `raw` and the ingest part of `quarantine` into step with them."""
    from jobs.spark import merge_rows

    place = runs.locate(config, STAGE)
    tasks = [readers.reading(config, source) for source in config.recipe.sources]
    with progress(STAGE, unit="rows") as bar:
        staged = _staged(spark, config, place, tasks)
        counts, equal = _counts(tasks, staged)
        if equal:
            staged = with_occurrences(tasks, staged)
            counts, _ = _counts(tasks, staged)
        bar.advance(sum(each["in"] for each in counts["sources"].values()))
        refused = _refused(spark, config, place, staged, any(each["refused"] for each in counts["sources"].values()))
        _check_some(config, counts)
        kept = staged.where("row_reason is null and in_mix").select(*row_schema(config).names)
        merged = merge_rows(spark, config, "raw", kept, stages={STAGE: place.fingerprint})
        remove(place.folder, _WORK)
    return StageResult(counts, {"rows": merged.digest, "refused": refused}, {"raw": merged.version})


def _refused(spark: SparkSession, config: Config, place: Place, staged: DataFrame, some: bool) -> str:
    """Refused rows in the stage's folder and in quarantine; returns their digest."""
    from jobs.places import exists
    from jobs.spark import hand_off, publish_refused

    schema = records.refused_schema(row_schema(config))
    folder = f"{place.folder}/refused"
    if some:
        hand_off(staged.where("row_reason is not null").select(*schema.names), place.folder, "refused")
    else:
        remove(place.folder, "refused")
        write_empty(folder, schema)
        if not exists(spark, config, "quarantine"):
            return runs.digest(0, 0)
    published = publish_refused(spark, config, STAGE, folder, schema)
    return published.digest if published else runs.digest(0, 0)


def row_schema(config: Config) -> pa.Schema:
    """The columns of this recipe's rows."""
    return records.row_schema(config.recipe)


def _staged(spark: SparkSession, config: Config, place: Place, tasks: list[Reading]) -> DataFrame:
    """All records, read once and laid down as Parquet; later steps read that."""
    from jobs.spark import map_rows

    schema = pa.schema([*records.refused_schema(row_schema(config)), *_BOOKKEEPING])
    frames = []
    plain = [(number, piece) for number, task in enumerate(tasks) for piece in readers.pieces(task)]
    if plain:
        frames.append(map_rows(_spread(spark, config, plain), _piece_reader(tasks, schema), schema))
    for task in tasks:
        if task.source.reader == "delta":
            from jobs.readers import delta

            frames.append(map_rows(delta.frame(spark, task), _table_reader(task, schema), schema))
    rows = frames[0]
    for frame in frames[1:]:
        rows = rows.unionByName(frame)
    return lay_down(spark, rows, place.folder, _WORK)


def _spread(spark: SparkSession, config: Config, plain: list[tuple[int, readers.Piece]]) -> DataFrame:
    """The pieces as a small table, over as many partitions as their bytes are worth."""
    size = sum(piece["bytes"] for _, piece in plain)
    wanted = max(size // _TASK_BYTES + 1, config.runtime.spark.shuffle_partitions)
    told = {"source": [number for number, _ in plain], "piece": [json.dumps(piece) for _, piece in plain]}
    frame = spark.createDataFrame(pa.table(told))
    partitions = min(len(plain), wanted)
    return frame.repartition(partitions) if partitions > 1 else frame.coalesce(1)


def _piece_reader(tasks: list[Reading], schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    def read_pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for number, piece in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            yield from _batches(tasks[number], readers.read(tasks[number], json.loads(piece)), schema)

    return read_pieces


def _table_reader(task: Reading, schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    def read_batch(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        from jobs.readers import delta

        yield from _batches(task, delta.read(task, batch), schema)

    return read_batch


def _batches(task: Reading, found: Iterator[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Records as rows, in batches bounded by number and bytes."""
    held: list[Record] = []
    size = 0
    for record in found:
        held.append(checked(task, record))
        size += len(record.image or b"") + len(record.mask or b"")
        if len(held) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield from _rows(task, held, schema)
            held, size = [], 0
    if held:
        yield from _rows(task, held, schema)


def checked(task: Reading, record: Record) -> Record:
    """The record with its label in the recipe's words; a class that the recipe does not know is refused."""
    from dataclasses import replace

    split = record.split or task.source.split
    label = (
        None if split == "unlabelled" or record.label is None else task.source.labels.get(record.label, record.label)
    )
    if record.reason is None and label is not None and label not in task.labels:
        detail = f"{label[:80]!r} is not among the recipe's labels; the source's `labels` may map it"
        return replace(record, split=split, label=label, reason="label_unknown", detail=detail)
    return replace(record, split=split, label=label)


def _rows(task: Reading, held: list[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """One batch of rows. Refused rows are hashed with their reason, so that quarantine follows when it changes."""
    name = task.source.name
    columns: dict[str, list[Any]] = {
        "row_id": [records.real_id(name, record.content) for record in held],
        "row_origin": ["real"] * len(held),
        "row_split": [record.split for record in held],
        "row_source": [record.position for record in held],
        "row_label_source": [None if record.label is None else "given" for record in held],
        "row_group": [None if record.group is None else f"{name}:{record.group}" for record in held],
        "row_stage": [STAGE] * len(held),
        "row_reason": [record.reason for record in held],
        "row_detail": [record.detail for record in held],
        "label": [record.label for record in held],
        "image": [record.image for record in held],
        "source": [name] * len(held),
        "content": [record.content.hex() for record in held],
    }
    columns["in_mix"] = [in_mix(each, task.source.weight) for each in columns["row_id"]]
    columns |= {key: [getattr(record, key) for record in held] for key in ("mask", "boxes") if key in schema.names}
    table = pa.table({key: pa.array(values, schema.field(key).type) for key, values in columns.items()})
    loose = pa.schema([field.with_nullable(True) for field in schema])
    yield from hashed(records.conform(table, loose), loose).to_batches()


def hashed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with `row_hash`: of good rows over the row, of refused ones over the reason too."""
    extra = set(records.REFUSAL.names) | set(_BOOKKEEPING.names)
    refused = pc.is_valid(table.column("row_reason"))
    parts = []
    for rows, left_out in ((table.filter(pc.invert(refused)), extra), (table.filter(refused), _BOOKKEEPING.names)):
        hashes = records.row_hashes(rows.select([name for name in schema.names if name not in left_out]))
        parts.append(rows.set_column(schema.get_field_index("row_hash"), schema.field("row_hash"), hashes))
    return pa.concat_tables(parts).cast(schema)


def in_mix(row_id: str, weight: float) -> bool:
    """Whether the row belongs to the share `weight` of its source, by a hash of its id."""
    return weight >= 1 or int(records.which("weight", row_id)[:_SHARE_DIGITS], 16) < weight * 16**_SHARE_DIGITS


def with_occurrences(tasks: list[Reading], staged: DataFrame) -> DataFrame:
    """Equal records of a source told apart: the k-th (by position) has k in its id. The others stay as they are."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    same = Window.partitionBy("source", "content")
    # A Delta table's rows have no order: equal ones are told apart by their labels alone.
    unordered = F.col("source").isin([task.source.name for task in tasks if task.source.reader == "delta"])
    in_order = same.orderBy(F.when(unordered, F.col("label")), "row_source")
    narrow = staged.select("source", "content", "row_source", "label")
    numbered = narrow.withColumn("occurrence", F.row_number().over(in_order) - 1).where("occurrence > 0")
    weights = {task.source.name: task.source.weight for task in tasks}
    schema = pa.schema(
        [("source", pa.string()), ("row_source", pa.string()), ("new_id", pa.string()), ("new_in_mix", pa.bool_())]
    )
    renamed = map_rows(numbered, _renamer(weights, schema), schema)
    joined = staged.join(renamed, ["source", "row_source"], "left")
    return joined.withColumns(
        {"row_id": F.coalesce("new_id", "row_id"), "in_mix": F.coalesce("new_in_mix", "in_mix")}
    ).drop("new_id", "new_in_mix")


def _renamer(weights: Mapping[str, float], schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def rename(batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = batch.to_pylist()
        ids = [records.real_id(row["source"], bytes.fromhex(row["content"]), row["occurrence"]) for row in rows]
        chosen = [in_mix(each, weights[row["source"]]) for each, row in zip(ids, rows, strict=True)]
        return pa.record_batch(
            [batch.column("source"), batch.column("row_source"), pa.array(ids), pa.array(chosen)], schema=schema
        )

    return rename


def _counts(tasks: list[Reading], staged: DataFrame) -> tuple[dict[str, Any], bool]:
    """What came of each source (in = kept + refused + left out), and whether any source has equal records."""
    from pyspark.sql import functions as F

    counts: dict[str, Any] = {task.source.name: {"in": 0, "kept": 0, "refused": {}, "left_out": 0} for task in tasks}
    alone = 0
    fates = staged.groupBy("source", "row_reason", "in_mix").agg(F.count("*").alias("n"))
    distinct = staged.groupBy("source").agg(F.count_distinct("content").alias("n"))
    told = fates.select("source", "row_reason", "in_mix", "n").unionByName(
        distinct.select("source", "n"), allowMissingColumns=True
    )
    for row in told.collect():
        of, number = counts[row["source"]], row["n"]
        if row["in_mix"] is None:
            alone += number
            continue
        of["in"] += number
        if row["row_reason"] is not None:
            of["refused"][row["row_reason"]] = of["refused"].get(row["row_reason"], 0) + number
        else:
            of["kept" if row["in_mix"] else "left_out"] += number
    whole = {"sources": counts, "rows": sum(of["kept"] for of in counts.values())}
    return whole, alone < sum(of["in"] for of in counts.values())


def _check_some(config: Config, counts: dict[str, Any]) -> None:
    """Raise StageError where not one row could be read."""
    if counts["rows"] == 0:
        raise StageError(f"{config.origin}: the sources gave no row that can be used: {json.dumps(counts['sources'])}.")


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)
