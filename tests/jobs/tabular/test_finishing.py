"""Outliers and missing values by statistics of train rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.jobs.made import run, table
from tests.jobs.tabular.made import recipe

SOURCES = [
    {"name": "a", "reader": "csv", "path": "a.csv"},
    {"name": "b", "reader": "csv", "path": "b.csv", "split": "test"},
]
HEADER = "name,age,score,label"
PLAIN = {"name": {"type": "category"}, "age": {"type": "integer"}, "score": {"type": "number"}}


def cleaned(spark, tmp_path, columns, train, test, **parts):
    for name, lines in (("a", train), ("b", test)):
        (tmp_path / f"{name}.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    whole = {**columns, "label": {"type": "category"}}
    split = {"test": "given", "val": 0, "rest": "train"}
    config = recipe(tmp_path, SOURCES, columns=whole, split=split, **parts)
    counts = run(spark, config, "ingest", "clean").counts
    assert counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    return counts, table(config, "clean"), table(config, "quarantine")


def lines(count, start=0):
    """People of whom none equals one of another start."""
    people = range(start, start + count)
    return [f"g{n % 2},{50 + n % 5},{n % 10 + start / 1000},{('no', 'yes')[n % 2]}" for n in people]


@pytest.mark.parametrize(
    ("method", "action"),
    [("robust_z", "quarantine"), ("z_score", "clip"), ("iqr", "flag"), ("isolation_forest", "quarantine")],
)
def test_outliers_are_refused_in_train_alone_and_flagged_elsewhere(spark, tmp_path, method, action):
    train, test = [*lines(100), "g0,900,5,no"], [*lines(10, 100), "g0,950,5,no"]
    threshold = 12 if method == "isolation_forest" else 3.5
    rule = {"method": method, "threshold": threshold, "action": action}
    counts, rows, refused = cleaned(spark, tmp_path, PLAIN, train, test, clean={"outliers": rule})
    far = [row for row in rows if row["row_flags"]]
    assert counts["outliers"] == {"action": action, "rows": {"train": 1, "test": 1}}
    assert {row["age"] for row in far if row["row_split"] == "test"} == {950}, "the yardstick stays whole"
    if action == "quarantine":
        assert [(row["age"], row["row_reason"]) for row in refused] == [(900, "outlier")]
        assert len(far) == 1
    else:
        assert not refused
        (mine,) = [row for row in far if row["row_split"] == "train"]
        assert mine["age"] == 900 if action == "flag" else 52 < mine["age"] < 900


FILLS = {
    "constant": ({"method": "constant", "value": 7}, (7, 7)),
    "mean": ("mean", (52, 52)),
    "median": ("median", (50, 50)),
    "mode": ("mode", (50, 50)),
    "group_median": ({"method": "group_median", "by": ["name"]}, (50, 54)),
    "nearest": ({"method": "nearest", "neighbours": 3}, (50, 54)),
    "model": ("model", (50, 54)),
}


def test_missing_cells_are_filled_from_train_rows_and_flagged(spark, tmp_path):
    """Every method on a column of its own: 50 where the name is g0, 54 where it is g1, far more in test rows."""
    columns = {"name": {"type": "category"}, "score": {"type": "number"}}
    columns |= {name: {"type": "integer", "fill": said, "flag_missing": True} for name, (said, _) in FILLS.items()}
    number = len(FILLS)
    train = [["g0", n % 10, *[50] * number, ("no", "yes")[n // 2 % 2]] for n in range(44)]
    train += [["g1", n % 10, *[54] * number, ("no", "yes")[n // 2 % 2]] for n in range(40)]
    test = [["g0", 0, *[""] * number, "no"], ["g1", 1, *[""] * number, "yes"]] + [
        ["g0", 3, *[1000] * number, "no"]
    ] * 50
    for name, rows in (("a", train), ("b", test)):
        text = [",".join(map(str, row)) for row in [[*columns, "label"], *rows]]
        (tmp_path / f"{name}.csv").write_text("\n".join(text) + "\n")
    split = {"test": "given", "val": 0, "rest": "train"}
    config = recipe(tmp_path, SOURCES, columns={**columns, "label": {"type": "category"}}, split=split)
    counts = run(spark, config, "ingest", "clean").counts
    assert counts["refused"] == {}
    rows = {row["name"]: row for row in table(config, "clean") if row["mean_was_missing"]}
    assert set(rows) == {"g0", "g1"}
    for name, (_, wanted) in FILLS.items():
        assert (rows["g0"][name], rows["g1"][name]) == wanted, name
        assert rows["g0"][f"{name}_was_missing"] is True
    assert sum(row["mode_was_missing"] for row in table(config, "clean")) == 2


def test_fill_by_drop_refuses_and_learns_nothing(spark, tmp_path):
    columns = {**PLAIN, "age": {"type": "integer", "fill": "drop"}}
    counts, _, refused = cleaned(spark, tmp_path, columns, [*lines(20), "g0,,1,no"], lines(4, 50))
    assert counts["refused"] == {"value_missing": 1}
    assert refused[0]["row_detail"] == "age is missing"


@pytest.mark.slow
def test_filled_values_do_not_hang_on_partitions(spark, tmp_path):
    random = np.random.default_rng(1)
    columns = {**PLAIN, "score": {"type": "number", "fill": "nearest"}}
    train = [
        f"g{n % 3},{random.integers(20, 60)},{'' if n % 7 == 0 else random.normal():.4},{('no', 'yes')[n % 2]}"
        if n % 7
        else f"g{n % 3},{random.integers(20, 60)},,{('no', 'yes')[n % 2]}"
        for n in range(200)
    ]
    found = []
    for parts in ("2", "5"):
        spark.conf.set("spark.sql.shuffle.partitions", parts)
        folder = tmp_path / parts
        folder.mkdir()
        _, rows, _ = cleaned(spark, folder, columns, train, lines(4, 500))
        found.append({row["row_id"]: (row["score"], row["row_hash"]) for row in rows})
    assert found[0] == found[1]
    assert all(score is not None for score, _ in found[0].values())
