"""Clean of tables on Spark: cells parsed and repaired, conditions asked, rows split; nothing lost in silence."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from conf.errors import RecipeError, StageError
from tests.jobs.made import run, table
from tests.jobs.tabular.made import people, recipe

SOURCE = {"name": "csv", "reader": "csv", "path": "a.csv", "delimiter": ";"}
NEW_YEAR, LAST = "2020-01-01", "9999-12-31"


def cleaned(spark, tmp_path, columns, lines, **parts):
    """Rows of these lines (a list of cells each, the label last), cleaned."""
    names = [*columns, "label"]
    padding = [";".join([""] * len(columns) + [label]) for label in ("no", "yes") * 10]
    text = [";".join(names), *lines, *padding]
    (tmp_path / "a.csv").write_text("\n".join(text) + "\n", "utf-8")
    whole = {**columns, "label": {"type": "category"}}
    config = recipe(tmp_path, [SOURCE], columns=whole, **{"split": {"val": 2, "test": 2, "rest": "train"}, **parts})
    done = run(spark, config, "ingest", "clean")
    counts = done.counts
    assert counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    return config, counts


def by_line(rows):
    """Rows by the number of their line."""
    return {int(row["row_source"].rpartition("#")[2]): row for row in rows}


def test_cells_become_typed_values_or_are_refused_with_column_and_value(spark, tmp_path):
    columns = {
        "i": {"type": "integer"},
        "n": {"type": "number"},
        "b": {"type": "boolean"},
        "d": {"type": "date"},
        "t": {"type": "datetime"},
        "k": {"type": "id"},
    }
    good = {
        " 12 ;1.5;yes;2020-02-29;2020-01-01T12:00:00+02:00;007;no": (
            12,
            1.5,
            True,
            "2020-02-29",
            "2020-01-01 10:00:00",
        ),
        "12.0;-0;FALSE;0001-01-01;2020-01-01 00:00:00.5;x;no": (
            12,
            0.0,
            False,
            "0001-01-01",
            "2020-01-01 00:00:00.500000",
        ),
        "1,234;1,234.5;t;9999-12-31;9999-12-31 23:59:59;x;no": (
            1234,
            1234.5,
            True,
            "9999-12-31",
            "9999-12-31 23:59:59",
        ),
        "9007199254740993;1e3;0;2020-1-2 00:00:00;;x;no": (9007199254740993, 1000.0, False, "2020-01-02", None),
        "-5;.5;;;;;no": (-5, 0.5, None, None, None),
    }
    bad = {
        "12.5;;;;;;no": ("not_an_integer", "i=12.5"),
        "99999999999999999999;;;;;;no": ("not_an_integer", "i=99999999999999999999"),
        ";12d;;;;;no": ("not_a_number", "n=12d"),
        ";0x1p3;;;;;no": ("not_a_number", "n=0x1p3"),
        ";nan;;;;;no": ("not_finite", "n=nan"),
        ";1e400;;;;;no": ("not_finite", "n=1e400"),
        ";-Infinity;;;;;no": ("not_finite", "n=-Infinity"),
        ";twelve;;;;;no": ("not_a_number", "n=twelve"),
        ";;maybe;;;;no": ("not_a_boolean", "b=maybe"),
        ";;;2020-02-30;;;no": ("not_a_date", "d=2020-02-30"),
        ";;;10000-01-01;;;no": ("not_a_date", "d=10000-01-01"),
        ";;;2020-01-01 05:00;;;no": ("not_a_date", "d=2020-01-01 05:00"),
        ";;;;soon;;no": ("not_a_datetime", "t=soon"),
        ";;;;12:30:00;;no": ("not_a_datetime", "t=12:30:00"),
        ";;;;T12:30:00;;no": ("not_a_datetime", "t=T12:30:00"),
        ";;;;;;": ("label_missing", "label is missing, and rows of a table need their label"),
        ";;;;;;perhaps": ("label_unknown", "label=perhaps"),
    }
    config, counts = cleaned(spark, tmp_path, columns, [*good, *bad])
    kept, refused = by_line(table(config, "clean")), by_line(table(config, "quarantine"))
    for line, wanted in enumerate(good.values(), 2):
        row = kept[line]
        found = (row["i"], row["n"], row["b"], row["d"], row["t"])
        told = tuple(str(v)[:26].removesuffix("+00:00") if isinstance(v, datetime.date) else v for v in found)
        assert told == wanted, line
        assert type(row["i"]) is int
    assert str(kept[3]["n"]) == "0.0", "no minus zero"
    assert kept[2]["k"] == "007"
    for line, wanted in enumerate(bad.values(), 2 + len(good)):
        assert (refused[line]["row_reason"], refused[line]["row_detail"]) == wanted
        assert refused[line]["row_stage"] == "clean"
    assert counts["refused"]["not_finite"] == 3
    assert counts["rules"]["n: not_finite"] == {"reason": "not_finite", "severity": "quarantine", "rows": 3}


def test_cells_are_repaired_in_order(spark, tmp_path):
    columns = {
        "c": {"type": "category", "case": "lower", "rename": {"m": "male", "unk": "unknown"}, "missing": ["n/a"]},
        "comma": {"type": "number", "decimal": ","},
        "us": {"type": "date", "format": "%m/%d/%Y"},
        "kg": {"type": "number", "scale": 0.5, "offset": 1, "clip": [0, 100]},
        "cm": {"type": "integer", "scale": 2.54},
        "yn": {"type": "boolean", "values": ["nein", "ja"]},
        "u": {"type": "category", "unicode": "NFKC"},
    }
    lines = [
        "\u00a0M ;1.234,5;12/31/2019;10;10;ja;\ufb01x;no",
        "N/A;3,5;?;1000;;nein;e\u0301;no",
        "UNK;1.234;1/2/2020;-10;1;;plain;no",
    ]
    config, _ = cleaned(spark, tmp_path, columns, lines, missing=["", "?"])
    rows = by_line(table(config, "clean"))
    told = [tuple(rows[line][name] for name in columns) for line in (2, 3, 4)]
    assert told == [
        ("male", 1234.5, datetime.date(2019, 12, 31), 6.0, 25, True, "fix"),
        (None, 3.5, None, 100.0, None, False, "\u00e9"),
        ("unknown", 1234.0, datetime.date(2020, 1, 2), 0.0, 3, None, "plain"),
    ]


RULES = [
    {"required": {"columns": ["a"]}},
    {"range": {"column": "n", "low": 0, "high": 10, "reason": "too_far"}},
    {"one_of": {"column": "a", "values": ["x", "y", "z"]}},
    {"regex": {"column": "z", "pattern": "[0-9]{5}|none"}},
    {"length": {"column": "z", "high": 5}},
    {"date_range": {"column": "d", "low": "2000-01-01", "high": "2029-12-31"}},
    {"relation": {"expression": "n <= m", "severity": "warn"}},
    {"unique": {"columns": ["k"]}},
    {"dependency": {"columns": ["a", "code"]}},
    {"reference": {"column": "a", "path": "known.csv", "of": "letter", "severity": "warn"}},
]


def test_every_rule_refuses_or_flags_what_breaks_it_and_is_counted(spark, tmp_path):
    (tmp_path / "known.csv").write_text("letter,what\nx,1\n y ,2\n")
    columns = {
        "a": {"type": "category"}, "n": {"type": "number"}, "m": {"type": "number"}, "z": {"type": "category"},
        "d": {"type": "date"}, "k": {"type": "id"}, "code": {"type": "integer"},
    }  # fmt: skip
    lines = [
        "x;1;2;12345;2020-01-01;k1;1;no",  # 2: good
        "x;1;2;none;2020-01-01;k2;1;no",  # 3: good
        ";1;2;12345;;k3;;no",  # 4: a missing
        "x;11;20;12345;;k4;1;no",  # 5: too far
        "q;1;2;12345;;k5;9;no",  # 6: not among values
        "x;1;2;1234;;k6;1;no",  # 7: pattern
        "x;1;2;123456;;k7;1;no",  # 8: pattern first, then length
        "x;1;2;12345;1999-12-31;k8;1;no",  # 9: date
        "x;3;2;12345;;k9;1;no",  # 10: relation, flagged
        "x;1;2;12345;;k1;1;no",  # 11 or 2: not unique
        "x;1;2;12345;;k11;2;no",  # 12: dependency
        "z;1;2;12345;;k12;7;no",  # 13: reference, flagged
        "y;;;;;;;no",  # 14: nulls break nothing, but code with y is null as everywhere with y
    ]
    padding = {"a": "required"}
    config, counts = cleaned(spark, tmp_path, columns, lines, clean={"rules": RULES[1:]})
    kept, refused = by_line(table(config, "clean")), by_line(table(config, "quarantine"))
    told = {line: row["row_reason"] for line, row in refused.items()}
    (second,) = {2, 11} & told.keys()
    assert told == {
        5: "too_far", 6: "not_among_values", 7: "pattern_mismatch", 8: "pattern_mismatch", 9: "out_of_range",
        second: "not_unique", 12: "dependency_broken",
    }  # fmt: skip
    assert refused[12]["row_detail"] == "a=x, code=2"
    assert {line: row["row_flags"] for line, row in kept.items() if row["row_flags"]} == {
        10: ["relation_broken"], 13: ["reference_missing"],
    }  # fmt: skip
    rows = {name.partition(" ")[2]: each["rows"] for name, each in counts["rules"].items() if name.startswith("rules")}
    assert rows == {
        "range": 1, "one_of": 1, "regex": 2, "length": 1, "date_range": 1, "relation": 1, "unique": 1, "dependency": 1,
        "reference": 2,
    }  # fmt: skip
    assert padding
    with pytest.raises(StageError, match=r"rules\[0\] required: 21 of 33 rows"):
        rule = {"required": {"columns": ["a"], "severity": "fail", "max_share": 0.5}}
        cleaned(spark, tmp_path, columns, lines, clean={"rules": [rule]})


@pytest.mark.parametrize(
    ("expression", "mend"),
    [
        ("reflect('java.lang.Runtime', 'getRuntime') = 1", "the function reflect may not be called"),
        ("java_method('java.lang.System', 'exit', 0)", "the function java_method may not be called"),
        ("n < (select 1)", "ScalarSubquery may not stand"),
        ("exists(select 1)", "Exists may not stand"),
        ("transform(array(n), x -> x) = 1", "function|LambdaFunction"),
        ("n < 1; drop table x", "';' may not stand"),
        ("n < 1 -- more", "'--' may not stand"),
        ("n /* x */ < 1", r"'/\*' may not stand"),
        ("other < 1", "other is not among the columns"),
        ("n <", "no SQL expression"),
        ("current_user() = 'x'", "current_user may not be called"),
        ("spark_catalog.reflect('a','b') = 1", "may not be called"),
    ],
)
def test_expressions_are_held_to_what_is_listed(spark, expression, mend):
    from jobs.tabular.expressions import expression as read

    with pytest.raises(RecipeError, match=mend):
        read(spark, expression, ["n", "m"], "clean.rules[0]")
    assert read(spark, "n between 1 and 2 and abs(m) < 3 or n is null", ["n", "m"], "clean.rules[0]") is not None


def test_equal_rows_are_kept_in_one_split_and_group_and_copies_of_given_test_rows_are_refused(spark, tmp_path):
    lines = [f"n{number % 9},{number % 9},1,{('no', 'yes')[number % 2]}" for number in range(90)]
    (tmp_path / "a.csv").write_text("\n".join(["name,age,score,label", *lines, *people(30, 1000)]))
    (tmp_path / "b.csv").write_text("\n".join(["name,age,score,label", lines[0], *people(20, 2000)]))
    sources = [
        {"name": "a", "reader": "csv", "path": "a.csv"},
        {"name": "b", "reader": "csv", "path": "b.csv", "split": "test"},
    ]
    config = recipe(tmp_path, sources, split={"test": "given", "val": 0.3, "rest": "train"})
    counts = run(spark, config, "ingest", "clean").counts
    assert counts["refused"] == {"copy_of_test": 5}
    assert counts["in"] == 141 == counts["kept"] + 5
    rows = [row for row in table(config, "clean") if row["score"] == 1.0]
    copies: dict[tuple, set] = {}
    for row in rows:
        if row["row_split"] != "test":
            copies.setdefault((row["name"], row["label"]), set()).add((row["row_split"], row["row_group"]))
    assert len(copies) == 17
    assert all(len(places) == 1 for places in copies.values())
    assert all(group is not None for places in copies.values() for _, group in places)
    dropped = recipe(tmp_path, sources, split=config.recipe.split.model_dump(), clean={"duplicates": {"exact": "drop"}})
    counts = run(spark, dropped, "clean").counts
    assert counts["merged"] == 85 - 17


def test_a_regression_is_split_without_classes(spark, tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(["name,age,score,label", *people(100)]))
    task = {"kind": "regression", "label": "score"}
    config = recipe(tmp_path, [{**SOURCE, "delimiter": ","}], task=task)
    counts = run(spark, config, "ingest", "clean").counts
    assert {split: sum(of.values()) for split, of in counts["splits"].items()} == {"train": 60, "val": 20, "test": 20}


def test_splits_stay_when_lines_come_and_go(spark, tmp_path):
    def splits(lines):
        (tmp_path / "a.csv").write_text("\n".join(["name,age,score,label", *lines]))
        config = recipe(tmp_path, [{**SOURCE, "delimiter": ","}])
        run(spark, config, "ingest", "clean")
        return {row["row_id"]: row["row_split"] for row in table(config, "clean")}

    before = splits(people(100))
    after = splits([*people(95, 0), *people(30, 500)])
    assert len(after) == 125
    assert all(after[row_id] == split for row_id, split in before.items() if row_id in after)
    assert len(before.keys() - after.keys()) == 5


def test_near_copies_lie_in_one_split_and_group(spark, tmp_path):
    columns = {name: {"type": "category"} for name in "abcdefghij"}
    random = np.random.default_rng(4)
    originals = [[str(random.integers(1000)) for _ in columns] for _ in range(40)]
    lines = []
    for number, cells in enumerate(originals):
        near = list(cells)
        near[number % 10] = "changed"
        lines += [";".join([*cells, "no"]), ";".join([*near, "no"])]
    rule = {"duplicates": {"exact": "keep", "near": "group", "min_similarity": 0.85, "columns": list(columns)}}
    parts = {"split": {"val": 0.3, "test": 0.3, "rest": "train"}, "clean": rule}
    config, counts = cleaned(spark, tmp_path, columns, lines, **parts)
    rows = by_line(table(config, "clean"))
    assert counts["refused"] == {}
    for number in range(40):
        one, two = rows[2 + 2 * number], rows[3 + 2 * number]
        assert one["row_split"] == two["row_split"]
        assert one["row_group"] == two["row_group"] is not None
    assert len({row["row_split"] for row in rows.values()}) == 3


def test_rare_spellings_are_put_right_where_the_recipe_asks(spark, tmp_path):
    columns = {"city": {"type": "category", "spelling": 0.6}, "as_it_is": {"type": "category"}}
    lines = ["London;London;no"] * 30 + ["Lodnon;Lodnon;no", "Paris;Paris;no"]
    config, counts = cleaned(spark, tmp_path, columns, lines)
    rows = by_line(table(config, "clean"))
    assert (rows[32]["city"], rows[32]["as_it_is"]) == ("London", "Lodnon")
    assert rows[33]["city"] == "Paris"
    assert counts["respelled"] == {"city": {"Lodnon": "London"}}


@pytest.mark.slow
def test_a_column_of_another_type_is_written_anew_and_the_old_recipe_brings_the_old_rows_back(spark, tmp_path):
    lines = ["1.5;no", "2.5;yes", "bad;no"]
    config, _ = cleaned(spark, tmp_path, {"n": {"type": "number"}}, lines)
    before = table(config, "clean")
    assert [row["row_detail"] for row in table(config, "quarantine")] == ["n=bad"]
    config, counts = cleaned(spark, tmp_path, {"n": {"type": "category"}}, lines)
    assert {row["n"] for row in table(config, "clean")} == {"1.5", "2.5", "bad", None}
    assert (table(config, "quarantine"), counts["refused"]) == ([], {})
    config, _ = cleaned(spark, tmp_path, {"n": {"type": "number"}}, lines)
    assert table(config, "clean") == before
    assert [row["row_detail"] for row in table(config, "quarantine")] == ["n=bad"]
