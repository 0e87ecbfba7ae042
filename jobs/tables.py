"""Delta tables brought in step with what they should hold: one commit, exactly once.

The table is compared with the rows that it should have, by maker first and by row only where a maker's rows differ
(`jobs/changes.py`). What each commit leaves behind, rows and hash sum of every maker, stands in its `userMetadata`, so
that the next comparison reads no rows. That note is believed only while the table's newest commit is the one that wrote
it, on top of the version that it had compared; after anybody else's commit the rows themselves are counted.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from jobs.census import Census, census, census_of
from jobs.changes import OPERATION, Changes, Sums, changed_rows, compare, merge_statement
from jobs.deltalog import Commit, check_log, commits_after, lock
from jobs.failpoints import fail_at
from jobs.places import exists, is_path, quoted, read, table
from jobs.retyping import is_retyped, replacement

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

MAX_TRIES = 12
MAX_WAIT_S = 10.0
INDEXED_COLUMNS = 4  # row_id, row_origin, row_parents, row_split: what is looked up by
METADATA_CONF = "spark.databricks.delta.commitInfo.userMetadata"
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Merged:
    """What a merge did, the table's version after it, and digest and census of the rows that it is to hold."""

    version: int
    inserted: int
    updated: int
    deleted: int
    digest: str
    committed: bool
    census: Census


@dataclass(frozen=True)
class _Target:
    """The table, or the part of it, that a merge is about."""

    spark: SparkSession
    config: Config
    name: str
    partition: str | None  # the partition column
    only: str | None  # its one value, where the merge is about that alone

    @property
    def place(self) -> str:
        return table(self.config, self.name)

    def split(self, present: Sums) -> tuple[Sums, Sums]:
        """The units that the merge is about, and the others."""
        ours = {unit: value for unit, value in present.items() if self.only in (None, unit[0])}
        return ours, {unit: value for unit, value in present.items() if unit not in ours}


@dataclass(frozen=True)
class _Source:
    """The rows that the target is to hold, as Parquet, and what there are of them."""

    rows: DataFrame
    census: Census
    sums: Sums


def merge_rows(
    spark: SparkSession,
    config: Config,
    name: str,
    rows: DataFrame | str | Sequence[str],
    *,
    scope: Mapping[str, str] | None = None,
    partition_by: Sequence[str] = (),
    stages: Mapping[str, str] | None = None,
    schema: pa.Schema | None = None,
) -> Merged:
    """Make the table hold exactly `rows`, in at most one commit; in none where it does already.

    `rows` is a DataFrame, which is staged first, or path(s) of Parquet that holds still meanwhile and is read by
    `schema` where that is given. `scope` names one value of the partition column: that part of the table alone is
    compared and changed. `stages` (fingerprints) goes into the commit's metadata. Conflicts with other writers are
    retried from the comparison on.
    """
    if len(partition_by) > 1 or (scope and list(scope) != list(partition_by)):
        raise ValueError("a table has one partition column at most, and scope names a value of it")
    target = _Target(spark, config, name, next(iter(partition_by), None), next(iter((scope or {}).values()), None))
    staging = _staging(config, name)
    try:
        source = _source(target, rows, schema, f"{staging}/rows")
        fail_at(f"after-staging-{name}")
        return _until_no_conflict(lambda: _merge_once(target, source, staging, dict(stages or {})))
    finally:
        _remove(staging)


def publish_refused(
    spark: SparkSession, config: Config, stage: str, refused: DataFrame | str, schema: pa.Schema | None = None
) -> Merged | None:
    """Bring the stage's part of the table `quarantine` in step with its refused rows; None where there is neither."""
    if not exists(spark, config, "quarantine"):
        rows = _parquet(spark, [refused], schema) if isinstance(refused, str) else refused
        if rows.isEmpty():
            return None
    scope = {"row_stage": stage}
    return merge_rows(spark, config, "quarantine", refused, scope=scope, partition_by=["row_stage"], schema=schema)


def _source(target: _Target, rows: DataFrame | str | Sequence[str], schema: pa.Schema | None, staging: str) -> _Source:
    """The rows as Parquet, which gives the same rows however often it is read; counted and checked.

    Raises StageError for an id that comes twice, rows of another part of the table, or unfit column names.
    """
    if isinstance(rows, str | Sequence):
        paths = [rows] if isinstance(rows, str) else list(rows)
    else:
        from pyspark.sql.pandas.types import to_arrow_schema

        rows.write.mode("overwrite").parquet(staging)
        paths, schema = [staging], to_arrow_schema(rows.schema)
    whole = _parquet(target.spark, paths, schema)
    unfit = [name for name in whole.columns if not _COLUMN_NAME.fullmatch(name)]
    if unfit:
        raise StageError(f"{target.place}: rename the column {unfit[0]!r} to letters, digits and _.")
    try:
        counted = census_of(paths, lambda some: _parquet(target.spark, some, schema))
    except StageError as error:
        raise StageError(f"{target.place}: {error}") from error
    found = _sums(target, counted)
    strange = [unit for unit in found if target.only not in (None, unit[0])]
    if strange:
        raise StageError(f"{target.place}: rows of {strange[0]} were given where those of {target.only} belong.")
    return _Source(whole, counted, found)


def _parquet(spark: SparkSession, paths: list[str], schema: pa.Schema | None) -> DataFrame:
    """The rows of Parquet folders."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return (spark.read if schema is None else spark.read.schema(from_arrow_schema(schema))).parquet(*paths)


def _sums(target: _Target, counted: Census) -> Sums:
    """A census by the units that the table is compared by."""
    found: Sums = {}
    for group, (count, total) in counted.items():
        unit = (getattr(group, target.partition) if target.partition else "", group.maker)
        before = found.get(unit, (0, 0))
        found[unit] = before[0] + count, (before[1] + total) % runs.HASH_MODULUS
    return found


def _until_no_conflict(attempt: Callable[[], Merged]) -> Merged:
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
    from delta import exceptions

    kinds = tuple(
        getattr(exceptions, name) for name in exceptions.__all__
    )  # one by one: they have no base of their own
    codes = ("DELTA_CONCURRENT", "DELTA_PATH_EXISTS", "TABLE_OR_VIEW_ALREADY_EXISTS")
    return isinstance(error, kinds) or any(code in str(error) for code in codes)


def _merge_once(target: _Target, source: _Source, staging: str, stages: dict[str, str]) -> Merged:
    """Compare and commit, holding a local table's lock."""
    with lock(target.place):
        newest = _newest(target)
        if newest is None:
            told = _told(-1, target, source.sums, stages)
            return _committed(target, source, told, sum(n for n, _ in source.sums.values()), 0, 0, _create)
        ours, others = target.split(_present(target, newest))
        there = read(target.spark, target.config, target.name, newest.version)
        if is_retyped(there, source.rows):
            told = _told(newest.version, target, {**others, **source.sums}, stages)
            came, went = (sum(number for number, _ in sums.values()) for sums in (source.sums, ours))
            return _committed(target, source, told, came, 0, went, lambda *what: _replace(there, *what))
        changes = compare(source.rows, there, source.sums, ours, target.partition, staging)
        if changes is None:
            return _merged(newest.version, source, 0, 0, 0, False)
        told = _told(newest.version, target, {**others, **source.sums}, stages)
        numbers = changes.inserted, changes.updated, changes.deleted
        return _committed(target, source, told, *numbers, lambda *what: _merge(there, changes, *what))


def _newest(target: _Target) -> Commit | None:
    """The table's newest commit; None where there is no table."""
    if is_path(target.config):
        return check_log(target.place)
    if not exists(target.spark, target.config, target.name):
        return None
    row = target.spark.sql(f"DESCRIBE HISTORY {quoted(target.config, target.name)} LIMIT 1").head()
    assert row is not None
    return Commit(row["version"], {"userMetadata": row["userMetadata"]})


def _told(base: int, target: _Target, after: Sums, stages: dict[str, str]) -> str:
    """What a commit says of the table that it leaves: every maker's rows and hash sum, and on top of which version."""
    makers: dict[str, dict[str, str]] = {}
    for (part, maker), (count, total) in sorted(after.items()):
        makers.setdefault(part, {})[maker] = runs.digest(count, total)
    told = {"seedbed": 1, "base": base, "partition": target.partition, "makers": makers, "stages": stages}
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def _present(target: _Target, newest: Commit) -> Sums:
    """Rows and hash sum of every unit in the table: as its newest commit says, or counted where that cannot be
    believed.
    """
    told = _read_told(newest)
    if told is None or told.get("base") != newest.version - 1 or told.get("partition") != target.partition:
        return _sums(target, census(read(target.spark, target.config, target.name, newest.version)))
    found: Sums = {}
    for part, makers in told["makers"].items():
        for maker, written in makers.items():
            count, total = written.split("-")
            found[part, maker] = int(count, 16), int(total, 16)
    return found


def _read_told(commit: Commit) -> dict[str, Any] | None:
    """The metadata of a commit of ours, else None."""
    try:
        told = json.loads(commit.info.get("userMetadata") or "null")
    except ValueError:
        return None
    return told if isinstance(told, dict) and told.get("seedbed") == 1 else None


def _committed(
    target: _Target,
    source: _Source,
    told: str,
    inserted: int,
    updated: int,
    deleted: int,
    commit: Callable[[_Target, _Source, str], None],
) -> Merged:
    """Commit, then look the commit up in the log: where the answer got lost, the log alone says whether it landed."""
    fail_at(f"before-commit-{target.name}")
    lost: Exception | None = None
    try:
        commit(target, source, told)
        fail_at(f"after-commit-{target.name}")
    except Exception as error:  # noqa: BLE001 - whatever it is, the log says what came of it; raised again if nothing did
        lost = error
    version = _landed(target, told)
    if version is None:
        raise lost or StageError(f"{target.place}: the commit of {target.name} is not in its log. Please report this.")
    return _merged(version, source, inserted, updated, deleted, True)


def _landed(target: _Target, told: str) -> int | None:
    """The version of our commit, where it is in the log; others may have come after it."""
    base = json.loads(told)["base"]
    if is_path(target.config):
        found = commits_after(target.place, base)
    else:
        if not exists(target.spark, target.config, target.name):
            return None
        history = target.spark.sql(f"DESCRIBE HISTORY {quoted(target.config, target.name)}")
        rows = history.where(f"version > {base}").select("version", "userMetadata").collect()
        found = [Commit(row["version"], {"userMetadata": row["userMetadata"]}) for row in rows]
    return next((commit.version for commit in found if commit.info.get("userMetadata") == told), None)


def _merged(version: int, source: _Source, inserted: int, updated: int, deleted: int, committed: bool) -> Merged:
    counts = source.sums.values()
    digest = runs.digest(sum(count for count, _ in counts), sum(total for _, total in counts))
    return Merged(version, inserted, updated, deleted, digest, committed, source.census)


def _create(target: _Target, source: _Source, told: str) -> None:
    """Create the table with its rows, in one commit."""
    options = {
        "userMetadata": told,
        "delta.dataSkippingNumIndexedCols": str(INDEXED_COLUMNS),
        "delta.enableDeletionVectors": "false",
    }
    writer = source.rows.write.format("delta").mode("errorifexists").options(**options)
    _save(writer, target)


def _replace(there: DataFrame, target: _Target, source: _Source, told: str) -> None:
    """Write the table anew, its columns in new types, in one commit."""
    rows = replacement(there, source.rows, target.partition, target.only)
    writer = rows.write.format("delta").mode("overwrite").options(userMetadata=told, overwriteSchema="true")
    _save(writer, target)


def _save(writer: DataFrameWriter, target: _Target) -> None:
    """Write to the table's place, partitioned as it is."""
    if target.partition:
        writer = writer.partitionBy(target.partition)
    if is_path(target.config):
        writer.save(target.place)
    else:
        writer.saveAsTable(target.place)


def _merge(there: DataFrame, changes: Changes, target: _Target, source: _Source, told: str) -> None:
    """One SQL MERGE of the changes."""
    view = f"seedbed_changes_{target.name}"
    rows = changed_rows(source.rows, there, changes, target.partition)
    rows.createOrReplaceTempView(view)
    columns = [name for name in rows.columns if name != OPERATION]
    grows = bool(set(columns) - set(there.columns))
    place = quoted(target.config, target.name)
    target.spark.conf.set(METADATA_CONF, told)
    try:
        target.spark.sql(merge_statement(place, view, columns, changes, target.partition, grows)).collect()
    finally:
        target.spark.conf.unset(METADATA_CONF)
        target.spark.catalog.dropTempView(view)


def _staging(config: Config, name: str) -> str:
    """A folder of this process's own for what it stages; what killed processes of this machine left is removed."""
    home = f"{runs.home(config)}/stages/staged"
    if "://" not in home and Path(home).is_dir():
        for left in Path(home).glob(f"{name}-{socket.gethostname()}-*"):
            process = left.name.rpartition("-")[2]
            if process.isdigit() and not _is_alive(int(process)):
                shutil.rmtree(left, ignore_errors=True)
    return f"{home}/{name}-{socket.gethostname()}-{os.getpid()}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(folder: str) -> None:
    """Delete a folder that may not be there."""
    system, path = runs.filesystem(folder)
    try:
        system.delete_dir(path)
    except OSError:
        return
