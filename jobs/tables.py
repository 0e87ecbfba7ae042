"""Delta tables brought in step with what they should hold: one commit, exactly once.

The table is compared with the rows that it should have, by maker first and by row only where a maker's rows differ; what differs is
staged and merged by one SQL MERGE that looks at the makers' id ranges alone. What each commit leaves behind (rows and hash sum of every
maker) stands in its `userMetadata`, so that the next comparison reads no rows. That note is believed only while the table's newest
commit is the one that wrote it, on top of the version that it had compared; after anybody else's commit the rows themselves are read.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf import Config, runs
from conf.errors import StageError
from jobs.deltalog import Commit, check_log, has_log, lock
from jobs.failpoints import fail_at
from udfs.records import MAKER_HEX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MAX_TRIES = 12
MAX_WAIT_S = 10.0
MAX_RANGES = 64  # of ids, in one MERGE's ON clause
INDEXED_COLUMNS = 4  # row_id, row_origin, row_parents, row_split: what is looked up by
METADATA_CONF = "spark.databricks.delta.commitInfo.userMetadata"
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Unit = tuple[str, str]  # value of the partition column ("" without one), maker
Sums = dict[Unit, tuple[int, int]]  # its rows, and the sum of their hashes


@dataclass(frozen=True)
class Merged:
    """What a merge did, the table's version after it, and the digest of the rows that it is to hold."""

    version: int
    inserted: int
    updated: int
    deleted: int
    digest: str
    committed: bool


@dataclass(frozen=True)
class _Target:
    """The table, or the part of it, that a merge is about."""

    config: Config
    name: str
    partition: str | None  # the partition column
    only: str | None  # its one value, where the merge is about that alone

    @property
    def place(self) -> str:
        return table(self.config, self.name)

    def has(self, unit: Unit) -> bool:
        """Whether the merge is about this unit."""
        return self.only is None or unit[0] == self.only


@dataclass(frozen=True)
class _Changes:
    """What must change: units that come whole, and the staged rows of the others, with their numbers by operation."""

    new: list[Unit]
    staged: DataFrame | None
    inserted: int
    updated: int
    deleted: int
    ranges: list[tuple[str, str]]  # first and last id
    partitions: list[str]


def table(config: Config, name: str) -> str:
    """A table's path or URI, or its catalog.schema.recipe_name."""
    if _is_path(config):
        return f"{config.tables.rstrip('/')}/{config.recipe.name}/{name}"
    return f"{config.tables}.{config.recipe.name.replace('-', '_')}_{name}"


def _is_path(config: Config) -> bool:
    return "/" in config.tables


def quoted(config: Config, name: str) -> str:
    """The table as SQL names it."""
    place = table(config, name)
    if _is_path(config):
        return f"delta.{_tick(place)}"
    return ".".join(_tick(part) for part in place.split("."))


def _tick(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def exists(spark: SparkSession, config: Config, name: str) -> bool:
    """Whether the table is there."""
    place = table(config, name)
    return has_log(place) if _is_path(config) else bool(spark.catalog.tableExists(place))


def read(spark: SparkSession, config: Config, name: str, version: int | None = None) -> DataFrame:
    """The table's rows at its newest or the given version. Raises StageError where it is missing or its log is damaged."""
    place = table(config, name)
    if not exists(spark, config, name):
        raise StageError(f"There is no table {place} yet: run the stage that makes it first.")
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    if not _is_path(config):
        return reader.table(place)
    check_log(place)
    return reader.load(place)


def merge_rows(
    spark: SparkSession,
    config: Config,
    name: str,
    rows: DataFrame | str | Sequence[str],
    *,
    scope: Mapping[str, str] | None = None,
    partition_by: Sequence[str] = (),
    stages: Mapping[str, str] | None = None,
) -> Merged:
    """Make the table hold exactly `rows`, in at most one commit; in none where it does already.

    `rows` is a DataFrame, which is staged first, or path(s) of Parquet that holds still meanwhile. `scope` names one value of the partition
    column: that part of the table alone is compared and changed. `stages` (fingerprints) goes into the commit's metadata.
    Conflicts with other writers are retried from the comparison on.
    """
    if len(partition_by) > 1 or (scope and list(scope) != list(partition_by)):
        raise ValueError("a table has one partition column at most, and scope names a value of it")
    target = _Target(config, name, next(iter(partition_by), None), next(iter((scope or {}).values()), None))
    staging = _staging(config, name)
    try:
        source = _staged(spark, rows, f"{staging}/rows")
        fail_at(f"after-staging-{name}")
        wanted = sums(source, target.partition)
        _check_source(source, wanted, target)
        return _until_no_conflict(lambda: _merge_once(spark, target, source, wanted, staging, dict(stages or {})))
    finally:
        _remove(staging)


def publish_refused(spark: SparkSession, config: Config, stage: str, refused: DataFrame | str) -> Merged | None:
    """Bring the stage's part of the table `quarantine` in step with its refused rows; None where there are none and no table."""
    source = spark.read.parquet(refused) if isinstance(refused, str) else refused
    if not exists(spark, config, "quarantine") and source.isEmpty():
        return None
    return merge_rows(spark, config, "quarantine", refused, scope={"row_stage": stage}, partition_by=["row_stage"])


def sums(rows: DataFrame, partition: str | None) -> Sums:
    """Rows and hash sum of every unit, counted."""
    from pyspark.sql import functions as F

    units = [F.col(partition) if partition else F.lit("").alias("part"), F.substring("row_id", 1, MAKER_HEX)]
    number = F.conv("row_hash", 16, 10).cast("decimal(20,0)")
    counted = rows.groupBy(*units).agg(F.count("*"), F.sum(number)).collect()
    return {(row[0], row[1]): (row[2], int(row[3] or 0) % runs.HASH_MODULUS) for row in counted}


def digest_of_sums(counted: Sums) -> str:
    """The digest of all rows of the units."""
    return runs.digest(sum(count for count, _ in counted.values()), sum(total for _, total in counted.values()))


def _check_source(source: DataFrame, wanted: Sums, target: _Target) -> None:
    """Refuse rows that would be merged wrongly: no id, no hash, one id twice, another part of the table, unfit column names."""
    from pyspark.sql import functions as F

    unfit = [name for name in source.columns if not _COLUMN_NAME.fullmatch(name)]
    if unfit:
        raise StageError(
            f"{target.place}: Delta cannot hold a column named {unfit[0]!r}: rename it to letters, digits and _."
        )
    strange = [unit for unit in wanted if not target.has(unit) or unit[0] is None or unit[1] is None]
    if strange:
        raise StageError(
            f"{target.place}: rows of {strange[0]} were given to a merge of {target.only or 'rows with ids'}."
        )
    keys = [name for name in (target.partition, "row_id") if name]
    grouped = source.groupBy(*keys).agg(F.count("*").alias("n"), F.count("row_hash").alias("hashed"))
    wrong = grouped.where("n > 1 OR hashed < n").head()
    if wrong is not None:
        what = f"{wrong['n']} rows with the id" if wrong["n"] > 1 else "no row_hash for the row"
        raise StageError(
            f"{target.place}: there are {what} {wrong['row_id']}; an id stands for one row, which has a hash."
        )


def _staged(spark: SparkSession, rows: DataFrame | str | Sequence[str], place: str) -> DataFrame:
    """The rows as Parquet, which gives the same rows however often it is read."""
    if isinstance(rows, str):
        return spark.read.parquet(rows)
    if isinstance(rows, Sequence):
        return spark.read.parquet(*rows)
    rows.write.mode("overwrite").parquet(place)
    return spark.read.schema(rows.schema).parquet(place)


def _until_no_conflict(attempt: Any) -> Merged:
    """Call `attempt` until no other writer comes between its comparison and its commit."""
    for number in range(MAX_TRIES):
        try:
            return attempt()
        except Exception as error:
            if not is_conflict(error) or number == MAX_TRIES - 1:
                raise
            time.sleep(min(MAX_WAIT_S, 0.1 * 2**number) * random.uniform(0.5, 1.5))
    raise AssertionError("the last attempt returns or raises")


def is_conflict(error: BaseException) -> bool:
    """Whether another writer's commit came first."""
    from delta.exceptions import DeltaConcurrentModificationException

    return isinstance(error, DeltaConcurrentModificationException | FileExistsError) or any(
        name in str(error) for name in ("DELTA_CONCURRENT", "DELTA_PATH_EXISTS", "TABLE_OR_VIEW_ALREADY_EXISTS")
    )


def _merge_once(
    spark: SparkSession, target: _Target, source: DataFrame, wanted: Sums, staging: str, stages: dict[str, str]
) -> Merged:
    """Compare and commit, holding a local table's lock."""
    with lock(target.place):
        commit = _newest(spark, target)
        if commit is None:
            told = _metadata(-1, target, wanted, stages)
            _create(target, source, told)
            return _outcome(spark, target, told, wanted, sum(count for count, _ in wanted.values()), 0, 0)
        present = _present(spark, target, commit)
        changes = _compare(spark, target, source, wanted, {u: s for u, s in present.items() if target.has(u)}, staging)
        if changes is None:
            return Merged(commit.version, 0, 0, 0, digest_of_sums(wanted), False)
        after = {**{u: s for u, s in present.items() if not target.has(u)}, **wanted}
        told = _metadata(commit.version, target, after, stages)
        _commit(spark, target, source, changes, told)
        return _outcome(spark, target, told, wanted, changes.inserted, changes.updated, changes.deleted)


def _newest(spark: SparkSession, target: _Target) -> Commit | None:
    """The table's newest commit; None where there is no table."""
    if _is_path(target.config):
        return check_log(target.place)
    if not exists(spark, target.config, target.name):
        return None
    row = spark.sql(f"DESCRIBE HISTORY {quoted(target.config, target.name)} LIMIT 1").head()
    assert row is not None
    return Commit(row["version"], {"userMetadata": row["userMetadata"]})


def _metadata(base: int, target: _Target, after: Sums, stages: dict[str, str]) -> str:
    """What a commit says of the table that it leaves: every maker's rows and hash sum, on top of which version."""
    makers: dict[str, dict[str, str]] = {}
    for (part, maker), (count, total) in sorted(after.items()):
        makers.setdefault(part, {})[maker] = runs.digest(count, total)
    told = {"base": base, "partition": target.partition, "makers": makers, "stages": stages}
    return json.dumps({"seedbed": 1, **told}, sort_keys=True, separators=(",", ":"))


def _present(spark: SparkSession, target: _Target, commit: Commit) -> Sums:
    """Rows and hash sum of every unit in the table: as its newest commit says, or counted where that is not ours."""
    told = _told(commit)
    if told is None or told.get("base") != commit.version - 1 or told.get("partition") != target.partition:
        return sums(read(spark, target.config, target.name, commit.version), target.partition)
    found: Sums = {}
    for part, makers in told["makers"].items():
        for maker, written in makers.items():
            count, total = written.split("-")
            found[part, maker] = int(count, 16), int(total, 16)
    return found


def _told(commit: Commit) -> dict[str, Any] | None:
    """The metadata of a commit of ours, else None."""
    try:
        told = json.loads(commit.info.get("userMetadata") or "null")
    except ValueError:
        return None
    return told if isinstance(told, dict) and told.get("seedbed") == 1 else None


def _compare(
    spark: SparkSession, target: _Target, source: DataFrame, wanted: Sums, present: Sums, staging: str
) -> _Changes | None:
    """What must change; None where nothing must."""
    new = [unit for unit in wanted if unit not in present]
    touched = [unit for unit in present if present[unit] != wanted.get(unit)]
    staged, by_row = (None, []) if not touched else _stage_changes(spark, target, source, touched, f"{staging}/changes")
    if not new and not by_row:
        return None
    number = {op: sum(row["n"] for row in by_row if row["op"] == op) for op in ("insert", "update", "delete")}
    ranges = [(maker, f"{maker}g") for _, maker in new] + [(row["first"], row["last"]) for row in by_row]
    return _Changes(
        new=new,
        staged=staged if by_row else None,
        inserted=number["insert"] + sum(wanted[unit][0] for unit in new),
        updated=number["update"],
        deleted=number["delete"],
        ranges=_joined(ranges),
        partitions=sorted({part for part, _ in new} | {row["part"] for row in by_row}),
    )


def _stage_changes(
    spark: SparkSession, target: _Target, source: DataFrame, touched: list[Unit], place: str
) -> tuple[DataFrame, list[Any]]:
    """Write the touched units' differing rows with their operation `op`; returns them, and their numbers and id ranges by unit."""
    from pyspark.sql import functions as F

    keys = [name for name in (target.partition, "row_id") if name]
    there = read(spark, target.config, target.name).where(_within(touched, target.partition))
    there = there.where(_in_ranges(_joined([(maker, f"{maker}g") for _, maker in touched]), "row_id"))
    has = there.select(*keys, F.col("row_hash").alias("_has"))
    wants = source.where(_within(touched, target.partition)).select(*keys, F.col("row_hash").alias("_wants"))
    op = F.when(F.col("_has").isNull(), "insert").when(F.col("_wants").isNull(), "delete").otherwise("update")
    differing = has.join(wants, keys, "full_outer").where("NOT _has <=> _wants").select(*keys, op.alias("op"))
    differing.join(source, keys, "left").write.mode("overwrite").parquet(place)
    changes = spark.read.parquet(place)
    part = F.col(target.partition) if target.partition else F.lit("")
    grouped = changes.groupBy(part.alias("part"), F.substring("row_id", 1, MAKER_HEX).alias("maker"), "op")
    return changes, grouped.agg(
        F.count("*").alias("n"), F.min("row_id").alias("first"), F.max("row_id").alias("last")
    ).collect()


def _within(units: list[Unit], partition: str | None) -> Column:
    """The condition that a row belongs to one of the units."""
    from pyspark.sql import functions as F

    maker, condition = F.substring("row_id", 1, MAKER_HEX), F.lit(False)
    for value in sorted({part for part, _ in units}):
        ours = maker.isin([m for part, m in units if part == value])
        condition = condition | (ours & (F.col(partition) == value) if partition else ours)
    return condition


def _in_ranges(ranges: list[tuple[str, str]], name: str) -> str:
    """The condition, as SQL, that the id `name` lies in one of the ranges."""
    return "(" + " OR ".join(f"({name} >= '{first}' AND {name} <= '{last}')" for first, last in ranges) + ")"


def _joined(ranges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """At most MAX_RANGES ranges that cover the given ones: neighbours in order are joined."""
    ordered = sorted(ranges)
    size = -(-len(ordered) // MAX_RANGES)
    groups = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return [(group[0][0], max(last for _, last in group)) for group in groups]


def _create(target: _Target, source: DataFrame, told: str) -> None:
    """Create the table with its rows, in one commit."""
    options = {
        "userMetadata": told,
        "delta.dataSkippingNumIndexedCols": str(INDEXED_COLUMNS),
        "delta.enableDeletionVectors": "false",
    }
    writer = source.write.format("delta").mode("errorifexists").options(**options)
    if target.partition:
        writer = writer.partitionBy(target.partition)
    fail_at(f"before-commit-{target.name}")
    if _is_path(target.config):
        writer.save(target.place)
    else:
        writer.saveAsTable(target.place)
    fail_at(f"after-commit-{target.name}")


def _commit(spark: SparkSession, target: _Target, source: DataFrame, changes: _Changes, told: str) -> None:
    """One SQL MERGE of the changes."""
    view = f"seedbed_changes_{os.getpid()}"
    _changed_rows(target, source, changes).createOrReplaceTempView(view)
    columns = source.columns
    statement = _merge_statement(target, columns, view, changes, _new_columns(spark, target, columns))
    spark.conf.set(METADATA_CONF, told)
    fail_at(f"before-commit-{target.name}")
    try:
        spark.sql(statement).collect()
    finally:
        spark.conf.unset(METADATA_CONF)
        spark.catalog.dropTempView(view)
    fail_at(f"after-commit-{target.name}")


def _changed_rows(target: _Target, source: DataFrame, changes: _Changes) -> DataFrame:
    """Rows to merge with their `op`: new units straight from the source, the others' changes as staged."""
    from pyspark.sql import functions as F

    parts = []
    if changes.new:
        parts.append(source.where(_within(changes.new, target.partition)).withColumn("op", F.lit("insert")))
    if changes.staged is not None:
        parts.append(changes.staged.select(*source.columns, "op"))
    return parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])


def _new_columns(spark: SparkSession, target: _Target, columns: list[str]) -> bool:
    """Whether the rows have columns that the table does not have yet."""
    return bool(set(columns) - set(read(spark, target.config, target.name).columns))


def _merge_statement(target: _Target, columns: list[str], view: str, changes: _Changes, grows: bool) -> str:
    """The MERGE: literals for partitions and id ranges, insert-only where there is nothing else."""
    on = ["t.row_id = s.row_id", _in_ranges(changes.ranges, "t.row_id")]
    if target.partition:
        key = _tick(target.partition)
        values = ", ".join(_literal(value) for value in changes.partitions)
        on += [f"t.{key} = s.{key}", f"t.{key} IN ({values})"]
    names = [_tick(name) for name in columns]
    clauses = [f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f's.{name}' for name in names)})"]
    if changes.deleted:
        clauses.insert(0, "WHEN MATCHED AND s.op = 'delete' THEN DELETE")
    if changes.updated:
        clauses.insert(
            0, f"WHEN MATCHED AND s.op = 'update' THEN UPDATE SET {', '.join(f't.{n} = s.{n}' for n in names)}"
        )
    if changes.updated or changes.deleted:
        clauses[-1] = clauses[-1].replace("NOT MATCHED", "NOT MATCHED AND s.op = 'insert'")
    head = f"MERGE {'WITH SCHEMA EVOLUTION ' if grows else ''}INTO {quoted(target.config, target.name)} AS t"
    return f"{head} USING {view} AS s ON {' AND '.join(on)} {' '.join(clauses)}"


def _literal(value: str) -> str:
    """A value as an SQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _outcome(
    spark: SparkSession, target: _Target, told: str, wanted: Sums, inserted: int, updated: int, deleted: int
) -> Merged:
    """What was committed, after a look at the commit itself."""
    commit = _newest(spark, target)
    if commit is None or commit.info.get("userMetadata") != told:
        raise StageError(
            f"{target.place}: another writer committed right after this merge: run the same command again."
        )
    return Merged(commit.version, inserted, updated, deleted, digest_of_sums(wanted), True)


def _staging(config: Config, name: str) -> str:
    """A folder of this process's own for what it stages; what killed processes of this machine left is removed."""
    home = f"{runs.home(config)}/staged"
    mine = f"{name}-{socket.gethostname()}-{os.getpid()}"
    if "://" not in home and Path(home).is_dir():
        for left in Path(home).iterdir():
            host, _, process = left.name.removeprefix(f"{name}-").rpartition("-")
            if host == socket.gethostname() and process.isdigit() and not Path(f"/proc/{process}").exists():
                shutil.rmtree(left, ignore_errors=True)
    return f"{home}/{mine}"


def _remove(folder: str) -> None:
    """Delete a folder that may not be there."""
    system, path = runs.filesystem(folder)
    try:
        system.delete_dir(path)
    except (FileNotFoundError, OSError):
        return
