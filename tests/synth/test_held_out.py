"""Trials of candidates in every modality: every row is asked once, and no made rows at all are no matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import Config
from synth import score
from synth.encode import in_random_order
from synth.held_out import Measured, Setting, Trial, tried
from synth.tables import score as table_score
from synth.tables.pools import real_pool
from synth.tables.verdicts import bench
from tests.jobs.texts import made as texts
from tests.synth import staged as images
from tests.synth.tables import staged as tables
from udfs import records

Case = tuple[Config, pa.Table, Measured]
CHOICE = "augment: {{choose: cross_validation, folds: 2, candidates: [{{name: it, copies: 2, steps: [{steps}]}}]}}"


def of_images(folder: Path) -> Case:
    steps = "image.horizontal_flip, {image.mixup: {partners: nearest, p: 0.5}}"
    chosen = ("augment: {copies: 4, steps: [image.horizontal_flip]}", CHOICE.format(steps=steps))
    return images.config_at(folder, chosen, ("[cnn]", "[linear]")), images.real_tables()["train"], None


def of_tables(folder: Path, *changes: tuple[str, str]) -> Case:
    steps = "table.gaussian_jitter, table.smote_nc"
    chosen = ("augment: {copies: 2, steps: [table.jitter]}", CHOICE.format(steps=steps))
    config = tables.config_at(folder, chosen, ("[boosting, logistic]", "[logistic]"), *changes)
    return config, tables.real_tables(config)["train"], tables.statistics(config)


def of_numbers(folder: Path) -> Case:
    return of_tables(folder, *tables.REGRESSION)


def of_texts(folder: Path) -> Case:
    augment = {
        "choose": "cross_validation",
        "folds": 2,
        "candidates": [{"name": "it", "steps": ["text.word_deletion"]}],
    }
    rows = texts.texts(24)
    columns = {
        "row_id": [records.real_id("notes", text.encode()) for text, _ in rows],
        "row_origin": ["real"] * len(rows),
        "row_parents": pa.array([[] for _ in rows], pa.list_(pa.string())),
        "row_split": ["train"] * len(rows),
        "label": [label for _, label in rows],
        "text": [text for text, _ in rows],
    }
    config = texts.recipe(folder, augment=augment, evaluate={"judges": ["words"]})
    return config, records.conform(pa.table(columns), records.text_schema()), None


@pytest.mark.parametrize("case", [of_images, of_tables, of_numbers, of_texts])
def test_every_row_is_asked_once_whatever_the_modality(tmp_path: Path, case: Any) -> None:
    config, rows, measured = case(tmp_path)
    train = in_random_order(rows)
    asked = [tried(Trial("it", 0, fold), config, train, measured) for fold in range(2)]
    assert sorted(np.concatenate([places for places, _ in asked]).tolist()) == list(range(train.num_rows))
    for places, found in asked:
        assert all(each.shape == (1, len(places)) for each in (*found.wrong.values(), *found.brier.values()))
        assert found.mean_brier() > 0
    setting = Setting(config, measured)
    whole, plan = setting.pool(train, {}), config.recipe.augment
    assert plan is not None and plan.of("it") is not None
    made = setting.children(train, whole, Trial("it", 0, 0))
    assert len(made) == plan.of("it").copies * train.num_rows  # type: ignore[union-attr]
    assert set(made.rows.group_codes().tolist()) == set(whole.rows.group_codes().tolist())
    assert len(setting.children(train, whole, Trial("none", 0, 0))) == 0


def test_no_staged_rows_get_no_verdicts(tmp_path: Path) -> None:
    """Where none was chosen, score reads a file without rows."""
    config, rows, _ = of_tables(tmp_path)
    folder = tmp_path / "rows/row_split=train"
    folder.mkdir(parents=True)
    pq.write_table(rows, folder / "part.parquet")
    pq.write_table(rows.slice(0, 0), tmp_path / "none.parquet")
    form = tables.form(config)
    pool = real_pool(str(tmp_path), "train", config, form)
    against = bench(pool, pool, form, config)
    given = (str(tmp_path / "none.parquet"), str(tmp_path), "told.parquet", against)
    counts, passed = table_score.judge_file(*given, None, -np.inf, config, None)
    assert counts["rows"] == 0 == len(passed) == pq.read_table(tmp_path / "told.parquet").num_rows


def test_no_staged_images_get_no_verdicts(tmp_path: Path) -> None:
    """The same of images."""
    config, rows, _ = of_images(tmp_path)
    pq.write_table(rows.slice(0, 0), tmp_path / "none.parquet")
    pool = Setting(config, None).pool(in_random_order(rows), {})
    from synth.judges import Effort, fit_cnn
    from synth.verdicts import bench as image_bench

    net = fit_cnn(pool.rows, 10, Effort(5, 16, 1), 0)
    against = image_bench([net], dict.fromkeys(pool.rows.group_codes().tolist(), 0), pool, pool, config)
    counts, passed = score.judge_file(
        str(tmp_path / "none.parquet"), str(tmp_path), "told.parquet", against, config, None
    )
    assert counts["rows"] == 0 == len(passed) == pq.read_table(tmp_path / "told.parquet").num_rows
