"""The judges of rows with several payloads: those of each payload alone, such as `image.cnn` and `text.words`, and
`joint`, which sees all payloads together and what holds between them; `towers` does so by learning what to look at.

A judge of one payload says what that payload tells of the label, so that a gain can be laid at its door; only the other
two can tell whether payloads match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synth import judges as images
from synth.fusion.judges.joint import fit_joint
from synth.fusion.judges.towers import fit_towers
from synth.fusion.rows import Judge, Numbers, Payload, Rows
from synth.judges import Effort
from synth.series import judges as series
from synth.series.rows import Question as SeriesQuestion
from synth.series.rows import Rows as SeriesRows
from synth.tables import judges as tables
from synth.tables.rows import Question as Cells
from synth.tables.rows import Rows as TableRows
from synth.texts import judges as texts
from synth.texts.rows import Question as TextQuestion
from synth.texts.rows import Rows as TextRows

JOINT, TOWERS = "joint", "towers"


@dataclass(frozen=True)
class PartJudge:
    """A judge of one payload."""

    payload: str
    judge: Any
    cells: Cells | None = None

    def predict(self, payload: Payload) -> Numbers:
        """float64[N, classes]."""
        own = payload[self.payload]
        if self.payload == "image":
            return self.judge.predict_proba(own)
        return self.judge.predict(own if self.cells is None else self.cells.cells(own))


def fit(kind: str, rows: Rows, effort: Effort, seed: int = 0) -> Judge:
    """Train a judge of this kind on the rows. Raises ValueError for an unknown kind, or no rows."""
    if not len(rows):
        raise ValueError("a judge needs at least one row to learn from")
    if kind == JOINT:
        return fit_joint(rows, effort, seed)
    if kind == TOWERS:
        return fit_towers(rows, effort, seed)
    payload, _, own = kind.partition(".")
    if payload not in rows.payload:
        raise ValueError(f"{kind} is not a judge of these rows, which hold {', '.join(rows.payload)}")
    values, labels, classes = rows.payload[payload], rows.labels, rows.question.classes
    more = (rows.soft, rows.groups, rows.real)
    if payload == "image":
        return PartJudge(payload, images.fit(own, images.Rows(values, labels, *more), len(classes), effort, seed))
    if payload == "text":
        return PartJudge(payload, texts.fit(own, TextRows(values, labels, TextQuestion(classes), *more), effort, seed))
    if payload == "series":
        windows = SeriesRows(values, labels, SeriesQuestion(classes), *more)
        return PartJudge(payload, series.fit(own, windows, effort, seed))
    cells = rows.question.cells
    assert cells is not None
    judge = tables.fit(own, TableRows(values, cells, rows.groups, rows.real), effort, seed)
    return PartJudge(payload, judge, cells)


__all__ = ["JOINT", "TOWERS", "PartJudge", "fit"]
