"""Plans for rows near those that judges get wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from conf import Config
from conf.errors import RecipeError
from conf.schema import Rows as Plan
from synth.arms import Pool
from synth.judges import Effort
from synth.tables import hard
from synth.tables.rows import Question, Rows
from synth.tables.sampler import BLOCK, Sampler
from tests.synth.tables.learnt import config_at, learnt, people
from udfs import records
from udfs.table.form import Column, TableForm, to_matrix

CLASSES = TableForm(
    (Column("a", "number"), Column("b", "number"), Column("y", "category", ("no", "yes"))), "y", "classification",
    ("no", "yes"),
)  # fmt: skip
NUMBERS = TableForm((Column("a", "number"), Column("b", "number"), Column("y", "number")), "y", "regression")
EFFORT = Effort(100, 32, 1)


def test_rows_whose_label_was_turned_are_found() -> None:
    """False positives and false negatives alike."""
    random = np.random.default_rng(0)
    cells = random.normal(size=(1200, 2))
    cells[:, 0] += np.sign(cells[:, 0])
    turned = random.random(1200) < 0.05
    label = (cells[:, 0] > 0) ^ turned
    found = hard.places(Rows(np.column_stack([cells, label]), Question.of(CLASSES)), EFFORT, 0)
    assert set(np.flatnonzero(turned)) <= set(found) and len(found) < 1.3 * turned.sum()


def test_of_numbers_the_tenth_that_is_missed_by_most_is_found() -> None:
    random = np.random.default_rng(1)
    cells = random.normal(size=(1000, 2))
    off = np.where(random.random(1000) < 0.05, 20.0, 0.0)
    target = 3 * cells[:, 0] + off + random.normal(size=1000) * 0.1
    found = hard.places(Rows(np.column_stack([cells, target]), Question.of(NUMBERS)), EFFORT, 0)
    assert len(found) == 100 and set(np.flatnonzero(off)) <= set(found)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_at(tmp_path_factory.mktemp("hard"))


@pytest.fixture(scope="module")
def folder(config: Config) -> str:
    return learnt(config, 1500)


def train_pool(sampler: Sampler, rows: int = 1500) -> Pool[Rows]:
    matrix = to_matrix(people(rows), sampler.form)
    ids = [records.real_id("one", str(place).encode()) for place in range(rows)]
    return Pool(ids, Rows(matrix, Question.of(sampler.form)), rows)


def test_made_rows_have_the_label_and_half_of_the_cells_of_a_hard_row(folder: str, tmp_path: Path) -> None:
    sampler = Sampler(folder)
    path = hard.write(train_pool(sampler), sampler.tokens, EFFORT, 0, str(tmp_path), "made")
    near = Sampler(folder, near=path)
    assert near.anchors is not None and near.maker != sampler.maker
    rows = near("", 0, 2000)
    made = near.tokens.encode(to_matrix(rows, near.form))
    anchors = near.anchors.tokens
    alike = (made[:, None] == anchors[None]).mean(2).max(1).mean()
    free = near.tokens.encode(to_matrix(sampler("", 0, 2000), near.form))
    assert alike > (free[:, None] == anchors[None]).mean(2).max(1).mean() + 0.03
    assert alike < 0.95, "not copies"
    assert pc.all(pc.less_equal(rows.column("begin"), rows.column("end"))).as_py()
    assert near("", BLOCK - 3, BLOCK + 9).equals(rows.slice(BLOCK - 3, 12))


def test_where_nothing_is_hard_it_is_said(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Sampler(folder)
    monkeypatch.setattr(hard, "places", lambda rows, effort, seed: np.zeros(0, np.int64))
    with pytest.raises(RecipeError, match=r"get none wrong: say like, factor or balance\."):
        hard.write(train_pool(sampler, 50), sampler.tokens, EFFORT, 0, str(tmp_path), "made")


def test_a_plan_has_one_kind_of_condition() -> None:
    with pytest.raises(ValueError, match="hard and where do not go together"):
        Plan(hard=10, where="age>=60")
