"""What a million generated rows of Adult cost: from a trained checkpoint through two actors to staged files, and merged
into the table against a blind append of the same rows.

Staged: seconds of the million at the pace between the first shards and the last, actors warm; the whole stage, their
start included, is told beside it. Merged: the staged rows in the order of their ids, as the gate lays them down, by
`merge_rows` against `append`, into a table of Adult's real rows, in turn.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_merge import Bench, medians
from bench_tables import REPOSITORY, Case
from prepared import between_files

from conf import Config, runs
from udfs import records

ROWS = 1_000_000
ACTORS = 2
ROUNDS = 3
PRESETS = {"standard": "<= 12", "fast": ""}


def main() -> None:
    """Measure, print, write JSON."""
    shared = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--data", type=Path, default=shared / "tabular")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    if not given.data.is_dir():
        print(f"there are no tables in {given.data}; --data names the folder of adult")
        return
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
        case = Case("adult", Path(folder), given.data)
        found: dict[str, Any] = {"rows": given.rows}
        for preset in PRESETS:
            config = planned(case.config, preset, given.rows)
            found[f"staged, {preset}"] = staged(config, given.rows, PRESETS[preset])
            print(json.dumps(found[f"staged, {preset}"]), flush=True)
        found["merged"] = merged(planned(case.config, "standard", given.rows), case, Path(folder), given.rounds)
    print(json.dumps(found, indent=1))
    if given.out:
        Path(given.out).write_text(json.dumps(found, indent=1))


def planned(config: Config, preset: str, rows: int) -> Config:
    """The recipe with one generator of a preset and so many rows, and a runtime of two actors."""
    plan = config.recipe.generate[0].rows.model_copy(update={"like": "train", "total": rows})
    generator = config.recipe.generate[0].model_copy(update={"preset": preset, "rows": plan})
    recipe = config.recipe.model_copy(update={"generate": [generator]})
    sample = config.runtime.sample.model_copy(update={"actors": ACTORS})
    return dataclasses.replace(config, recipe=recipe, runtime=config.runtime.model_copy(update={"sample": sample}))


def part_of(config: Config) -> str:
    """The generator's name."""
    return config.recipe.generate[0].name


def staged(config: Config, rows: int, bar: str) -> dict[str, Any]:
    """Train, sample, and what sampling took."""
    from synth import sample, train
    from synth.cluster import start

    part = part_of(config)
    with start(config) as cluster:
        runs.finish(runs.locate(config, "train", part), train.run(cluster, config, part), 0.0)
        began = time.perf_counter()
        runs.finish(runs.locate(config, "sample", part), sample.run(cluster, config, part), 0.0)
        whole = time.perf_counter() - began
    folder = Path(runs.locate(config, "sample", part).folder) / "rows"
    seconds, shards = between_files(folder, "shard-*.parquet", ACTORS)
    each = rows / len(list(folder.glob("shard-*.parquet")))
    pace = shards * each / seconds
    told = {"rows_per_s": round(pace), "seconds": round(rows / pace, 1), "whole_s": round(whole, 1), "bar": bar}
    return told | {"met": rows / pace <= float(bar.split()[1]) if bar else None}


def merged(config: Config, case: Case, folder: Path, rounds: int) -> dict[str, Any]:
    """Both sides, and their ratio."""
    from jobs.spark import hand_off, in_order, session

    made = f"{runs.locate(config, 'sample', part_of(config)).folder}/rows"
    with session(config) as spark:
        names = records.row_schema(config.recipe).names
        laid = [
            hand_off(in_order(spark.read.parquet(path).select(*names), files), str(folder / "merge"), name)
            for name, path, files in (("real", f"{case.real}/rows", 1), ("new", made, 4))
        ]
        target = dataclasses.replace(config, tables=str(folder / "table"), files=str(folder / "table"))
        (folder / "table").mkdir()
        bench = Bench(spark, target, laid[0])
        bench.merge(*laid)  # warms both up
        bench.append(laid[1])
        merge, append = medians(rounds, lambda: bench.merge(*laid), lambda: bench.append(laid[1]))
    ratio = merge / append
    told = {"merge_s": round(merge, 2), "append_s": round(append, 2), "ratio": round(ratio, 2)}
    return told | {"bar": "<= 2.0", "met": ratio <= 2}


if __name__ == "__main__":
    main()
