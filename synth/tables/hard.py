"""Rows that judges get wrong, for plans that ask for more like them.

Judges of two kinds are asked the rows of the folds that they have not seen. Of classes, a row is hard where their mean
answer is another class: false positives and false negatives alike. Of numbers, the tenth that they miss by most is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf import runs
from conf.errors import RecipeError
from synth.arms import Pool
from synth.judges import Effort
from synth.judges.folds import folds
from synth.tables.column import Tokens
from synth.tables.judges.boosting import Setting, fit_boosting
from synth.tables.judges.logistic import fit_logistic
from synth.tables.rows import Codes, Numbers, Rows
from synth.tables.tokens import TableTokens
from udfs import records
from udfs.rng import Words, mix

NAME = "hard.parquet"
FOLDS = 5
SETTING = Setting(leaves=31, least_rows=20, trees=60)
PENALTY = 1.0
MISSED = 0.1  # of the rows whose label is a number
KEPT = 0.35  # of a hard row's other columns stay as they are in a row near it
_KEEP = np.uint64(0x9D39247E33776D41)


def places(rows: Rows, effort: Effort, seed: int) -> Codes:
    """Places of the hard rows, in their order."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    said = np.zeros((len(rows), rows.question.width))
    for each in range(FOLDS):
        learned, asked = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        if not len(asked) or not len(learned):
            continue
        part, cells = rows.take(learned), rows.take(asked).cells
        boosting = fit_boosting(part, effort, seed, setting=SETTING)
        said[asked] = (boosting.predict(cells) + fit_logistic(part, effort, seed, penalty=PENALTY).predict(cells)) / 2
    if rows.question.classes:
        return np.flatnonzero(said.argmax(1) != rows.labels)
    off = np.abs(said[:, 0] - rows.targets)
    return np.sort(np.argsort(-off, kind="stable")[: max(1, round(MISSED * len(rows)))])


def write(train: Pool[Rows], tokens: TableTokens, effort: Effort, seed: int, folder: str, name: str) -> str:
    """Find the hard ones among train rows and write their ids and tokens into `folder`; the file's path.

    Raises RecipeError where judges get no row wrong.
    """
    found = places(train.rows, effort, seed)
    if not len(found):
        raise RecipeError(
            f"generate {name}: rows.hard asks for rows near those that judges get wrong, and they get none wrong: "
            "say like, factor or balance."
        )
    coded = tokens.encode(train.rows.matrix[found])
    listed = pa.FixedSizeListArray.from_arrays(pa.array(coded.ravel()), coded.shape[1])
    table = pa.table({"row_id": pa.array([train.ids[place] for place in found], pa.string()), "tokens": listed})
    sink = pa.BufferOutputStream()
    pq.write_table(table.sort_by("row_id"), sink, compression="zstd")
    runs.write_bytes(folder, NAME, sink.getvalue().to_pybytes())
    return f"{folder}/{NAME}"


@dataclass(frozen=True)
class Anchors:
    """Hard rows, near which rows are to be made."""

    tokens: Tokens  # (H, C)
    plan: str  # what a maker's name says of them

    @staticmethod
    def read(path: str) -> Anchors:
        """The rows that `write` wrote."""
        system, place = runs.filesystem(path)
        with system.open_input_file(place) as file:
            table = pq.ParquetFile(file).read().combine_chunks()
        ids, tokens = table.column("row_id").to_pylist(), table.column("tokens").chunk(0)
        return Anchors(tokens.flatten().to_numpy().reshape(len(ids), -1), f"near {records.which(*ids)}")

    def given(self, words: Words, uniforms: Numbers, tied: Sequence[int]) -> Tokens:
        """int64[N, C]: of each row (words uint64[N], uniforms (N, C)) the tokens that it keeps, -1 where none.

        A row near a hard one has its label, as that is what is hard about it, and each other column by chance; columns
        that a rule ties together are kept or drawn as one: `tied` (C,) names a column that speaks for each.
        """
        with np.errstate(over="ignore"):
            row = (mix(words + _KEEP) % np.uint64(len(self.tokens))).astype(np.int64)
        kept = uniforms[:, tied] < KEPT
        kept[:, -1] = True
        return np.where(kept, self.tokens[row], -1)
