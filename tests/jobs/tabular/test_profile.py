"""A person's own table: looked at, profiled, and a recipe written that runs as it stands."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import conf
from conf.errors import RecipeError
from jobs.tabular import look, new, profile_page
from jobs.tabular.facts import Facts
from jobs.tabular.profile import profiled
from tests.jobs.made import run, table

ROWS = 400


def messy(folder):
    """A table with all that people's tables have."""
    random = np.random.default_rng(5)
    lines = ["Customer ID;Age (years);income;signed up;city;always;plan"]
    for number in range(ROWS):
        age = "?" if number % 40 == 0 else str(random.integers(18, 90))
        income = "NA" if number % 25 == 0 else f"{random.normal(1000, 100):.2f}"
        city = "unknown" if number % 50 == 0 else ("Rome", "Oslo", "Bern")[random.integers(3)]
        plan = "premium" if random.random() < 0.2 else "basic"
        lines.append(f"C{number:05d};{age};{income};{number % 28 + 1:02d}/{number % 12 + 1:02d}/2020;{city};x;{plan}")
    lines += [lines[1], "ragged;1"]
    lines[10] = lines[10].replace(";", ";", 1)
    (folder / "customers.csv").write_text("\n".join(lines) + "\n")
    return folder / "customers.csv"


def test_a_messy_table_is_told_apart_and_its_recipe_runs(spark, tmp_path):
    found = look.look_at(messy(tmp_path))
    assert (found.reader, found.delimiter, found.header) == ("csv", ";", True)
    assert found.names["Age_years"] == "Age (years)"
    seen = profiled(spark, found, "plan", str(tmp_path / "work"))
    kinds = {column.name: column.kind for column in seen.columns}
    assert kinds == {
        "Customer_ID": "id", "Age_years": "integer", "income": "number", "signed_up": "date", "city": "category",
        "always": "category", "plan": "category",
    }  # fmt: skip
    facts = {column.name: column for column in seen.columns}
    assert facts["Age_years"].missing == {"?": 11}
    assert facts["income"].missing == {"NA": 17}
    assert facts["city"].missing == {"unknown": 9}
    assert facts["signed_up"].format == "d/M/yyyy"
    assert facts["always"].is_constant
    assert (seen.rows, seen.copies, seen.most_alike, seen.refused) == (ROWS + 1, 1, 2, {"line_ragged": 1})

    file = tmp_path / "mine.yaml"
    file.write_text(new.write("mine", seen, file))
    config = conf.load(str(file), "local", [], str(tmp_path / "root"))
    recipe = config.recipe
    assert recipe.task.classes == ["basic", "premium"]
    assert recipe.task.positive == "premium"
    assert recipe.columns["always"].model is False
    assert recipe.clean.duplicates.exact == "keep"
    clump = dataclasses.replace(seen, copies=30, most_alike=30)
    assert "{exact: drop}" in new.write("mine", clump, file), "one row that is a split's worth is kept once"
    assert {"?", "NA", "unknown"} <= set(recipe.missing)
    assert recipe.generate[0].rows.balance == "majority"
    counts = run(spark, config, "ingest", "clean", "normalize").counts
    assert counts["rows"] == len([row for row in table(config, "clean") if row["row_split"] == "train"])
    assert table(config, "clean")[0]["signed_up"].year == 2020
    assert [row["row_reason"] for row in table(config, "quarantine")] == ["line_ragged"]

    text = profile_page.page(seen)
    assert "Age (years)" in text
    assert "http" not in text.replace("<!doctype", ""), "opens offline"
    assert len(profile_page.shown(seen)) == 3


def test_headerless_and_hostile_files_are_looked_at(tmp_path):
    (tmp_path / "plain.data").write_text("1.5,a,0\n2.5,b,1\n")
    found = look.look_at(tmp_path / "plain.data")
    assert (found.header, list(found.names)) == (False, ["column_1", "column_2", "column_3"])
    (tmp_path / "x.csv").write_text("row_id,a b,a-b,\u00e9,<script>\n1,2,3,4,5\n")
    assert look.look_at(tmp_path / "x.csv").names == {
        "the_row_id": "row_id", "a_b": "a b", "a_b_2": "a-b", "column": "\u00e9", "script": "<script>",
    }  # fmt: skip
    with pytest.raises(RecipeError, match="no such file"):
        look.look_at(tmp_path / "none*.csv")
    assert not look.is_table(tmp_path / "images")
    assert look.is_table(tmp_path / "*.csv")


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (
            Facts("zip", "zip", 100, 100, numbers=100, wholes=100, leading_zeros=5, distinct=50, top=[("0123", 2)]),
            "category",
        ),
        (Facts("n", "n", 100, 100, numbers=99, wholes=99, distinct=50), "integer"),
        (Facts("n", "n", 100, 100, numbers=90, wholes=90, distinct=50), "category"),
        (Facts("id", "id", 100, 100, numbers=100, wholes=100, distinct=100, low=1, high=9000), "integer"),
        (Facts("none", "none", 100, 0), "category"),
        (Facts("b", "b", 100, 100, distinct=2, top=[("Yes", 50), ("no", 50)]), "boolean"),
        (Facts("d", "d", 100, 100, formats={"yyyy-MM-dd": 100}, moments=100, distinct=80), "datetime"),
    ],
)
def test_types_are_told_from_counts(facts, kind):
    assert facts.kind == kind
