"""Gate: staged rows with the judges' verdicts, each accepted or refused with the first reason that holds.

First what is said of the row itself (jobs/gate_reasons.py), then what is said of all rows of its maker: `worse` (judges
were worse with them), `beyond_useful_share` (fewer of them were of more use). Decided on ids and verdicts alone;
payload is read once, to be laid down in the order of ids, so that files hold neighbours and a MERGE can pass over most
of them.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.progress import progress
from conf.runs import Done, Place, StageResult
from conf.schema import Gate
from jobs import gate_reasons
from jobs.staging import lay_down, remove
from udfs import records

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "gate"
MADE_BY = "made_by"
_WORK = "work"
_BELOW_ALL = "0" * records.WHICH_HEX


def run(spark: SparkSession, config: Config) -> StageResult:
    """Accept or refuse every staged row."""
    from jobs.census import census_of, count, digest
    from jobs.spark import publish_refused

    place = runs.locate(config, STAGE)
    schema = records.row_schema(config.recipe)
    staged = {key: done for key, done in place.inputs.items() if key == "augment" or key.startswith("sample.")}
    with progress(STAGE, sum(done.counts["staged"] for done in staged.values()), "rows") as bar:
        rows = reduce(lambda a, b: a.unionByName(b), [_staged(spark, schema, *each) for each in staged.items()])
        verdicts = spark.read.parquet(f"{place.inputs['score'].folder}/verdicts")
        decided = lay_down(spark, _decided(config, place, rows, verdicts), place.folder, _WORK)
        counts = _counts(decided, staged)
        path = _lay_down_accepted(rows, decided, schema, place, counts, staged)
        refused = _lay_down_refused(rows, decided, schema, place)
        gone = publish_refused(spark, config, STAGE, refused, records.refused_schema(schema))
        remove(place.folder, _WORK)
        accepted = census_of([path], lambda paths: spark.read.parquet(*paths))
        bar.advance(counts["in"])
    if count(accepted) != counts["accepted"]:
        raise StageError(f"gate: {counts['accepted']:,} rows were accepted and {count(accepted):,} lie in {path}.")
    outputs = {"accepted": digest(accepted), "refused": gone.digest if gone else runs.digest(0, 0)}
    return StageResult(counts, outputs)


def _staged(spark: SparkSession, schema: pa.Schema, key: str, done: Done) -> DataFrame:
    """The rows that a stage made, and by whom: `augment` or `sample.<generator>`."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    rows = spark.read.schema(from_arrow_schema(schema)).parquet(f"{done.folder}/rows")
    return rows.withColumn(MADE_BY, F.lit(key))


def _decided(config: Config, place: Place, rows: DataFrame, verdicts: DataFrame) -> DataFrame:
    """Of every staged row: row_id, made_by, origin, row_reason (null: accepted), row_detail."""
    useful = runs.read_json(place.inputs["score"].folder, "usefulness.json")
    judged = rows.select("row_id", "row_origin", MADE_BY).join(verdicts, "row_id", "left")
    modality = config.recipe.modality
    reason = _reason(modality, config.recipe.gate, useful)
    detail = gate_reasons.detail(modality, reason)
    return judged.select("row_id", MADE_BY, reason.alias("row_reason"), detail.alias("row_detail"))


def _reason(modality: str, gate: Gate, useful: dict[str, Any]) -> Column:
    """The first reason that holds, or null; `not_judged` where there is no verdict, which is an error."""
    from pyspark.sql import functions as F

    reason = F.when(F.col(gate_reasons.TOLD[modality]).isNull(), "not_judged")
    for told, holds in gate_reasons.reasons(modality, gate):
        reason = reason.when(holds, told)
    which = F.substring("row_id", records.MAKER_HEX + 1, records.WHICH_HEX)
    for key, entry in _entries(useful).items():
        below = entry.get("below") if gate.usefulness == "not_worse" else None
        if below is not None:
            told = "worse" if entry["verdict"] == "worse" or below == _BELOW_ALL else "beyond_useful_share"
            reason = reason.when((F.col(MADE_BY) == key) & (which >= below), told)
    return reason


def _entries(useful: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What usefulness.json says of the rows of each stage that made some."""
    found = {f"sample.{name}": entry for name, entry in (useful.get("generated") or {}).items()}
    return found | ({"augment": useful["augmented"]} if useful.get("augmented") else {})


def _counts(decided: DataFrame, staged: dict[str, Done]) -> dict[str, Any]:
    """in = accepted + refused, in all and by maker. Raises StageError where a row was lost, doubled or not judged."""
    by: dict[str, dict[str, Any]] = {key: {"in": 0, "accepted": 0, "refused": {}} for key in staged}
    refused: dict[str, int] = {}
    for row in decided.groupBy(MADE_BY, "row_reason").count().collect():
        maker, reason, number = by[row[MADE_BY]], row["row_reason"], row["count"]
        maker["in"] += number
        if reason is None:
            maker["accepted"] += number
            continue
        maker["refused"][reason] = number
        refused[reason] = refused.get(reason, 0) + number
    for key, done in staged.items():
        planned, came = done.counts["staged"], by[key]["in"]
        if came != planned:
            raise StageError(f"gate: {key} staged {planned:,} rows and {came:,} came with verdicts: run score again.")
    if "not_judged" in refused:
        raise StageError(f"gate: {refused['not_judged']:,} staged rows have no verdict: run score again.")
    accepted = sum(maker["accepted"] for maker in by.values())
    return {"in": sum(maker["in"] for maker in by.values()), "accepted": accepted, "refused": refused, "by": by}


def _lay_down_accepted(
    rows: DataFrame,
    decided: DataFrame,
    schema: pa.Schema,
    place: Place,
    counts: dict[str, Any],
    staged: dict[str, Done],
) -> str:
    """Write the accepted rows in the order of their ids."""
    from jobs.spark import file_count, hand_off, in_order

    refused = decided.where("row_reason is not null").select("row_id")
    kept = rows.join(refused, "row_id", "left_anti") if counts["refused"] else rows
    files = file_count(rows.sparkSession, sum(_bytes(f"{done.folder}/rows") for done in staged.values()))
    return hand_off(in_order(kept.select(*schema.names), files), place.folder, "accepted")


def _lay_down_refused(rows: DataFrame, decided: DataFrame, schema: pa.Schema, place: Place) -> str:
    """Write the refused rows with their reasons; the hash covers these, too."""
    from pyspark.sql import functions as F

    from jobs.spark import hand_off, map_rows

    refusal = decided.where("row_reason is not null").drop(MADE_BY).withColumn("row_stage", F.lit(STAGE))
    told = records.refused_schema(schema)
    refused = map_rows(rows.join(refusal, "row_id").select(*told.names), _hashed, told)
    return hand_off(refused, place.folder, "refused")


def _hashed(batch: pa.RecordBatch) -> pa.Table:
    return records.with_hashes(pa.Table.from_batches([batch]))


def _bytes(folder: str) -> int:
    """Bytes of the files in a folder."""
    from pyarrow import fs

    system, path = runs.filesystem(folder)
    return sum(info.size or 0 for info in system.get_file_info(fs.FileSelector(path, recursive=True)))


if __name__ == "__main__":
    from conf.door import main
    from jobs.spark import session

    main(STAGE, session, run)
