"""Normalize, the part of series: every channel's statistics, one tally a partition, merged on the driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from conf import Config
from conf.runs import Place
from udfs.series.scaling import QUARTILES, ChannelTally, Scale, Tally, from_bytes, measure, merge, to_bytes
from udfs.series.windows import stacked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_MEASURED = pa.schema([pa.field("measured", pa.binary()), pa.field("rows", pa.int64())])


def measured(config: Config, train: DataFrame) -> tuple[int, dict[str, Any]]:
    """How many rows were measured, and their statistics by channel."""
    form = config.recipe.series
    assert form is not None
    tally, rows = tally_of(train, form.length, len(form.channels))
    if not rows:
        return 0, {}
    centre, width = (each[0, 0] for each in (Scale.of(tally).centre, Scale.of(tally).width))
    told = zip(form.channels, tally, centre.tolist(), width.tolist(), strict=True)
    return rows, {"channels": {name: _told(each, mean, std) for name, each, mean, std in told}}


def _told(tally: ChannelTally, mean: float, deviation: float) -> dict[str, Any]:
    """What is known of one channel; of one without a value that it has none."""
    if not tally.count:
        return {"count": 0}
    quartiles = [tally.quantile(share) for share in QUARTILES]
    return {
        "count": tally.count, "mean": mean, "deviation": deviation,
        "least": tally.least, "greatest": tally.greatest, "quartiles": quartiles,
    }  # fmt: skip


def tally_of(rows: DataFrame, steps: int, channels: int) -> tuple[Tally, int]:
    """What is measured of the column `series`, and of how many rows; the same under any partitioning."""
    from pyspark.sql.pandas.types import from_arrow_schema

    measuring = Measuring(steps, channels)
    parts = rows.select("series").mapInArrow(measuring, from_arrow_schema(_MEASURED)).collect()
    return merge(from_bytes(bytes(part["measured"])) for part in parts), sum(part["rows"] for part in parts)


@dataclass(frozen=True)
class Measuring:
    """The batches of a partition to one tally."""

    steps: int
    channels: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row with the tally of all the batches; none of no rows."""
        tallies, rows = list[Tally](), 0
        for batch in batches:
            if batch.num_rows:
                series = stacked(batch.column("series"), self.steps, self.channels)
                tallies = [merge([*tallies, measure(np.ascontiguousarray(series))])]
                rows += batch.num_rows
        if rows:
            yield pa.RecordBatch.from_pydict({"measured": [to_bytes(tallies[0])], "rows": [rows]}, schema=_MEASURED)


def write(spark: SparkSession, config: Config, place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """Nothing more."""
    return {}
