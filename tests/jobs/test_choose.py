"""Steps that are chosen, on their way through the stages: the children that were judged are those that augment makes,
and everything after copes with a choice of none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import Config, runs
from jobs import explain, pipeline, report
from jobs.augment import children, compiled
from jobs.series import augment as way
from synth import choose, evaluate, score
from tests.jobs.made import run, table
from tests.jobs.series.made import lines, recipe
from tests.jobs.series.sliced import LABELS, sliced
from tests.jobs.series.test_whole_series import on_ray
from udfs import records
from udfs.families import children_of

SLICED = {"name": "sliced", "steps": [{"series.window_slice": {"share": [0.6, 0.95]}}]}
SHUFFLED = {"name": "shuffled", "steps": [{"series.segment_permutation": {"segments": 12}}]}


@pytest.mark.parametrize("partners", ["same_label", pytest.param("nearest", marks=pytest.mark.slow)])
def test_children_without_spark_are_those_that_augment_makes(spark: Any, tmp_path: Path, partners: str) -> None:
    """Ids, parents, labels and values to the last bit, whoever is mixed with whom."""
    steps: list[Any] = [{"series.window_slice": {"p": 0.5}}]
    steps += [{"series.interpolate": {"partners": partners, "p": 0.6}}]
    config = recipe(tmp_path, augment={"copies": {"up": 3, "down": 1}, "steps": steps}, labels=list(LABELS))
    plan, rows = config.recipe.augment, sliced(14)
    assert plan is not None
    told = {
        "row_id": [records.real_id("waves", str(number).encode()) for number in range(len(rows))],
        "row_origin": ["real"] * len(rows),
        "row_split": ["train"] * len(rows),
        "label": [label for _, label in rows],
        "series": pa.array([window for window, _ in rows], pa.list_(pa.float32())),
    }
    parents = records.conform(pa.table(told), records.series_schema())
    pq.write_table(parents, tmp_path / "parents.parquet")
    ready, schema = compiled(config, plan), records.series_schema()
    asked = spark.read.parquet(str(tmp_path / "parents.parquet")).repartition(3)
    made = children(asked, plan, ready, way, schema, config.recipe.seed, 28)
    plain = pa.concat_tables(children_of(parents, config.recipe, ready, plan.copies))
    assert plain.num_rows == 28
    by_spark = sorted((row.row_id, row.row_hash, tuple(row.row_parents), row.row_source) for row in made.collect())
    names = ("row_id", "row_hash", "row_parents", "row_source")
    columns = zip(*(plain.column(name).to_pylist() for name in names), strict=True)
    assert sorted((a, b, tuple(c), d) for a, b, c, d in columns) == by_spark


def whole(spark: Any, ray_session: Any, folder: Path, candidates: list[dict[str, Any]]) -> Config:
    """Every stage but the report."""
    (folder / "waves.jsonl").write_text(lines(sliced(100)))
    config = recipe(
        folder,
        labels=list(LABELS),
        augment={"choose": "cross_validation", "copies": 3, "folds": 3, "repeats": 1, "candidates": candidates},
        split={"train": 20, "val": 44, "rest": "test"},
        gate={"usefulness": "report"},
        evaluate={"judges": ["nearest"], "seeds": 1, "curve_points": 2},
    )
    run(spark, config, "ingest", "clean", "normalize")
    planned = {each.key: each for each in pipeline.plan(config)}
    assert planned["choose"].action == "run" and planned["augment"].why == "known after choose"
    on_ray(ray_session, config, choose, "choose")
    planned = {each.key: each for each in pipeline.plan(config)}
    chosen = runs.augment_of(config)
    assert planned["augment"].counts == {"rows": 20 * chosen.most_copies if chosen else 0}
    run(spark, config, "augment")
    on_ray(ray_session, config, score, "score")
    run(spark, config, "gate")
    run(spark, config, "merge")
    on_ray(ray_session, config, evaluate, "evaluate")
    return config


@pytest.mark.slow
def test_a_chosen_candidate_goes_the_whole_way(spark: Any, ray_session: Any, tmp_path: Path) -> None:
    """Its rows are merged, the report tells of all candidates, and a row knows why it was made."""
    config = whole(spark, ray_session, tmp_path, [SHUFFLED, SLICED])
    rows = table(config, "dataset")
    made = [row for row in rows if row["row_origin"] == "augmented"]
    assert len(made) == 60 and len(rows) == 160
    place = runs.locate(config, "report")
    facts = report.facts(config, place.inputs)
    page = report.html(config, place.inputs, facts).decode()
    assert "How the augmentation was chosen" in page and "shuffled" in page and "What each step changed" in page
    assert facts["choice"]["chosen"] == "sliced"
    found = explain.explain(config, made[0]["row_id"])
    assert found.same and any("sliced is the best of 2 candidates" in line for line in found.lines)


def test_where_none_is_chosen_nothing_is_made_and_the_run_ends_well(
    spark: Any, ray_session: Any, tmp_path: Path
) -> None:
    """The dataset holds the real rows, and the report says why there are no others."""
    config = whole(spark, ray_session, tmp_path, [SHUFFLED])
    rows = table(config, "dataset")
    assert len(rows) == 100 and {row["row_origin"] for row in rows} == {"real"}
    place = runs.locate(config, "report")
    facts = report.facts(config, place.inputs)
    page = report.html(config, place.inputs, facts).decode()
    assert facts["choice"]["chosen"] == "none" and "no candidate for augment was clearly better" in page
    assert facts["balanced"] and facts["usefulness"] == []
    assert explain.explain(config, rows[0]["row_id"]).same
