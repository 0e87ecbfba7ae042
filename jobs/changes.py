"""What must change in a table, and the one SQL MERGE that changes it.

Rows of makers that are new to the table come straight from the source. Of makers whose rows differ, ids and hashes
are compared, and the differing rows alone are staged with their operation. The MERGE has literals for partitions and
id ranges, so that files outside them are not looked at, and only the clauses that it needs: without updates and
deletes it appends after one anti-join, without inserts it need not join outward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.places import literal, tick
from udfs.records import MAKER_HEX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

OPERATION = "row_op"  # the staged rows' column: insert, update or delete; no recipe may have a column of that prefix
MAX_RANGES = 64  # of ids, in one ON clause
MAX_BROADCAST_ROWS = 200_000  # of ids and operations, about 20 MB

Unit = tuple[str, str]  # value of the partition column ("" without one), maker
Sums = dict[Unit, tuple[int, int]]  # its rows, and the sum of their hashes


@dataclass(frozen=True)
class Changes:
    """Units that come whole, the staged rows of the others, their numbers by operation, and where in the table they
    lie.
    """

    new: list[Unit]
    staged: DataFrame | None
    inserted: int
    updated: int
    deleted: int
    ranges: list[tuple[str, str]]  # first and last id
    partitions: list[str]


def compare(
    source: DataFrame, there: DataFrame, wanted: Sums, present: Sums, partition: str | None, staging: str
) -> Changes | None:
    """What must change so that `there`, which has the units `present`, holds `source`, which has `wanted`; None:
    nothing.
    """
    new = [unit for unit in wanted if unit not in present]
    touched = [unit for unit in present if present[unit] != wanted.get(unit)]
    staged, by_unit = _stage(source, there, touched, partition, staging) if touched else (None, [])
    if not new and not by_unit:
        return None
    number = {op: sum(row["n"] for row in by_unit if row[OPERATION] == op) for op in ("insert", "update", "delete")}
    return Changes(
        new=new,
        staged=staged if by_unit else None,
        inserted=number["insert"] + sum(wanted[unit][0] for unit in new),
        updated=number["update"],
        deleted=number["delete"],
        ranges=joined([_range(maker) for _, maker in new] + [(row["first"], row["last"]) for row in by_unit]),
        partitions=sorted({part for part, _ in new} | {row["part"] for row in by_unit}),
    )


def _stage(
    source: DataFrame, there: DataFrame, touched: list[Unit], partition: str | None, staging: str
) -> tuple[DataFrame, list[Any]]:
    """Write the touched units' differing rows with their operation `row_op`; returns them, and number and id range by
    unit and op.
    """
    from pyspark.sql import functions as F

    keys = [name for name in (partition, "row_id") if name]
    spark = source.sparkSession
    ours = of_units(source, touched, partition)
    has = of_units(there, touched, partition).select(*keys, F.col("row_hash").alias("_has"))
    wants = ours.select(*keys, F.col("row_hash").alias("_wants"))
    op = F.when(F.col("_has").isNull(), "insert").when(F.col("_wants").isNull(), "delete").otherwise("update")
    differing = has.join(wants, keys, "full_outer").where("NOT _has <=> _wants").select(*keys, op.alias(OPERATION))
    differing.write.mode("overwrite").parquet(f"{staging}/ids")
    ids = spark.read.schema(differing.schema).parquet(f"{staging}/ids")
    part = F.col(partition) if partition else F.lit("")
    grouped = ids.groupBy(part.alias("part"), F.substring("row_id", 1, MAKER_HEX), OPERATION)
    extent = (F.min("row_id").alias("first"), F.max("row_id").alias("last"))
    by_unit = grouped.agg(F.count("*").alias("n"), *extent).collect()
    if not by_unit:
        return ids, by_unit
    few = sum(row["n"] for row in by_unit) <= MAX_BROADCAST_ROWS
    kept = ids.where("row_op != 'delete'")
    whole = ours.join(F.broadcast(kept) if few else kept, keys)
    gone = ids.where("row_op = 'delete'")
    changes = (
        whole.unionByName(gone, allowMissingColumns=True)
        if any(row[OPERATION] == "delete" for row in by_unit)
        else whole
    )
    changes.write.mode("overwrite").parquet(f"{staging}/changes")
    return spark.read.schema(changes.schema).parquet(f"{staging}/changes"), by_unit


def changed_rows(source: DataFrame, there: DataFrame, changes: Changes, partition: str | None) -> DataFrame:
    """The rows to merge with their `row_op`: new units straight from the source, the others' changes as staged.

    Columns that only the table has become null.
    """
    from pyspark.sql import functions as F

    parts = []
    if changes.new:
        parts.append(of_units(source, changes.new, partition).withColumn(OPERATION, F.lit("insert")))
    if changes.staged is not None:
        parts.append(changes.staged.select(*source.columns, OPERATION))
    rows = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
    gone = [field for field in there.schema if field.name not in source.columns]
    return rows.select(*[F.lit(None).cast(field.dataType).alias(field.name) for field in gone], *rows.columns)


def merge_statement(
    table: str, view: str, columns: list[str], changes: Changes, partition: str | None, grows: bool
) -> str:
    """The MERGE. `grows`: the rows have columns that the table does not have yet."""
    on = ["t.row_id = s.row_id", in_ranges(changes.ranges, "t.row_id")]
    if partition:
        key = tick(partition)
        on += [f"t.{key} = s.{key}", f"t.{key} IN ({', '.join(literal(value) for value in changes.partitions)})"]
    names = [tick(name) for name in columns]
    clauses = []
    if changes.updated:
        clauses.append(
            f"WHEN MATCHED AND s.row_op = 'update' THEN UPDATE SET {', '.join(f'{n} = s.{n}' for n in names)}"
        )
    if changes.deleted:
        clauses.append("WHEN MATCHED AND s.row_op = 'delete' THEN DELETE")
    if changes.inserted:
        only = "" if changes.staged is None or not clauses else " AND s.row_op = 'insert'"
        values = ", ".join(f"s.{name}" for name in names)
        clauses.append(f"WHEN NOT MATCHED{only} THEN INSERT ({', '.join(names)}) VALUES ({values})")  # noqa: S608
    evolve = "WITH SCHEMA EVOLUTION " if grows else ""
    return f"MERGE {evolve}INTO {table} AS t USING {view} AS s ON {' AND '.join(on)} {' '.join(clauses)}"


def of_units(rows: DataFrame, units: list[Unit], partition: str | None) -> DataFrame:
    """The rows of some units; files without any of them are not read, as their ids say."""
    ranges = in_ranges(joined([_range(maker) for _, maker in units]), "row_id")
    return rows.where(ranges).where(within(units, partition))


def within(units: list[Unit], partition: str | None) -> Column:
    """The condition that a row belongs to one of the units."""
    from pyspark.sql import functions as F

    maker, condition = F.substring("row_id", 1, MAKER_HEX), F.lit(False)
    for value in sorted({part for part, _ in units}):
        ours = maker.isin([m for part, m in units if part == value])
        condition = condition | (ours & (F.col(partition) == value) if partition else ours)
    return condition


def _range(maker: str) -> tuple[str, str]:
    """All ids of a maker: `g` sorts above every hex digit."""
    return maker, f"{maker}g"


def in_ranges(ranges: list[tuple[str, str]], name: str) -> str:
    """The condition, as SQL, that the id `name` lies in one of the ranges."""
    return "(" + " OR ".join(f"({name} >= {literal(a)} AND {name} <= {literal(z)})" for a, z in ranges) + ")"


def joined(ranges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """At most MAX_RANGES ranges that cover the given ones: neighbours in order are joined."""
    ordered = sorted(ranges)
    size = max(1, -(-len(ordered) // MAX_RANGES))
    groups = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return [(group[0][0], max(last for _, last in group)) for group in groups]
