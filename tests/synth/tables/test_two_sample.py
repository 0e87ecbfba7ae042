"""Two-sample tests tell sets apart that differ, and do not where they are drawn alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth.judges import Effort
from synth.tables.rows import Question, Rows
from synth.tables.two_sample import KINDS, detection, two_sample
from tests.synth.tables import staged

EFFORT = Effort(threads=1)


@pytest.mark.parametrize("kind", KINDS)
def test_sets_drawn_alike_are_not_told_apart_and_others_are(kind: str, tmp_path: Path) -> None:
    form = staged.form(staged.config_at(tmp_path))
    rows = lambda matrix: Rows(matrix, Question.of(form))  # noqa: E731
    first, alike, off = staged.drawn(600, 1), staged.drawn(600, 2), staged.drawn(600, 3)
    off[:, 0] += 0.7
    same = two_sample(kind, rows(first), rows(alike), form, EFFORT, 600)
    other = two_sample(kind, rows(first), rows(off), form, EFFORT, 600)
    assert same and other
    assert abs(same["auc"] - 0.5) < 0.05 and same["score"] > 0.88
    assert other["auc"] > 0.62 and other["score"] == pytest.approx(1 - 2 * (other["auc"] - 0.5))
    assert same["rows"] == 600
    assert two_sample(kind, rows(first[:10]), rows(alike), form, EFFORT, 600) is None
    assert two_sample(kind, rows(first), rows(alike), form, EFFORT, 100)["rows"] == 100  # type: ignore[index]


def test_equal_rows_of_one_group_are_not_learned_from_and_asked_about(tmp_path: Path) -> None:
    """Each real row stands there thrice: apart from their groups, trees would know them again."""
    form = staged.form(staged.config_at(tmp_path))
    question = Question.of(form)
    some, other = staged.drawn(150, 1), staged.drawn(450, 2)
    thrice, groups = np.repeat(some, 3, 0), np.repeat(np.arange(150), 3)
    lone = Rows(other, question, 1000 + np.arange(450))
    together = two_sample("boosting", Rows(thrice, question, groups), lone, form, EFFORT, 450)
    apart = two_sample("boosting", Rows(thrice, question, np.arange(450)), lone, form, EFFORT, 450)
    assert together and apart
    assert together["auc"] < 0.58 < 0.65 < apart["auc"]


def test_a_value_that_both_sets_repeat_as_often_tells_nothing(tmp_path: Path) -> None:
    """Six rows in ten are one and the same in either set; the real ones are one group."""
    form = staged.form(staged.config_at(tmp_path))
    first, second = staged.drawn(600, 1), staged.drawn(600, 2)
    first[:360] = second[:360] = first[0]
    groups = np.r_[np.zeros(360, np.int64), np.arange(1, 241)]
    question = Question.of(form)
    told = two_sample("boosting", Rows(first, question, groups), Rows(second, question), form, EFFORT, 600)
    assert told and 0.45 < told["auc"] < 0.58


def test_detection_is_one_where_nothing_is_told() -> None:
    assert [detection(auc) for auc in (0.3, 0.5, 0.75, 1.0)] == [1, 1, 0.5, 0]
