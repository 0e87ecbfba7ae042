"""What wide tables cost: a thousand columns, and one column of 300,000 categories, trained on and sampled from in a
process whose memory is told. The tables are made here; they go through ingest, clean and normalize by the command.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_tables import fitted_here, normalized
from figures import Row, row

import conf

BAR = "<= 6"  # GiB
CAUSES = 20  # that all columns of the wide table hang on
MADE = 5000
STEPS = 300  # of training: memory does not hang on them


def thousand_columns(draw: np.random.Generator) -> tuple[pa.Table, dict[str, str]]:
    """20,000 rows of 600 numbers, 399 categories and a label, that hang on a few unseen causes; and their types."""
    rows, numbers, words = 20_000, 600, 399
    causes = draw.normal(size=(rows, CAUSES))
    columns: dict[str, pa.Array] = {}
    pulls = draw.normal(size=(CAUSES, numbers)) / CAUSES**0.5
    for place, values in enumerate((causes @ pulls + draw.normal(size=(rows, numbers)) * 0.5).T):
        columns[f"number_{place}"] = pa.array(np.round(np.exp(values) if place % 3 == 0 else values, 4))
    for place in range(words):
        told = causes @ draw.normal(size=(CAUSES, 2 + place % 30)) + draw.gumbel(size=(rows, 2 + place % 30))
        columns[f"word_{place}"] = pa.array([f"w{code}" for code in told.argmax(1)])
    columns["label"] = pa.array(np.where(causes[:, 0] + draw.normal(size=rows) * 0.5 > 1, "yes", "no"))
    return pa.table(columns), {name: "number" if name.startswith("number") else "category" for name in columns}


def many_categories(draw: np.random.Generator) -> tuple[pa.Table, dict[str, str]]:
    """600,000 rows: an item of 300,000, each seen twice, its price, its amount, and a label."""
    items = 300_000
    item = draw.permutation(np.repeat(np.arange(items), 2))
    dear = draw.normal(size=items)[item]
    price = np.round(np.exp(dear + draw.normal(size=len(item)) * 0.2), 2)
    columns = {
        "item": pa.array([f"item {number}" for number in item]),
        "price": pa.array(price),
        "amount": pa.array(draw.poisson(3, len(item)) + 1),
        "label": pa.array(np.where(dear > 1, "dear", "cheap")),
    }
    return pa.table(columns), {"item": "category", "price": "number", "amount": "integer", "label": "category"}


CASES: dict[str, Callable[[np.random.Generator], tuple[pa.Table, dict[str, str]]]] = {
    "thousand-columns": thousand_columns,
    "many-categories": many_categories,
}


def recipe_of(name: str, folder: Path) -> Path:
    """A made table and its recipe, in a folder."""
    table, types = CASES[name](np.random.default_rng(7))
    pq.write_table(table, folder / f"{name}.parquet")
    classes = sorted(table.column("label").unique().to_pylist())
    told = {
        "name": name, "modality": "table", "seed": 7, "data": str(folder),
        "task": {"kind": "classification", "label": "label", "classes": classes},
        "sources": [{"name": "made", "reader": "parquet", "path": f"{name}.parquet"}],
        "columns": {column: {"type": kind} for column, kind in types.items()},
        "split": {"test": 0.05, "val": 0.05, "rest": "train"},
        "generate": [{"model": "table_ar", "rows": {"like": "train"}, "train": {"max_steps": STEPS}}],
    }  # fmt: skip
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(told))
    return file


def grow(recipe: str, root: str) -> None:
    """Train and sample on one thread, in this process; print the seconds of both as JSON."""
    config = conf.load(recipe, "local", [], root)
    sampler, seconds = fitted_here(config, config.recipe.generate[0], f"{root}/fit")
    began = time.perf_counter()
    made = sum(sampler("", start, start + 1000).num_rows for start in range(0, MADE, 1000))
    print(json.dumps({"train": seconds, "sample": time.perf_counter() - began, "rows": made}))


def measured(name: str, folder: Path) -> list[Row]:
    """A case's lines."""
    recipe = recipe_of(name, folder)
    began = time.perf_counter()
    normalized(str(recipe), folder / "root")
    staged = time.perf_counter() - began
    command = [sys.executable, __file__, "--grow", str(recipe), str(folder / "root")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    seconds = json.loads(said.splitlines()[-1])
    return [
        row(f"{name}: ingest, clean and normalize by the command", [staged], "s"),
        row(f"{name}: {STEPS} steps of table_ar", [seconds["train"]], "s"),
        row(f"{name}: {seconds['rows']:,} rows sampled in", [seconds["sample"]], "s"),
        row(f"{name}: most memory of training and sampling", [used.ru_maxrss / 2**20], "GiB", BAR),
    ]


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--out", default="")
    parser.add_argument("--grow", nargs=2, metavar=("RECIPE", "ROOT"), help="train and sample here; used by itself")
    given = parser.parse_args()
    if given.grow:
        grow(*given.grow)
        return
    found: list[Row] = []
    for name in given.cases:
        with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
            found += measured(name, Path(folder))
    if given.out:
        Path(given.out).write_text(json.dumps([dataclasses.asdict(line) for line in found], indent=1))


if __name__ == "__main__":
    main()
