"""Ingest: the table `raw` in step with the sources: new, changed and removed records, corrected labels.

Files are listed on the driver and read by the workers. A record's id is hashed from its source and its bytes, so a
line that is appended, a file that is renamed or a label that is corrected touches no other row. What cannot be read
goes to quarantine.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import Place, StageResult
from conf.schema.fusion import join_columns
from jobs import readers
from jobs.readers import Reading
from jobs.rows_read import BOOKKEEPING, STAGE, in_mix
from jobs.staging import lay_down, remove, write_empty
from jobs.ways import way_of
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_WORK = "work"
_TASK_BYTES = 32 << 20


def run(spark: SparkSession, config: Config) -> StageResult:
    """Read every source and bring `raw` and the ingest part of `quarantine` into step with them."""
    from jobs.spark import merge_rows

    place = runs.locate(config, STAGE)
    tasks = [readers.reading(config, source) for source in config.recipe.sources]
    with progress(STAGE, unit="rows") as bar:
        staged = _staged(spark, config, place, tasks)
        schema = way_of(config.recipe, STAGE).raw_schema(config.recipe)
        if config.recipe.modality == "behaviour":  # whose records are gathered to rows
            staged, counts, schema = way_of(config.recipe, STAGE).gathered(spark, config, place, staged)
        else:
            staged, counts = _told_apart(config, tasks, staged)
        if config.recipe.join:
            staged, counts = _joined(spark, config, place, tasks, staged, counts)
        bar.advance(sum(each["in"] for each in counts["sources"].values()))
        refused = _refused(spark, config, place, staged, any(each["refused"] for each in counts["sources"].values()))
        _check_some(config, counts)
        kept = staged.where("row_reason is null and row_in_mix").select(*schema.names)
        merged = merge_rows(spark, config, "raw", kept, stages={STAGE: place.fingerprint})
        remove(place.folder, _WORK)
    return StageResult(counts, {"rows": merged.digest, "refused": refused}, {"raw": merged.version})


def _told_apart(config: Config, tasks: list[Reading], staged: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """The rows, equal records told apart by their ids, and what came of each source."""
    counts, equal = _counts(tasks, staged)
    if equal:
        staged = with_occurrences(config, tasks, staged)
        counts, _ = _counts(tasks, staged)
    return staged, counts


def _joined(
    spark: SparkSession, config: Config, place: Place, tasks: list[Reading], staged: DataFrame, before: dict[str, Any]
) -> tuple[DataFrame, dict[str, Any]]:
    """The records of all sources joined into rows; what came of each source."""
    from jobs.fusion import join

    schema = _staged_schema(config, way_of(config.recipe, STAGE))
    rows = join.joined(spark, config, place, staged, schema)
    after, _ = _counts(tasks, rows)
    return rows, join.counts(before, after, [task.source.name for task in tasks])


def _staged_schema(config: Config, way: ModuleType) -> pa.Schema:
    """The columns of records as they are laid down first."""
    raw = way.raw_schema(config.recipe)
    keys = [pa.field(name, pa.string()) for name in join_columns(config.recipe) if name not in raw.names]
    return pa.schema([*records.refused_schema(raw), *BOOKKEEPING, *keys])


def _refused(spark: SparkSession, config: Config, place: Place, staged: DataFrame, some: bool) -> str:
    """Refused rows in the stage's folder and in quarantine; returns their digest."""
    from jobs.places import exists
    from jobs.spark import hand_off, publish_refused

    schema = records.refused_schema(row_schema(config))
    folder = f"{place.folder}/refused"
    if some:
        hand_off(_typed(staged.where("row_reason is not null"), schema), place.folder, "refused")
    else:
        remove(place.folder, "refused")
        write_empty(folder, schema)
        if not exists(spark, config, "quarantine"):
            return runs.digest(0, 0)
    published = publish_refused(spark, config, STAGE, folder, schema)
    return published.digest if published else runs.digest(0, 0)


def _typed(rows: DataFrame, schema: pa.Schema) -> DataFrame:
    """The columns of `schema` in their types: what was refused unread has no cells that a type could lose."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    typed = []
    for field in from_arrow_schema(schema):
        readable = field.name in rows.columns and field.name != "series"  # of which `raw` has the numbers as text
        cell = F.col(field.name) if readable else F.lit(None)  # what later stages add
        is_text = readable and rows.schema[field.name].dataType.simpleString() == "string"
        read = cell.try_cast(field.dataType) if is_text else cell.cast(field.dataType)  # cells may be of any text
        typed.append(read.alias(field.name))
    return rows.select(*typed)


def row_schema(config: Config) -> pa.Schema:
    """The columns of this recipe's rows."""
    return records.row_schema(config.recipe)


def _staged(spark: SparkSession, config: Config, place: Place, tasks: list[Reading]) -> DataFrame:
    """All records, read once and laid down as Parquet; later steps read that."""
    from jobs.spark import map_rows

    way = way_of(config.recipe, STAGE)
    schema = _staged_schema(config, way)
    frames = []
    plain = [(number, piece) for number, task in enumerate(tasks) for piece in way.pieces(task)]
    if plain:
        frames.append(map_rows(_spread(spark, config, plain), _piece_reader(way.__name__, tasks, schema), schema))
    for task in tasks:
        found = way.frame(spark, task)
        if found is not None:
            frames.append(map_rows(found, _frame_reader(way.__name__, task, schema), schema))
    rows = frames[0]
    for frame in frames[1:]:
        rows = rows.unionByName(frame)
    return lay_down(spark, rows, place.folder, f"{_WORK}/records")


def _spread(spark: SparkSession, config: Config, plain: list[tuple[int, readers.Piece]]) -> DataFrame:
    """The pieces as a small table, over as many partitions as their bytes are worth."""
    size = sum(piece["bytes"] for _, piece in plain)
    wanted = max(size // _TASK_BYTES + 1, config.runtime.spark.shuffle_partitions)
    told = {"source": [number for number, _ in plain], "piece": [json.dumps(piece) for _, piece in plain]}
    frame = spark.createDataFrame(pa.table(told))
    partitions = min(len(plain), wanted)
    return frame.repartition(partitions) if partitions > 1 else frame.coalesce(1)


def _piece_reader(
    way: str, tasks: list[Reading], schema: pa.Schema
) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    def read_pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        read_piece = importlib.import_module(way).read_piece
        for number, piece in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            yield from read_piece(tasks[number], json.loads(piece), schema)

    return read_pieces


def _frame_reader(way: str, task: Reading, schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    def read_batch(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        yield from importlib.import_module(way).read_frame(task, batch, schema)

    return read_batch


def with_occurrences(config: Config, tasks: list[Reading], staged: DataFrame) -> DataFrame:
    """Equal records of a source told apart: the k-th (by position) has k in its id. The others stay as they are."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    way = way_of(config.recipe, STAGE)
    label = config.recipe.label_column
    # Rows that Spark reads for us have no order: equal ones are told apart by their labels alone.
    unordered = F.col("row_of").isin([task.source.name for task in tasks if task.source.reader in way.UNORDERED])
    in_order = Window.partitionBy("row_of", "row_content").orderBy(F.when(unordered, F.col(label)), *way.positions())
    narrow = staged.select("row_of", "row_content", "row_source", label)
    numbered = narrow.withColumn("row_occurrence", F.row_number().over(in_order) - 1).where("row_occurrence > 0")
    weights = {task.source.name: task.source.weight for task in tasks}
    schema = pa.schema(
        [
            ("row_of", pa.string()),
            ("row_source", pa.string()),
            ("row_new_id", pa.string()),
            ("row_new_in_mix", pa.bool_()),
        ]
    )
    renamed = map_rows(numbered, _renamer(way.__name__, weights, schema), schema)
    joined = staged.join(renamed, ["row_of", "row_source"], "left")
    return joined.withColumns(
        {"row_id": F.coalesce("row_new_id", "row_id"), "row_in_mix": F.coalesce("row_new_in_mix", "row_in_mix")}
    ).drop("row_new_id", "row_new_in_mix")


def _renamer(way: str, weights: Mapping[str, float], schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def rename(batch: pa.RecordBatch) -> pa.RecordBatch:
        sources, contents, numbers = (
            batch.column(name).to_pylist() for name in ("row_of", "row_content", "row_occurrence")
        )
        ids = importlib.import_module(way).ids(sources, contents, numbers)
        chosen = [in_mix(each, weights[source]) for each, source in zip(ids, sources, strict=True)]
        return pa.record_batch(
            [batch.column("row_of"), batch.column("row_source"), pa.array(ids), pa.array(chosen)], schema=schema
        )

    return rename


def _counts(tasks: list[Reading], staged: DataFrame) -> tuple[dict[str, Any], bool]:
    """What came of each source (in = kept + refused + left out), and whether any source has equal records."""
    from pyspark.sql import functions as F

    counts: dict[str, Any] = {task.source.name: {"in": 0, "kept": 0, "refused": {}, "left_out": 0} for task in tasks}
    alone = 0
    fates = staged.groupBy("row_of", "row_reason", "row_in_mix").agg(F.count("*").alias("n"))
    distinct = staged.groupBy("row_of").agg(F.count_distinct("row_content").alias("n"))
    told = fates.select("row_of", "row_reason", "row_in_mix", "n").unionByName(
        distinct.select("row_of", "n"), allowMissingColumns=True
    )
    for row in told.collect():
        of, number = counts[row["row_of"]], row["n"]
        if row["row_in_mix"] is None:
            alone += number
            continue
        of["in"] += number
        if row["row_reason"] is not None:
            of["refused"][row["row_reason"]] = of["refused"].get(row["row_reason"], 0) + number
        else:
            of["kept" if row["row_in_mix"] else "left_out"] += number
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
