"""What is said of each made text: does it look like its label, how near does it lie to train rows, is it a copy?

Nearness is one minus the cosine of TF-IDF vectors of runs of characters, as a ratio to what held-out rows show:
`distance_ratio` 1 is as far from its nearest train row as the farthest twentieth of held-out rows are. A copy has the
words of a train row, case, spacing and punctuation aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from conf import Config
from synth.arms import Pool
from synth.labelled.verdicts import holding_nothing, opinions
from synth.texts.judges.tfidf import CHARACTERS
from synth.texts.rows import Codes, Judge, Numbers, Rows
from synth.verdicts import SCHEMA
from udfs.text.near import normal_form

FAR_QUANTILE = 0.95  # of held-out rows' distances to train rows: where distance_ratio is 1
MOST_FEATURES = 100_000
JUDGE = "characters"  # who says what a text looks like
BLOCK = 256  # rows whose cosines with all train rows are held at a time


@dataclass(frozen=True)
class Bench:
    """Who judges, against what: judges of one fold each, train rows and their vectors, and the unit of distance."""

    judges: Sequence[Judge]
    fold_of: dict[int, int]  # a train row's group -> the judge that has not seen it
    train: Pool[Rows]
    vectors: TfidfVectorizer
    known: csr_matrix
    content: frozenset[str]  # of train rows, normal_form
    far_unit: float
    max_distance_factor: float


def bench(
    judges: Sequence[Judge], fold_of: dict[int, int], train: Pool[Rows], val: Pool[Rows], config: Config
) -> Bench:
    """Measure on held-out rows how near texts come to train rows by themselves."""
    vectors = TfidfVectorizer(sublinear_tf=True, max_features=MOST_FEATURES, **CHARACTERS).fit(train.rows.texts)
    known = vectors.transform(train.rows.texts)
    content = frozenset(normal_form(text) for text in train.rows.texts)
    unit = 1.0
    if len(val):
        unit = float(np.quantile(nearest(vectors.transform(val.rows.texts), known)[0], FAR_QUANTILE))
    factor = config.recipe.gate.max_distance_factor
    return Bench(judges, fold_of, train, vectors, known, content, max(unit, 1e-9), factor)


def nearest(asked: csr_matrix, known: csr_matrix) -> tuple[Numbers, Codes]:
    """(distance, place) of each asked row's nearest known one; vectors have length one, or none."""
    distances, places = np.ones(asked.shape[0]), np.zeros(asked.shape[0], np.int64)
    turned = known.T.tocsc()
    for at in range(0, asked.shape[0], BLOCK):
        cosines = (asked[at : at + BLOCK] @ turned).toarray()
        places[at : at + BLOCK] = cosines.argmax(1)
        distances[at : at + BLOCK] = np.maximum(1 - cosines.max(1), 0.0)
    return distances, places


def judge_rows(made: Pool[Rows], against: Bench) -> pa.Table:
    """The verdicts on these rows, and on those that have no text, in SCHEMA."""
    rows, classes = made.rows, made.rows.question.classes
    said = opinions(rows, against.judges, against.fold_of)
    distance, place = np.zeros(0), np.zeros(0, np.int64)
    if len(rows):
        distance, place = nearest(against.vectors.transform(rows.texts), against.known)
    ratio = distance / against.far_unit
    copies = [normal_form(text) in against.content for text in rows.texts]
    columns = {
        "row_id": made.ids,
        "agreement": np.minimum(said, rows.shares).sum(1),
        "predicted": [classes[code] for code in said.argmax(1)] if len(rows) else pa.array([], pa.string()),
        "nearest_id": pa.array([against.train.ids[each] for each in place.tolist()], pa.string()),
        "nearest_distance": distance,
        "distance_ratio": ratio,
        "is_copy": pa.array(copies, pa.bool_()),
        "is_far": ratio > against.max_distance_factor,
        "is_unreadable": np.zeros(len(rows), bool),
    }
    return pa.concat_tables([pa.table(columns, schema=SCHEMA), holding_nothing(made.unreadable)])
