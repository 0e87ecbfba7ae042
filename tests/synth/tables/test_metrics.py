"""Measures of answers: as scikit-learn has them, and as means over rows where a bootstrap needs that."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, log_loss, r2_score, roc_auc_score

from synth.tables.metrics import auc, average_precision, focus_of, lopsided, measures, row_errors
from synth.tables.rows import Question
from udfs.table.form import Column, TableForm

RANDOM = np.random.default_rng(1)


def question(*classes: str) -> Question:
    if not classes:
        return Question.of(TableForm((Column("x", "number"), Column("y", "number")), "y", "regression"))
    label = Column("y", "category", classes)
    return Question.of(TableForm((Column("x", "number"), label), "y", "classification", classes))


def answers(classes: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, rounded so that there are ties, of labels that they tell about."""
    labels = RANDOM.choice(classes, rows, p=np.arange(classes, 0, -1) / np.arange(classes, 0, -1).sum())
    raw = RANDOM.random((rows, classes)) + 0.8 * np.eye(classes)[labels]
    said = np.round(raw / raw.sum(1, keepdims=True), 1) + 0.01
    return said / said.sum(1, keepdims=True), labels.astype(np.float64)


def test_two_classes_are_measured_as_by_scikit_learn() -> None:
    said, targets = answers(2)
    found = measures(said, targets, question("no", "yes"), focus=1, rare=1)
    hits = targets == 1
    assert found["auc"] == pytest.approx(roc_auc_score(hits, said[:, 1]))
    assert found["pr_auc"] == pytest.approx(average_precision_score(hits, said[:, 1]))
    assert found["f1"] == found["minority_f1"] == pytest.approx(f1_score(hits, said.argmax(1) == 1))
    assert found["log_loss"] == pytest.approx(log_loss(targets, said))


def test_many_classes_are_measured_each_against_the_others() -> None:
    said, targets = answers(4)
    found = measures(said, targets, question("a", "b", "c", "d"), focus=3, rare=3)
    assert found["auc"] == pytest.approx(roc_auc_score(targets, said, multi_class="ovr"))
    assert found["f1"] == pytest.approx(f1_score(targets, said.argmax(1), average="macro"))
    assert found["minority_f1"] == pytest.approx(f1_score(targets, said.argmax(1), average=None)[3])


def test_numbers_are_measured() -> None:
    targets = RANDOM.normal(size=200)
    said = (targets + RANDOM.normal(0, 0.5, 200))[:, None]
    found = measures(said, targets, question(), 0, 0)
    assert found["r2"] == pytest.approx(r2_score(targets, said[:, 0]))
    assert row_errors(said, targets, question()).mean() == pytest.approx(1 - found["r2"])


@pytest.mark.parametrize("classes", [2, 4])
def test_row_errors_have_the_error_as_their_mean_and_its_bootstrap(classes: int) -> None:
    """On drawn rows their mean is nearly what an AUC computed anew says: the same centre, the same spread."""
    said, targets = answers(classes, 300)
    names = question(*"abcd"[:classes])
    errors = row_errors(said, targets, names)
    score = lambda rows: roc_auc_score(  # noqa: E731
        targets[rows], said[rows, 1] if classes == 2 else said[rows], multi_class="ovr"
    )
    assert errors.mean() == pytest.approx(1 - score(np.arange(300)))
    draws = RANDOM.integers(0, 300, (400, 300))
    anew, linear = np.array([1 - score(rows) for rows in draws]), errors[draws].mean(1)
    assert linear.std() == pytest.approx(anew.std(), rel=0.1)
    assert np.corrcoef(anew, linear)[0, 1] > 0.98


def test_ties_count_half_and_one_class_alone_is_chance() -> None:
    hits = np.array([True, False, True, False])
    assert auc(np.full(4, 0.5), hits) == 0.5
    assert average_precision(np.full(4, 0.5), hits) == 0.5
    said = np.tile([0.9, 0.1], (5, 1))
    assert row_errors(said, np.zeros(5), question("a", "b")).mean() == 0.5
    assert np.isnan(measures(said, np.zeros(5), question("a", "b"), 1, 1)["auc"])


def test_f1_is_of_the_positive_class_else_of_the_rarest() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    assert focus_of(("a", "b"), None, labels) == (1, 1)
    assert focus_of(("a", "b"), "a", labels) == (0, 1)
    assert lopsided(labels, 0.2) and not lopsided(labels, 0.05)
