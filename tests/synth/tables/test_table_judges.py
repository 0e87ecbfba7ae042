"""The judges of tables: they learn, they are told apart from chance by what they learn, and they are repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, r2_score

from synth.judges import Effort
from synth.tables import judges
from synth.tables.judges import ctgan_protocol
from synth.tables.judges.boosting import Codebook
from synth.tables.judges.encoding import Encoding
from synth.tables.judges.held_out import parts
from synth.tables.rows import Question, Rows
from tests.synth.tables import frames
from udfs.table.form import Column, TableForm

EFFORT = Effort(steps=300, batch_size=32)


@pytest.mark.parametrize("kind", judges.KINDS)
@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_each_learns_classes_and_numbers(kind: str, name: str) -> None:
    """Far better than the label's own distribution, on rows that it has not seen."""
    learned, asked = frames.halves(name)
    said = judges.fit(kind, learned, EFFORT).predict(asked.cells)
    assert said.shape == (len(asked), asked.question.width)
    if name == "diabetes":
        assert r2_score(asked.targets, said[:, 0]) > 0.25
        return
    np.testing.assert_allclose(said.sum(1), 1, atol=1e-6)
    assert (said.argmax(1) == asked.labels).mean() > 0.85
    shares = np.bincount(learned.labels) / len(learned)
    assert log_loss(asked.labels, said) < 0.6 * log_loss(asked.labels, np.tile(shares, (len(asked), 1)))


@pytest.mark.parametrize("kind", judges.KINDS)
def test_the_same_rows_make_the_same_judge(kind: str) -> None:
    learned, asked = frames.halves("cancer")
    first, again = (judges.fit(kind, learned, EFFORT, seed=4).predict(asked.cells) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", judges.KINDS)
def test_a_class_or_code_that_was_never_seen_is_no_error(kind: str) -> None:
    """Two classes of three learned; at asking, a category that is new, missing cells everywhere."""
    learned, asked = frames.halves("wine")
    two = learned.take(learned.labels < 2)
    cells = asked.cells.copy()
    cells[:20, 0], cells[20:40] = 4, np.nan
    said = judges.fit(kind, two, EFFORT).predict(cells)
    assert np.isfinite(said).all()
    assert said[:, 2].max() < (0.2 if kind == "mlp" else 1e-6)
    one = judges.fit(kind, learned.take(learned.labels == 1), EFFORT).predict(cells)
    assert (one.argmax(1) == 1).all()


def test_plain_copies_do_not_make_a_judge_surer() -> None:
    """Children of one parent are in one fold: eight copies of each row lead to the same penalty and trees."""
    learned, _ = frames.halves("cancer")
    some = learned.take(np.arange(60))
    copies = np.tile(np.arange(60), 8)
    eight = Rows(some.matrix[copies], some.question, copies, np.arange(480) < 60)
    for first, asked in parts(eight, 3, 0):
        assert not set(eight.group_codes()[first]) & set(eight.group_codes()[asked])
        assert eight.real_mask()[asked].all(), "only rows that were collected are asked"
    torn = Rows(some.matrix[copies], some.question)
    assert any(set(copies[first]) & set(copies[asked]) for first, asked in parts(torn, 3, 0)), "else groups do nothing"


def test_numbers_are_encoded_by_order_and_size_and_gaps_by_a_column_of_their_own() -> None:
    cells = np.array([[1.0, 0], [2, 1], [3, 1], [1000, np.nan], [np.nan, 3]])
    columns = (Column("n", "number"), Column("c", "category", ("a", "b", "c")))
    vectors = Encoding.fitted(cells, columns)(cells)
    assert vectors.shape == (5, 3 + 3 + 1)
    assert (np.diff(vectors[:4, 0]) > 0).all() and vectors[3, 0] < 2, "order does not grow with size"
    assert vectors[3, 1] > 1.5, "size does"
    np.testing.assert_array_equal(vectors[4, :3], [0, 0, 1])
    np.testing.assert_array_equal(vectors[:, 3:6], [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(vectors[:, 6], [0, 0, 0, 1, 0])


@pytest.mark.parametrize("kind", judges.KINDS)
def test_thousands_of_categories_constant_and_empty_columns_are_taken(kind: str) -> None:
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 400)
    matrix = np.column_stack(
        [
            random.integers(0, 3000, 400),
            np.full(400, 7.0),
            np.full(400, np.nan),
            label + random.normal(0, 0.3, 400),
            label,
        ]
    ).astype(np.float64)
    words = tuple(str(each) for each in range(3000))
    columns = (
        Column("many", "category", words),
        Column("one", "number"),
        Column("none", "number"),
        Column("x", "number"),
    )
    form = TableForm((*columns, Column("y", "boolean")), "y", "classification", ("no", "yes"))
    rows = Rows(matrix, Question.of(form))
    said = judges.fit(kind, rows.take(np.arange(300)), EFFORT).predict(rows.cells[300:])
    assert (said.argmax(1) == label[300:]).mean() > 0.85


def test_rare_codes_are_taken_together() -> None:
    codes = np.concatenate([np.arange(300), np.arange(250), [np.nan]])[:, None]
    book = Codebook.fitted(codes, (Column("many", "category"),))
    told = book(np.array([[0.0], [249], [250], [299], [999], [np.nan]]))[:, 0]
    np.testing.assert_array_equal(told, [0, 249, 250, 250, 250, np.nan])


@pytest.mark.parametrize(
    ("column", "classes", "values", "places"),
    [
        (Column("y", "boolean"), ("yes", "no"), [0.0, 1.0, np.nan], [1, 0, np.nan]),
        (Column("y", "boolean"), ("false", "true"), [0.0, 1.0], [0, 1]),
        (Column("y", "integer"), ("3", "1"), [1.0, 3.0, 2.0], [1, 0, np.nan]),
        (Column("y", "category", ("a", "b")), ("a", "b"), [0.0, 1.0, 2.0], [0, 1, np.nan]),
    ],
)
def test_labels_of_every_type_are_places_among_the_classes(
    column: Column, classes: tuple[str, ...], values: list[float], places: list[float]
) -> None:
    question = Question.of(TableForm((Column("x", "number"), column), "y", "classification", classes))
    matrix = np.column_stack([np.zeros(len(values)), values])
    np.testing.assert_array_equal(question.targets(matrix), places)


def test_no_rows_and_unknown_kinds_are_refused() -> None:
    learned, _ = frames.halves("cancer")
    with pytest.raises(ValueError, match="at least one row"):
        judges.fit("boosting", learned.take(np.arange(0)), EFFORT)
    with pytest.raises(ValueError, match="there are boosting, logistic, mlp"):
        judges.fit("cnn", learned, EFFORT)


@pytest.mark.parametrize(("name", "judged"), [("cancer", 4), ("wine", 2), ("diabetes", 2)])
def test_the_protocol_of_published_figures_has_its_judges_and_knows_noise(name: str, judged: int) -> None:
    learned, asked = frames.halves(name)
    found = ctgan_protocol.scores(learned, asked, positive=1)
    assert len(found) == judged + 1
    assert found["mean"] == pytest.approx(np.mean([value for kind, value in found.items() if kind != "mean"]))
    best, least = ("linear", 0.25) if name == "diabetes" else ("tree", 0.8)
    assert found[best] > least
    false = learned.matrix.copy()
    false[:, -1] = np.random.default_rng(0).permutation(false[:, -1])
    assert ctgan_protocol.scores(Rows(false, learned.question), asked, positive=1)[best] < found[best] - 0.1
