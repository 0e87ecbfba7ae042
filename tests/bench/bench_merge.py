"""What exactly-once costs: merging new rows against appending them blindly, and whether a merge's cost grows with the
table.

Both sides write the same Parquet into tables of the same content, in one session, in turn. Rows carry 400 bytes of
payload (a 28 x 28 PNG has about as much). Merging here is all of `merge_rows`: checking the rows, comparing, the
MERGE, reading the commit back.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import conf
from conf import Config
from jobs.spark import merge_rows, session, table
from udfs import records

PAYLOAD_BYTES = 400
MAKER_ROWS = 50_000
ROUNDS = 3


def rows_of(makers: range, maker_rows: int = MAKER_ROWS, edited: bool = False) -> pa.Table:
    """The rows of some makers, in the order of their ids; edited, a hundredth differs and a hundredth is missing."""
    random = np.random.default_rng(makers.start)
    parts = []
    for number in makers:
        maker = records.maker("bench", number)
        ids = sorted(maker + records.which(index) for index in range(maker_rows))
        label = pa.array([str(index % 10) for index in range(maker_rows)])
        payload = random.bytes(PAYLOAD_BYTES * maker_rows)
        images = [payload[start : start + PAYLOAD_BYTES] for start in range(0, len(payload), PAYLOAD_BYTES)]
        hashes = [f"{value:016x}" for value in random.integers(0, 2**63, maker_rows)]
        if edited:
            images[::100] = [image[::-1] for image in images[::100]]
            hashes[::100] = [value[::-1] for value in hashes[::100]]
        columns = {
            "row_id": ids, "row_origin": ["augmented"] * maker_rows, "row_split": ["train"] * maker_rows,
            "row_label_source": ["inherited"] * maker_rows, "row_hash": hashes, "label": label, "image": images,
        }  # fmt: skip
        rows = records.conform(pa.table(columns), records.image_schema())
        parts.append(rows.filter(np.arange(maker_rows) % 100 != 1) if edited else rows)
    return pa.concat_tables(parts).sort_by("row_id")


def written(rows: pa.Table, folder: Path) -> str:
    """The rows as two Parquet files, as two tasks would have written them."""
    folder.mkdir(parents=True)
    half = -(-rows.num_rows // 2)
    for number, start in enumerate(range(0, rows.num_rows, half)):
        pq.write_table(rows.slice(start, half), folder / f"part-{number}.parquet")
    return str(folder)


class Bench:
    """One table to start from, and fresh copies of it."""

    def __init__(self, spark: Any, config: Config, base: str) -> None:
        self._spark, self._config = spark, config
        merge_rows(spark, config, "dataset", base, partition_by=["row_origin"])

    def time(self, work: Callable[[Config], Any]) -> float:
        """Seconds that `work` takes on a copy of the table, which is deleted afterwards."""
        root = tempfile.mkdtemp(dir=self._config.tables)
        config = replace(self._config, tables=root, files=root)
        shutil.copytree(table(self._config, "dataset"), table(config, "dataset"))
        began = time.perf_counter()
        work(config)
        seconds = time.perf_counter() - began
        shutil.rmtree(root)
        return seconds

    def append(self, path: str) -> float:
        """Seconds of a blind append."""
        rows = self._spark.read.parquet(path)
        writer = rows.write.format("delta").mode("append").partitionBy("row_origin")
        return self.time(lambda config: writer.save(table(config, "dataset")))

    def merge(self, *paths: str) -> float:
        """Seconds of bringing the table in step with the rows of all `paths`."""
        return self.time(lambda config: merge_rows(self._spark, config, "dataset", paths, partition_by=["row_origin"]))


def medians(rounds: int, *sides: Callable[[], float]) -> list[float]:
    """The median seconds of each side, the sides taking turns."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for mine, side in zip(times, sides, strict=True):
            mine.append(side())
    return [statistics.median(each) for each in times]


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="bench_merge.json")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="seedbed-bench-"))
    config = conf.load("digits", "local", [], str(root))
    try:
        with session(config) as spark:
            found = measure(spark, config, root, given.rounds)
    finally:
        shutil.rmtree(root)
    Path(given.out).write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def measure(spark: Any, config: Config, root: Path, rounds: int) -> dict[str, Any]:
    """All figures."""
    data = {name: written(rows_of(makers), root / name) for name, makers in MAKERS.items()}
    edited = written(rows_of(MAKERS["base_400"], edited=True), root / "edited")
    whole = Bench(spark, at(config, root / "t400"), data["base_400"])
    whole.merge(data["base_400"], data["new_50"])  # warms both up
    whole.append(data["new_50"])
    merge, append = medians(
        rounds, lambda: whole.merge(data["base_400"], data["new_500"]), lambda: whole.append(data["new_500"])
    )
    small = Bench(spark, at(config, root / "t200"), data["base_200"])
    large = Bench(spark, at(config, root / "t800"), data["base_800"])
    into_small, into_large = medians(
        rounds,
        lambda: small.merge(data["base_200"], data["new_50"]),
        lambda: large.merge(data["base_800"], data["new_50"]),
    )
    (edit,) = medians(rounds, lambda: whole.merge(edited))
    (none,) = medians(rounds, lambda: whole.merge(data["base_400"]))
    return {
        "merge_500k_into_400k_s": round(merge, 2),
        "blind_append_500k_s": round(append, 2),
        "merge_to_append": {"ratio": round(merge / append, 2), "bar": "<= 2.0, aim 1.5"},
        "merge_50k_into_200k_s": round(into_small, 2),
        "merge_50k_into_800k_s": round(into_large, 2),
        "large_to_small": {"ratio": round(into_large / into_small, 2), "bar": "<= 1.2"},
        "edit_1_percent_updated_1_percent_deleted_of_400k_s": round(edit, 2),
        "nothing_to_do_in_400k_s": round(none, 2),
    }


MAKERS = {
    "base_200": range(4), "base_400": range(8), "base_800": range(16),
    "new_500": range(100, 110), "new_50": range(200, 201),
}  # fmt: skip


def at(config: Config, folder: Path) -> Config:
    """The same recipe with its tables and files in another folder."""
    folder.mkdir()
    return replace(config, tables=str(folder), files=str(folder))


if __name__ == "__main__":
    main()
