"""The verdicts on made rows of tables: what breaks its bounds, is a copy or far off, and what does harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from conf import Config, runs
from conf.errors import StageError
from synth import score
from synth.arms import Pool, parents_of
from synth.duty import Duty
from synth.tables import score as tables
from synth.tables.duty import asked_evenly
from synth.tables.pools import merged, real_pool, to_pool
from synth.tables.rows import Rows
from synth.tables.verdicts import bench, copy_rule, judge_rows, least_likelihood
from synth.usefulness import usefulness
from tests.synth.tables import staged


def asker(pools: dict[str, Pool[Rows]], val: Pool[Rows]) -> Any:
    """Trains judges here, without Ray."""

    def ask(duties: Sequence[Duty]) -> list[Any]:
        cells = val.rows.cells
        return [
            asked_evenly(duty, cells, tuple(duty.places), *(pools[name] for name in duty.places)) for duty in duties
        ]

    return ask


def judged(config: Config, made: np.ndarray) -> dict[str, Any]:
    """usefulness.json for children and these rows of a generator."""
    form = staged.form(config)
    real = staged.real_tables(config)
    train, val = (merged([to_pool(real[split], form, {})], form) for split in ("train", "val"))
    tables_made = {"augment": staged.children(config), "sample.made": staged.generated(config, made)}
    pools = {key: merged([to_pool(rows, form, parents_of(train))], form) for key, rows in tables_made.items()}
    return usefulness(config, val, pools, asker({"real": train, **pools}, val), tables.losses_of)


@pytest.mark.parametrize("changes", [(), staged.REGRESSION], ids=["classes", "numbers"])
def test_good_rows_are_kept_and_rows_with_shuffled_labels_are_refused_as_worse(tmp_path: Path, changes: Any) -> None:
    config = staged.config_at(tmp_path, *changes)
    good = staged.perfect(config)
    found = judged(config, good)
    assert found["augmented"]["verdict"] == "kept"
    assert found["generated"]["made"]["verdict"] == "kept" and found["generated"]["made"]["share"] > 0
    false = judged(config, staged.shuffled(good))
    assert false["generated"]["made"]["verdict"] == "worse"
    assert false["generated"]["made"]["below"] == "0" * 24, "no row's hash lies below it"


def test_rows_that_balance_labels_are_not_refused_for_that(tmp_path: Path) -> None:
    """More of the rare class shifts what judges say of every row, which is undone before they are compared."""
    config = staged.config_at(tmp_path)
    draws = staged.drawn(4000, 50)
    rare = draws[draws[:, -1] == 1][:600]
    assert judged(config, rare)["generated"]["made"]["verdict"] == "kept"


def spoiled(config: Config) -> tuple[np.ndarray, dict[str, slice]]:
    """A perfect generator's rows, some of them replaced."""
    made = staged.perfect(config)
    train = staged.real_matrices(config)["train"]
    parts = {name: slice(at, at + 20) for name, at in (("copy", 0), ("near", 20), ("bounds", 40), ("far", 60))}
    made[parts["copy"]] = train[:20]
    made[parts["near"]] = train[20:40] + np.array([1e-5, 0, 0, 0, 0])
    made[parts["bounds"], 3] = 41
    made[parts["far"], 0] = 80
    return made, parts | {"good": slice(80, None)}


def test_verdicts_of_a_whole_stage(tmp_path: Path, ray_session: Any) -> None:
    """Every staged row has one; copies, near copies, broken bounds and outliers are told; twice is the same."""
    config = staged.config_at(tmp_path)
    made, parts = spoiled(config)
    sample = staged.generated(config, made)
    staged.stage_up(config, {"augment": staged.children(config), "sample": sample})
    result = score.run(ray_session, config)
    told = pq.read_table(f"{runs.locate(config, 'score').folder}/verdicts").to_pandas().set_index("row_id")
    assert result.counts["rows"] == len(told) == 800
    ids = sample.column("row_id").to_pylist()
    part = {name: told.loc[ids[where]] for name, where in parts.items()}
    train = staged.real_tables(config)["train"].column("row_id").to_pylist()
    assert part["copy"].is_copy.all() and part["near"].is_copy.all()
    assert part["copy"].nearest_id.tolist() == train[:20]
    assert (part["copy"].nearest_distance == 0).all()
    assert part["bounds"].breaks_constraint.all() and set(part["bounds"].broken) == {"count is above 40"}
    assert part["far"].is_far.all()
    assert not part["good"].breaks_constraint.any() and part["good"].is_copy.mean() < 0.02
    assert part["good"].is_far.mean() < 0.01 and 0.2 < part["good"].distance_ratio.median() < 0.9
    assert not told.loc[staged.children(config).column("row_id").to_pylist()].is_copy.any(), "children lie near parents"
    assert result.counts["is_copy"] >= 40 and result.counts["breaks_constraint"] == 20
    assert result.counts["usefulness"] == {"augmented": "kept", "made": "kept"}
    assert score.run(ray_session, config).outputs == result.outputs


def test_values_that_are_not_declared_and_labels_that_are_no_class_break_a_constraint(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path, ("b: {type: number}", "b: {type: number, required: true}"))
    form = staged.form(config)
    real = staged.real_tables(config)
    against = bench(*(to_pool(real[split], form, {}) for split in ("train", "val")), form, config)
    made = staged.perfect(config, 6)
    made[:, 1] = 1.0
    made[0, 2], made[1, 4], made[2, 4], made[3, 1], made[4, 3] = 3, 2, np.nan, np.nan, -1
    told = judge_rows(staged.generated(config, made), against, None, 0.0).column("broken").to_pylist()
    assert told == [
        "group is none of the declared values",
        "y is none of the classes",
        "y is missing",
        "b is missing",
        "count is below 0",
        None,
    ]


def test_rows_less_likely_than_nearly_all_train_rows_are_told(tmp_path: Path) -> None:
    """By what the row's own generator says; a likelihood that is no number is not likely."""
    config = staged.config_at(tmp_path)
    form = staged.form(config)
    real = staged.real_tables(config)
    train, val = (to_pool(real[split], form, {}) for split in ("train", "val"))
    likelihood = lambda matrix: -np.abs(matrix[:, 0])  # noqa: E731
    least = least_likelihood(likelihood, train.rows.matrix, 0.05)
    assert (likelihood(train.rows.matrix) < least).sum() == 10
    made = staged.perfect(config, 4)
    made[:, 0] = [0, least, least * 1.01, np.nan]
    told = judge_rows(staged.generated(config, made), bench(train, val, form, config), likelihood, least)
    assert told.column("is_unlikely").to_pylist() == [False, False, True, True]


def test_equal_rows_are_no_copies_where_held_out_rows_equal_train_rows_too() -> None:
    assert copy_rule(np.array([0.0] * 50 + [0.2] * 50)) == (0.0, False)
    assert copy_rule(np.full(100, 0.2)) == (0.1, True)
    assert copy_rule(np.zeros(0)) == (0.0, True)


def test_a_bound_keeps_the_rows_of_lowest_hash_and_bad_labels_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = staged.config_at(tmp_path)
    staged.stage_up(
        config, {"augment": staged.children(config), "sample": staged.generated(config, staged.perfect(config))}
    )
    clean = runs.real(config).folder
    form = staged.form(config)
    monkeypatch.setattr("synth.tables.pools.row_bound", lambda config, form: 30)
    pool = real_pool(clean, "train", config, form)
    ids = sorted(staged.real_tables(config)["train"].column("row_id").to_pylist(), key=lambda row: row[16:])
    assert pool.ids == ids[:30] and pool.total == 200
    assert real_pool(clean, "unlabelled", config, form).ids == []
    narrow = replace(form, columns=tuple(replace(c, vocabulary=("no",)) if c.name == "y" else c for c in form.columns))
    with pytest.raises(StageError, match="none of the task's classes"):
        real_pool(clean, "train", config, replace(narrow, classes=("no",)))
