"""Clean, the part of recordings: their observations gathered in Spark, made regular, and cut into windows.

`raw` holds observations. All of one recording go to one task (`jobs/series/gathering.py`), which bounds a recording by
a task's memory, and nothing else. Windows get their split by whole recordings as other rows do by groups; by block
where they are cut; by time from two borders, which are kept beside the assignments, so that what is appended later
moves none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config, runs
from conf.errors import StageError
from conf.runs import Place
from conf.runs.patterns import base_of
from conf.schema import Recipe
from jobs.assignments import home_of_assignments
from jobs.series.gathering import COUNTED, FROM, LEFT_OUT, UNTIL, Gathering, schema_of
from jobs.series.observing import OBSERVED
from jobs.staging import lay_down
from udfs import records
from udfs.series.borders import SPLITS
from udfs.series.recordings import REPAIRS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

WORK = "work"
Borders = tuple[int, int]  # the times from which on windows are val and test
PLACE = r"#\d*$"  # of an observation in its file
ENDING = r"\.[A-Za-z0-9]+(\.(gz|bz2|zst|lz4))?$"
_MAKER = "row_maker"


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every window with its marks, refused observations and recordings with their reason; and what was counted."""
    from pyspark.sql import functions as F

    from jobs.series.clean import batch_rows, cleaned_schema

    recipe = config.recipe
    schema = schema_of(cleaned_schema())
    gathering = Gathering.of(recipe, schema, batch_rows(recipe))
    found = gathered(observations(config, raw), gathering)
    laid = lay_down(spark, found, place.folder, f"{WORK}/gathered")
    counts = _counts(laid)
    _check_law(counts, place.inputs["ingest"].counts["rows"] * max(1, len(_entities(recipe))))
    rows = laid.where(F.col(COUNTED).isNull())
    borders: Borders | None = None
    if recipe.split.by == "time":
        rows, borders = _along_time(config, rows)
    if recipe.split.by in ("time", "block"):
        rows = _across(rows)
        counts["across_borders"] = _check_splits(config, rows)
    if borders is not None:  # those that leave a split empty are not kept
        runs.write_json(home_of_assignments(config), borders_name(recipe), list(borders))
    changed = _flagged(rows)
    arrived = sum(
        counts.get(name, 0) for name in ("windows", "too_short", "refused_observations", "refused_recordings")
    )
    return rows.select(*cleaned_schema().names), {"arrived": arrived, "recordings": counts, "changed": changed}


def _entities(recipe: Recipe) -> list[str]:
    assert recipe.series is not None and recipe.series.recordings is not None
    return recipe.series.recordings.entities


def observations(config: Config, raw: DataFrame) -> DataFrame:
    """Observations with the recording that they belong to: `entity`, null where it is not said."""
    from pyspark.sql import functions as F

    form = config.recipe.series
    assert form is not None and form.recordings is not None
    if form.recordings.entities:
        told = [F.struct(F.lit(name).alias("entity"), F.col(name).alias("value")) for name in form.recordings.entities]
        rows = raw.withColumn("told", F.explode(F.array(*told)))
        rows = rows.withColumns({"entity": F.col("told.entity"), form.channels[0]: F.col("told.value")})
    else:
        rows = raw.withColumn("entity", _entity(config, form.recordings.entity))
    label = F.col("label") if "label" in raw.columns else F.lit(None).cast("string")
    return rows.withColumn("label", label).select(*OBSERVED, *form.channels)


def _entity(config: Config, kind: str) -> Column:
    """What one recording is known by."""
    from pyspark.sql import functions as F

    if kind == "column":
        plain = F.trim(F.col("entity"))
        return F.when(plain != "", plain)
    if kind == "source":
        return F.lit("")
    path = F.regexp_replace("row_source", PLACE, "")
    name = F.substring_index(path, "/", -1)
    for base in sorted(set(bases(config))):
        inside = F.substring(path, len(base) + 2, 1 << 16)  # both count from 1, and a slash lies between
        name = F.when(path.startswith(f"{base}/"), inside).otherwise(name)
    return F.regexp_replace(name, ENDING, "")


def bases(config: Config) -> list[str]:
    """The folders below which the sources' files lie; a source of one file has that for one."""
    places = [runs.locations(config, source).get("path") for source in config.recipe.sources]
    return [runs.filesystem(base_of(place))[1] for place in places if place is not None]


def file_name(config: Config, where: str) -> str:
    """What a recording is known by that is a file: its path below the source's folder, without its ending."""
    path = re.sub(PLACE, "", where)
    inside = [path[len(base) + 1 :] for base in sorted(set(bases(config))) if path.startswith(f"{base}/")]
    return re.sub(ENDING, "", inside[-1] if inside else path.rpartition("/")[2])


def gathered(rows: DataFrame, gathering: Gathering) -> DataFrame:
    """What came of every recording."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    whose = F.substring("row_id", 1, records.MAKER_HEX).alias(_MAKER)
    return rows.groupBy(whose, "entity").applyInArrow(_gatherer(gathering), from_arrow_schema(gathering.schema))


def _gatherer(gathering: Gathering) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def gather(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        whole = pa.Table.from_batches(list(batches))
        yield from gathering(whole.select([*OBSERVED, *gathering.judging.form.channels]))

    return gather


def _counts(laid: DataFrame) -> dict[str, int]:
    """What was counted of all recordings."""
    from pyspark.sql import functions as F

    told = laid.where(F.col(COUNTED).isNotNull()).select(F.explode(COUNTED).alias("name", "n"))
    return {row["name"]: row["total"] for row in told.groupBy("name").agg(F.sum("n").alias("total")).collect()}


def _flagged(rows: DataFrame) -> dict[str, int]:
    """How many windows each repair touched."""
    from pyspark.sql import functions as F

    told = rows.select(F.explode("row_flags").alias("flag")).where(F.col("flag").isin(*REPAIRS)).groupBy("flag").count()
    return {row["flag"]: row["count"] for row in sorted(told.collect(), key=lambda row: row["flag"])}


def _check_law(counts: dict[str, int], arrived: int) -> None:
    """Raise StageError where observations were lost or doubled on the way."""
    if counts.get("observations", 0) != arrived:
        raise StageError(
            f"clean lost count: {arrived:,} observations came in, {counts.get('observations', 0):,} were gathered."
            " Please report this."
        )


def _along_time(config: Config, rows: DataFrame) -> tuple[DataFrame, Borders | None]:
    """Rows with their split by time, where their source gives none; and the borders, if any row needs them."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import StringType

    open_ = rows.where(F.col("row_split").isNull() & F.col(FROM).isNotNull())
    borders = _borders(config, open_.where("row_reason is null"))
    val_from, test_from = borders or (0, 0)

    since, until = (_side(F.col(name), val_from, test_from) for name in (FROM, UNTIL))
    split = F.when(since == until, F.element_at(F.array(*map(F.lit, SPLITS)), since + 1)).otherwise(LEFT_OUT)
    fresh = F.when(F.col("row_split").isNull() & F.col(FROM).isNotNull(), split)
    found = rows.withColumn("row_split", F.coalesce("row_split", fresh).cast(StringType()))
    grouped = F.when(fresh.isNotNull(), F.concat_ws(":", "row_group", "row_split")).otherwise(F.col("row_group"))
    return found.withColumn("row_group", grouped), borders


def _side(time: Column, val_from: int, test_from: int) -> Column:
    """The place in SPLITS of a time."""
    from pyspark.sql import functions as F

    return F.when(time < val_from, 0).when(time < test_from, 1).otherwise(2)


def borders_name(recipe: Recipe) -> str:
    """The file of borders, beside the assignments: times that are read in another way have others."""
    assert recipe.series is not None and recipe.series.recordings is not None
    said = recipe.series.recordings
    return f"borders-{runs.digest_of([said.time, said.time_format])}.json"


def _borders(config: Config, rows: DataFrame) -> Borders | None:
    """The borders that were found first, while `split` says the same; None where there is no window.

    So that their shares of windows begin there. Distinct times must fit the memory of one task.
    """
    from pyspark.sql import functions as F

    kept = runs.read_json(home_of_assignments(config), borders_name(config.recipe))
    if kept is None:
        shares = config.recipe.split.shares()
        parts = F.array(F.lit(shares["train"]), F.lit(min(1.0, shares["train"] + shares["val"])))
        found = rows.agg(F.percentile(FROM, parts).alias("times")).first()
        if found is None or found["times"] is None:
            return None
        kept = found["times"]
    return int(kept[0]), int(kept[1])


def _across(rows: DataFrame) -> DataFrame:
    """Rows across a border are no copies of others, and refused ones lie in no split."""
    from pyspark.sql import functions as F

    across = F.coalesce(F.col("row_split") == LEFT_OUT, F.lit(False))
    refused = across & F.col("row_reason").isNotNull()
    columns = {
        "pixels": F.when(across, F.col("row_id")).otherwise(F.col("pixels")),
        "row_split": F.when(~refused, F.col("row_split")),
    }
    return rows.withColumns(columns)


def _check_splits(config: Config, rows: DataFrame) -> int:
    """How many windows lie across borders. Raises StageError where a split that has a share got no window."""
    from pyspark.sql import functions as F

    split = config.recipe.split
    good = rows.where("row_reason is null").groupBy("row_split").agg(F.count("*").alias("n"))
    there = {row["row_split"]: row["n"] for row in good.collect()}
    empty = [name for name, share in split.shares().items() if share > 0 and not there.get(name)]
    if empty and there:
        told = f"{there.get(LEFT_OUT, 0):,} windows lie across borders"
        mend = (
            "shorter blocks" if split.by == "block" else "larger shares, or another seed (borders stay as first found)"
        )
        raise StageError(
            f"{config.origin}, split: by {split.by} no window is left for {empty[0]}; {told}. Say {mend}, a smaller"
            " stride or embargo_steps, or add data."
        )
    return there.get(LEFT_OUT, 0)
