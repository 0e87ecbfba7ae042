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
from jobs.census import FILE as CENSUS
from jobs.spark import merge_rows, session, table
from udfs import records

PAYLOAD_BYTES = 400
FILE_BYTES = 24 << 20
MAKER_ROWS = 50_000
ROUNDS = 3


def rows_of(makers: range, maker_rows: int = MAKER_ROWS, edited: bool = False) -> pa.Table:
    """The rows of some makers, in the order of their ids; edited, a hundredth differs and a hundredth is missing."""
    parts = [_of_maker(number, maker_rows, edited) for number in makers]
    return pa.concat_tables(sorted(parts, key=lambda part: part["row_id"][0].as_py()))


def _of_maker(number: int, count: int, edited: bool) -> pa.Table:
    random = np.random.default_rng(number)
    ids = np.sort(np.frombuffer(random.bytes(12 * count), "S12"))
    maker = records.maker("bench", number)
    hashes = random.integers(0, 2**63, count)
    payload = np.frombuffer(random.bytes(PAYLOAD_BYTES * count), np.uint8).copy()
    if edited:
        hashes[::100] += 1
        payload.reshape(count, -1)[::100, 0] ^= 255
    offsets = pa.py_buffer(np.arange(0, PAYLOAD_BYTES * count + 1, PAYLOAD_BYTES, dtype=np.int32))
    columns = {
        "row_id": [maker + each.ljust(12, b"\0").hex() for each in ids.tolist()],
        "row_origin": ["augmented"] * count,
        "row_split": ["train"] * count,
        "row_label_source": ["inherited"] * count,
        "row_hash": [f"{value:016x}" for value in hashes.tolist()],
        "label": [str(index % 10) for index in range(count)],
        "image": pa.Array.from_buffers(pa.binary(), count, [None, offsets, pa.py_buffer(payload)]),
    }
    rows = records.conform(pa.table(columns), records.image_schema())
    return rows.filter(pa.array(np.arange(count) % 100 != 1)) if edited else rows


def written(rows: pa.Table, folder: Path) -> str:
    """The rows as Parquet in the order of their ids, in files of the size that the gate writes."""
    folder.mkdir(parents=True)
    step = FILE_BYTES // (PAYLOAD_BYTES + 120)
    for number, start in enumerate(range(0, max(rows.num_rows, 1), step)):
        pq.write_table(rows.slice(start, step), folder / f"part-{number:05d}.parquet")
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
        """Seconds of bringing the table in step with the rows of all `paths`, of which the last are new and not yet
        counted.
        """
        Path(paths[-1], CENSUS).unlink(missing_ok=True)
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
    data["empty"] = written(records.image_schema().empty_table(), root / "empty")
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
    (none,) = medians(rounds, lambda: whole.merge(data["base_400"], data["empty"]))
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
