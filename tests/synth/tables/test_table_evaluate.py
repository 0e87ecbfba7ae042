"""What evaluate says of tables whose made rows are known to be good or bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf import Config, runs
from synth import evaluate
from synth.judges import Effort
from synth.tables import looks
from synth.tables.likeness import privacy_of, quality_of
from synth.tables.remedies import Trial, balanced, best_threshold, compare_remedies, smote
from synth.tables.rows import Question, Rows
from tests.synth.staged import finish
from tests.synth.tables import staged
from udfs.table.form import Column, TableForm


def grown(tmp_path: Path, *changes: tuple[str, str]) -> Config:
    """A recipe whose stages up to merge are done: children and a perfect generator's rows were accepted."""
    config = staged.config_at(tmp_path, *changes)
    sample = staged.generated(config, staged.perfect(config, 600))
    staged.stage_up(config, {"augment": staged.children(config), "sample": sample})
    sampled = runs.done(config, "sample", "made")
    assert sampled is not None
    maker = sampled.outputs["maker"]
    ids = pa.array([maker + row[16:] for row in sample.column("row_id").to_pylist()])
    sample = sample.set_column(0, sample.schema.field(0), ids)
    finish(config, "score", "", {}, {})
    finish(config, "gate", "", {"accepted": pa.concat_tables([staged.children(config), sample])}, {})
    finish(config, "merge", "", {}, {})
    return config


@pytest.mark.parametrize("changes", [(), staged.REGRESSION], ids=["classes", "numbers"])
def test_every_arm_is_judged_and_measured_beside_its_ceiling(tmp_path: Path, ray_session: Any, changes: Any) -> None:
    config = grown(tmp_path, ("judges: [boosting, logistic]", "judges: [logistic]"), *changes)
    result = evaluate.run(ray_session, config)
    told = runs.read_json(runs.locate(config, "evaluate").folder, "evaluate.json")
    arms = told["judges"]["logistic"]
    assert {arm: arms[arm]["rows"] for arm in arms} == {"real": 200, "augmented": 600, "all": 1200, "synthetic": 600}
    best = "r2" if changes else "auc"
    for judged in told["judges"].values():
        for arm in judged.values():
            np.testing.assert_allclose(1 - np.array(arm["error"]), arm[best], err_msg="the error is one minus that")
        assert np.mean(judged["all"][best]) > np.mean(judged["real"][best]), "more real rows are of use"
    assert told["error"] == ("1 - R2" if changes else "1 - AUC")
    curve = told["curve"]["logistic"]
    assert curve["rows"][-1] == 400
    np.testing.assert_allclose(curve["error"][curve["rows"].index(200)], arms["real"]["error"])
    assert told["headline"]["worth"] > 220
    tests = told["two_sample"]
    assert set(tests) == {
        f"{name}|{kind}" for name in ("ceiling|train", "made|train", "made|test") for kind in ("boosting", "logistic")
    }
    assert abs(tests["made|test|boosting"]["auc"] - tests["ceiling|train|boosting"]["auc"]) < 0.12
    assert set(told["quality"]) == set(told["privacy"]) == {"ceiling", "made"}
    assert told["privacy"]["made"]["copies"] == 0 and abs(told["privacy"]["made"]["dcr_share"] - 0.5) < 0.12
    assert [each["column"] for each in told["columns"]] == ["a", "b", "group", "count", "y"], "keys are not modelled"
    assert set(told["projection"]["points"]) == {"train", "test", "made", "augmented"}
    assert told["lopsided"] is None
    assert result.counts["test_rows"] == 300
    json.dumps(told, allow_nan=False)
    assert evaluate.run(ray_session, config).outputs == result.outputs, "twice is the same"


def rows_of(config: Config, matrix: np.ndarray) -> Rows:
    return Rows(matrix, Question.of(staged.form(config)))


def test_quality_tells_a_good_generator_from_one_without_variety(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    form = staged.form(config)
    train, test = rows_of(config, staged.drawn(400, 1)), rows_of(config, staged.drawn(400, 2))
    good, same = rows_of(config, staged.drawn(400, 3)), rows_of(config, staged.drawn(5, 4)[np.arange(400) % 5])
    apart = staged.drawn(400, 5)
    apart = np.column_stack([np.random.default_rng(each).permutation(values) for each, values in enumerate(apart.T)])
    found: dict[str, Any] = {
        name: quality_of(made, train, test, form)
        for name, made in (("good", good), ("same", same), ("apart", rows_of(config, apart)))
    }
    assert found["same"]["coverage"] < 0.2 < 0.8 < found["good"]["coverage"]
    assert found["same"]["recall"] < 0.3 < 0.8 < found["good"]["recall"]
    assert found["good"]["shapes"] > 0.92 and found["good"]["trends"] > found["apart"]["trends"] + 0.02
    assert found["good"]["association_difference"] < 0.7 * found["apart"]["association_difference"]
    assert quality_of(good.take(np.arange(5)), train, test, form) is None


def test_copies_and_rows_that_lie_too_near_are_given_away(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    form = staged.form(config)
    matrix, known = staged.drawn(500, 1), staged.measured(config)
    train, held_out = rows_of(config, matrix), rows_of(config, staged.drawn(500, 2))
    honest: Any = privacy_of(rows_of(config, staged.drawn(500, 3)), train, held_out, form, known)
    copied: Any = privacy_of(train, train, held_out, form, known)
    near = matrix + np.random.default_rng(1).normal(0, 0.02, matrix.shape) * [1, 1, 0, 0, 0]
    leaking: Any = privacy_of(rows_of(config, near), train, held_out, form, known)
    assert honest["copies"] == 0 and 0.44 < honest["dcr_share"] < 0.56
    assert copied["copies"] == 1 and copied["dcr_share"] > 0.95 and copied["dcr"]["0.95"] == 0
    assert leaking["copies"] == 0 and leaking["dcr_share"] > 0.9 and leaking["dcr"]["0.5"] < 0.4 * honest["dcr"]["0.5"]
    assert leaking["nndr"]["0.5"] < 0.6 * honest["nndr"]["0.5"]


def test_histograms_hold_all_rows_and_what_is_missing_beside_them() -> None:
    columns = (Column("n", "number"), Column("w", "integer"), Column("c", "category", tuple(str(i) for i in range(40))))
    form = TableForm(columns, "c", "classification", ("0", "1"))
    random = np.random.default_rng(0)
    train = np.column_stack([random.normal(size=500), random.integers(0, 5, 500), random.integers(0, 40, 500)])
    made = train.copy()
    made[:100, 0], made[:, 2] = np.nan, 40
    told = {each["column"]: each for each in looks.histograms(form, {"train": train, "made": made})}
    assert sum(told["n"]["shares"]["train"]) == pytest.approx(1, abs=1e-3)
    assert sum(told["n"]["shares"]["made"]) == pytest.approx(0.8, abs=1e-3) and told["n"]["missing"]["made"] == 0.2
    assert told["w"]["edges"] == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5], "a bin for each of few whole numbers"
    assert len(told["c"]["words"]) == 13 and told["c"]["words"][-1] == "others"
    assert told["c"]["shares"]["made"] == [0.0] * 12 + [1.0]


def lopsided(config: Config, count: int, seed: int) -> Rows:
    return rows_of(config, staged.drawn(count, seed, positives=-3.4))


def test_each_remedy_of_a_rare_class_is_told_with_its_interval(tmp_path: Path) -> None:
    """Many true rare rows help, and are said to; weights or thresholds win only where their interval says so."""
    config = staged.config_at(tmp_path)
    train, val, test = (lopsided(config, count, seed) for count, seed in ((600, 1), (1500, 2), (1500, 3)))
    assert 0.03 < (train.labels == 1).mean() < 0.15
    more = lopsided(config, 8000, 4)
    trial = Trial(train, more, 1, staged.form(config), Effort())
    told = compare_remedies(trial, val, test, 0)
    assert list(told["remedies"]) == ["nothing", "weights", "threshold", "smote", "generated"]
    for name, each in told["remedies"].items():
        low, high = each["interval"]
        assert low <= high and each["helps"] == (low > 0), name
    assert told["remedies"]["nothing"]["interval"] == [0, 0]
    assert told["class"] == "yes" and told["best"] in told["remedies"]
    assert told["wins"] in (told["best"], "nothing")
    assert told["remedies"]["generated"]["test_pr_auc"] > told["remedies"]["nothing"]["test_pr_auc"]
    alone = compare_remedies(Trial(train, None, 1, staged.form(config), Effort()), val, test, 0)
    assert "generated" not in alone["remedies"]


def test_smote_lies_between_rows_of_the_class_and_keeps_kinds(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    train = lopsided(config, 600, 1)
    made = smote(train, 1, 300, staged.form(config), 0)
    assert made is not None and len(made) == 300 and (made.labels == 1).all() and not made.real_mask().any()
    own = train.matrix[train.labels == 1]
    assert np.nanmin(made.matrix[:, 0]) >= own[:, 0].min() and np.nanmax(made.matrix[:, 0]) <= own[:, 0].max()
    assert (made.matrix[:, 3] == np.rint(made.matrix[:, 3])).all() and set(made.matrix[:, 2]) <= {0.0, 1.0, 2.0}
    assert len(np.unique(made.matrix[:, 0])) > 250, "new rows, not copies"
    assert smote(train.take(train.labels == 0), 1, 10, staged.form(config), 0) is None


def test_weights_and_thresholds() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    weights = balanced(labels)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    chances = np.array([0.9, 0.2, 0.2, 0.1, 0.05])
    hits = np.array([True, True, False, False, False])
    assert best_threshold(chances, hits) == 0.2
    assert best_threshold(chances, np.zeros(5, bool)) == 0.5
