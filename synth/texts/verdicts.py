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
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from conf import Config
from conf.schema import Gate
from synth.arms import Pool
from synth.texts.judges.tfidf import CHARACTERS
from synth.texts.rows import Codes, Judge, Numbers, Rows, Texts
from synth.verdicts import SCHEMA
from udfs import records
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
    said = opinions(rows, against)
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
    return pa.concat_tables([pa.table(columns, schema=SCHEMA), _empty(made.unreadable)])


def _empty(ids: Sequence[str]) -> pa.Table:
    """The verdicts on rows without a text."""
    flags = {"is_unreadable": [True] * len(ids), "is_copy": [False] * len(ids), "is_far": [False] * len(ids)}
    columns = {"row_id": pa.array(list(ids), pa.string()), **{n: pa.array(v, pa.bool_()) for n, v in flags.items()}}
    return records.conform(pa.table(columns), SCHEMA)


def opinions(rows: Rows, against: Bench) -> Numbers:
    """float64[N, classes]: what the judges say, on average; a child of a train row is judged by the one that has not
    seen its parent.
    """
    own = np.array([against.fold_of.get(group, -1) for group in rows.group_codes().tolist()], np.int64)
    said = np.zeros((len(rows), len(rows.question.classes)))
    for place, judge in enumerate(against.judges):
        asked = np.flatnonzero((own == place) | (own < 0))
        if len(asked):
            weight = np.where(own[asked] < 0, 1 / len(against.judges), 1.0)
            said[asked] += judge.predict(_texts(rows, asked)) * weight[:, None]
    return said


def _texts(rows: Rows, places: Codes) -> Texts:
    return [rows.texts[place] for place in places.tolist()]


def passing(told: pa.Table, synthetic: NDArray[np.bool_], gate: Gate) -> NDArray[np.bool_]:
    """bool[N]: the rows that nothing speaks against, before the question whether rows like them are of use.

    Labels and copies are asked of synthetic rows alone: steps keep the label, and a text that no step could change is
    its parent's.
    """
    flags = {name: told.column(name).to_numpy() for name in ("is_unreadable", "is_far", "is_copy", "agreement")}
    strange = flags["agreement"] < gate.min_label_agreement
    copies = flags["is_copy"] if gate.copies == "quarantine" else np.zeros(len(synthetic), bool)
    return ~(flags["is_unreadable"] | flags["is_far"] | (synthetic & (strange | copies)))
