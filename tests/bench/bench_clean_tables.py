"""What cleaning a table by its recipe costs against the same rules written by hand in plain Spark SQL, and what its
statistics cost against one plain aggregation.

Cleaning: both sides read the same Parquet of text cells (Adult's rows repeated and perturbed), read 15 columns in their
types, ask twelve rules, write typed rows with their reasons as Parquet, and count the rows that each rule refuses.

Statistics: both sides read the cleaned rows. The plain side counts cells, takes mean, deviation, least, most and
approximate percentiles of numbers, and estimates how many distinct words there are; ours are exact sums, a thousand
quantiles, frequent values, decimals, and counts of each word.

All of it in one session, the sides in turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import conf
from conf import Config
from conf.runs import Place
from jobs.spark import session
from jobs.tabular import clean, ingest, normalize
from udfs import records

FILE_ROWS = 500_000
ROUNDS = 3
RULES: list[dict[str, Any]] = [
    {"required": {"columns": ["income", "age"]}},
    {"range": {"column": "age", "low": 17, "high": 90}},
    {"range": {"column": "hours_per_week", "low": 1, "high": 99}},
    {"range": {"column": "capital_gain", "low": 0, "high": 99_999}},
    {"range": {"column": "education_num", "low": 1, "high": 16}},
    {"one_of": {"column": "sex", "values": ["Male", "Female"]}},
    {"one_of": {"column": "income", "values": ["<=50K", ">50K"]}},
    {"regex": {"column": "workclass", "pattern": "[A-Za-z-]+"}},
    {"length": {"column": "native_country", "low": 2, "high": 40}},
    {"relation": {"expression": "capital_gain = 0 OR capital_loss = 0", "severity": "warn"}},
    {"relation": {"expression": "age >= education_num"}},
    {"relation": {"expression": "hours_per_week <= 80", "severity": "warn"}},
]
BOUNDS = (("age", 17, 90), ("hours_per_week", 1, 99), ("capital_gain", 0, 99_999), ("education_num", 1, 16))
INTEGERS = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="bench_clean_tables.json")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="seedbed-bench-"))
    plain = [f"columns.{name}={{type: integer}}" for name in INTEGERS]
    config = conf.load("adult", "local", [f"clean.rules={json.dumps(RULES)}", *plain], str(root))
    try:
        perturbed(config, root / "raw", given.rows)
        with session(config) as spark:
            found = measure(spark, config, root, given.rounds, given.rows)
    finally:
        shutil.rmtree(root)
    Path(given.out).write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def perturbed(config: Config, folder: Path, count: int) -> None:
    """Rows like Adult's: text cells with blanks before them, some missing, some wrong."""
    folder.mkdir(parents=True)
    schema = ingest.raw_schema(config.recipe)
    words = {
        "workclass": ["Private", "State-gov", "Self-emp-inc", "?"], "education": ["Bachelors", "HS-grad", "Masters"],
        "marital_status": ["Never-married", "Divorced"], "occupation": ["Sales", "Tech-support", "?"],
        "relationship": ["Husband", "Wife", "Own-child"], "race": ["White", "Black", "Other"],
        "sex": ["Male", "Female"], "native_country": ["United-States", "Mexico", "?"], "income": ["<=50K", ">50K"],
    }  # fmt: skip
    for number, start in enumerate(range(0, count, FILE_ROWS)):
        size, random = min(FILE_ROWS, count - start), np.random.default_rng(number)
        columns: dict[str, Any] = {
            "row_id": [f"{start + place:040x}" for place in range(size)],
            "row_origin": ["real"] * size,
            "row_source": [f"adult.data#{start + place}" for place in range(size)],
            "row_label_source": ["given"] * size,
        }
        for name, choices in words.items():
            columns[name] = pa.array([f" {word}" for word in choices]).take(random.integers(0, len(choices), size))
        highs = {"age": 95, "fnlwgt": 1_000_000, "education_num": 17, "hours_per_week": 100}
        for name in INTEGERS:
            values = random.integers(0, highs.get(name, 5000), size)
            if name.startswith("capital"):
                values = np.where(random.random(size) < 0.9, 0, values)
            columns[name] = [f" {value}" for value in values]
        arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(size, f.type) for f in schema]
        loose = pa.schema([field.with_nullable(True) for field in schema])
        pq.write_table(pa.Table.from_arrays(arrays, schema=loose), folder / f"part-{number:04d}.parquet")


def measure(spark: Any, config: Config, root: Path, rounds: int, rows: int) -> dict[str, Any]:
    """Both sides of both ratios."""
    raw = spark.read.parquet(str(root / "raw"))
    place = Place("clean", "", "bench", str(root / "ours"), {}, {}, {})
    clean_s = in_turn(
        rounds,
        lambda: clean.prepared(spark, config, place, raw),
        lambda: by_hand(spark, raw, str(root / "theirs")),
    )
    cleaned = clean.prepared(spark, config, place, raw)[0]
    measure_s = in_turn(rounds, lambda: normalize.measured(config, cleaned), lambda: aggregated(cleaned))
    return {"rows": rows, "clean": compared(clean_s, 1.15), "statistics": compared(measure_s, 1.5)}


def in_turn(rounds: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of each side; a first turn warms both up."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        ours()
        between = time.perf_counter()
        theirs()
        times.append((between - began, time.perf_counter() - between))
    mine, other = zip(*times[1:], strict=True)
    return statistics.median(mine), statistics.median(other)


def compared(seconds: tuple[float, float], bar: float) -> dict[str, Any]:
    """Both sides and their ratio."""
    ours, theirs = seconds
    ratio = ours / theirs
    return {
        "ours_s": round(ours, 2),
        "plain_s": round(theirs, 2),
        "ratio": round(ratio, 3),
        "bar": f"<= {bar}",
        "met": ratio <= bar,
    }


def aggregated(rows: Any) -> Any:
    """One plain aggregation over the same columns."""
    from pyspark.sql import functions as F

    told = []
    for name in (field.name for field in rows.schema if not field.name.startswith("row_")):
        told.append(F.count(name))
        if name in INTEGERS:
            told += [F.avg(name), F.stddev_pop(name), F.min(name), F.max(name)]
            told.append(F.percentile_approx(name, [place / 20 for place in range(21)]))
        else:
            told.append(F.approx_count_distinct(name))
    return rows.agg(*told).collect()


def by_hand(spark: Any, raw: Any, path: str) -> int:
    """The same in plain SQL."""
    raw.createOrReplaceTempView("bench_raw")
    lineage = ", ".join(name for name in records.LINEAGE.names if name != "row_flags")
    texts = [field.name for field in ingest.raw_schema(conf.load("adult").recipe) if field.name[:4] != "row_"]
    trimmed = ", ".join(f"nullif(nullif(btrim({name}), '?'), '') AS {name}_t" for name in texts)
    typed = ", ".join(f"try_cast({n}_t AS bigint) AS {n}" if n in INTEGERS else f"{_word(n)} AS {n}" for n in texts)
    unread = [(f"{n}_t IS NOT NULL AND {n} IS NULL", "not_an_integer", f"concat('{n}=', {n}_t)") for n in INTEGERS]
    refuses = [
        ("income IS NULL", "label_missing", "'income missing'"),
        *unread,
        ("income IS NULL OR age IS NULL", "value_missing", "'missing'"),
        *[(f"{n} < {low} OR {n} > {high}", "out_of_range", f"concat('{n}=', {n})") for n, low, high in BOUNDS],
        ("sex NOT IN ('Male', 'Female')", "not_among_values", "concat('sex=', sex)"),
        ("income NOT IN ('<=50K', '>50K')", "not_among_values", "concat('income=', income)"),
        ("NOT workclass RLIKE '^(?:[A-Za-z-]+)$'", "pattern_mismatch", "concat('workclass=', workclass)"),
        (
            "length(native_country) < 2 OR length(native_country) > 40",
            "wrong_length",
            "concat('country=', native_country)",
        ),
        ("NOT (age >= education_num)", "relation_broken", "'not age >= education_num'"),
    ]
    reason = " ".join(f"WHEN {condition} THEN '{word}'" for condition, word, _ in refuses)
    detail = " ".join(f"WHEN {condition} THEN {told}" for condition, _, told in refuses)
    warns = ("NOT (capital_gain = 0 OR capital_loss = 0)", "NOT (hours_per_week <= 80)")
    flags = ", ".join(f"CASE WHEN {condition} THEN 'relation_broken' END" for condition in warns)
    payload = ", ".join(texts)
    spark.sql(
        f"SELECT {lineage}, {payload}, CASE {reason} END AS row_reason, CASE {detail} END AS row_detail,"
        f" array_compact(array({flags})) AS row_flags FROM"
        f" (SELECT *, {typed} FROM (SELECT {lineage}, {trimmed} FROM bench_raw))"
    ).write.mode("overwrite").parquet(path)
    counted = spark.read.parquet(path).groupBy("row_reason", "row_flags").count()
    return len(counted.collect())


def _word(name: str) -> str:
    """A category; the label without the point that the test file puts behind it."""
    if name != "income":
        return f"{name}_t"
    return "CASE WHEN income_t = '<=50K.' THEN '<=50K' WHEN income_t = '>50K.' THEN '>50K' ELSE income_t END"


if __name__ == "__main__":
    main()
