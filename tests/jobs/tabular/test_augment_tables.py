"""Children of a table's rows: the same under any partitioning, mixed with rows that are near, as many as are asked."""

from __future__ import annotations

from collections import Counter

import pyarrow.parquet as pq
import pytest

from conf.errors import RecipeError
from jobs.check import check_recipe
from jobs.explain import AGREES, Explained, _augmented
from tests.jobs.made import run
from tests.jobs.tabular.made import recipe
from udfs import records
from udfs.table.form import TableForm

SOURCES = [{"name": "a", "reader": "csv", "path": "a.csv"}]
JITTER = {"table.gaussian_jitter": {"std": 0.1}}


def lines(count=60):
    """People, every fifth a yes; some cells are empty."""
    names = ["" if n % 11 == 0 else f"g{n % 3}" for n in range(count)]
    scores = ["" if n % 7 == 0 else str(n / 4) for n in range(count)]
    labels = ["no" if n % 5 else "yes" for n in range(count)]
    return [f"{names[n]},{20 + n % 40},{scores[n]},{labels[n]}" for n in range(count)]


def grown(spark, folder, steps, copies=2, shuffle="2"):
    """The rows that augment makes, and the config."""
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("\n".join(["name,age,score,label", *lines()]) + "\n")
    split = {"val": 0, "test": 0, "rest": "train"}
    config = recipe(folder, SOURCES, split=split, augment={"copies": copies, "steps": steps})
    spark.conf.set("spark.sql.shuffle.partitions", shuffle)
    done = run(spark, config, "ingest", "clean", "normalize", "augment")
    return pq.read_table(f"{done.folder}/rows").to_pylist(), config, done


@pytest.mark.parametrize(
    "mixing",
    [
        "table.smote_nc",
        pytest.param("table.borderline_smote", marks=pytest.mark.slow),
        pytest.param("table.mixup", marks=pytest.mark.slow),
    ],
)
def test_children_are_the_same_under_any_partitioning(spark, tmp_path, mixing):
    steps = [{mixing: {"p": 1.0}}, JITTER]
    two, _, _ = grown(spark, tmp_path / "two", steps)
    five, _, _ = grown(spark, tmp_path / "five", steps, shuffle="5")
    by_id = {row["row_id"]: row for row in two}
    assert len(by_id) == 120 and by_id == {row["row_id"]: row for row in five}
    mixed = [row for row in two if len(row["row_parents"]) == 2]
    assert mixed and {row["row_origin"] for row in two} == {"augmented"}
    assert mixing == "table.borderline_smote" or len(mixed) == 120
    labels = {row["row_parents"][0]: row["label"] for row in two}
    if mixing != "table.mixup":
        assert all(labels[parent] == row["label"] for row in mixed for parent in row["row_parents"])


def test_rare_labels_are_filled_up_by_copies_of_their_own(spark, tmp_path):
    rows, _, done = grown(spark, tmp_path / "a", [{"table.smote": {}}], copies={"yes": 3})
    assert Counter(row["label"] for row in rows) == {"yes": 36}
    assert done.counts["planned"] == done.counts["staged"] == 36


def test_a_child_is_explained_and_made_again(spark, tmp_path):
    rows, config, _ = grown(spark, tmp_path / "a", [{"table.smote_nc": {"p": 0.5}}, JITTER])

    for parents in (1, 2):
        row = next(row for row in rows if len(row["row_parents"]) == parents)
        found = Explained(row, "dataset")
        _augmented(config, found)
        assert AGREES in found.again, found
    assert any("table.gaussian_jitter" in line for line in found.lines)


def test_a_wrong_step_or_label_is_answered_before_any_engine(tmp_path):
    (tmp_path / "a.csv").write_text("name,age,score,label\n")
    for said, words in (
        ({"steps": [{"table.smoote": {}}]}, "table.smote"),
        ({"steps": [{"table.gaussian_jitter": {"columns": ["agee"]}}]}, "agee"),
        ({"steps": [JITTER], "copies": {"maybe": 3}}, "'maybe', which is not among the labels"),
        ({"steps": [JITTER], "copies": 0}, "copies are from 1 to 1000"),
    ):
        with pytest.raises(RecipeError, match=words):
            check_recipe(recipe(tmp_path, SOURCES, augment=said))


def test_a_table_keeps_its_columns(spark, tmp_path):
    rows, config, _ = grown(spark, tmp_path / "a", [{"table.mixup": {"p": 1.0}}], copies=1)
    names = records.table_schema(TableForm.of(config.recipe).schema()).names
    assert set(rows[0]) == set(names)
