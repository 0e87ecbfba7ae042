"""Rows of tables from a checkpoint. Torch only: Ray's actors, `explain`, judges and a notebook call the same class.

A row is a function of (maker, label, index): each column has one uniform of the row's own id, and what else a row needs
is drawn by its id too. It is always computed at position index % BLOCK of a block of BLOCK rows, on one thread, so that
not even its last bit depends on who asks for it. Label "" stands for rows whose label is drawn with the others.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from conf.errors import StageError
from conf.schema.where import parse
from synth import checkpoint
from synth.sampler import lineage_of, maker_of, with_weights
from synth.tables import limits, relations
from synth.tables.column import Floats, Tokens
from synth.tables.drawing import Drawing
from synth.tables.hard import Anchors
from synth.tables.limits import Limits
from synth.tables.rows import Question
from synth.tables.tokens import TableTokens
from synth.tables.training import NEIGHBOURS, TOKENS, Form, built, shape_of
from udfs import hashing, records
from udfs.rng import Words, numbered
from udfs.table.form import Column, Matrix, TableForm, from_matrix

BLOCK = 1024
WITHIN = 1 << 20  # added to a column's place: the counter of its draws within bins
NOISE = 1 << 21  # the counter of the first normal number of a row, where a model wants some
KEEP = 1 << 22  # added to a column's place: whether a row near a hard one keeps it
_UNIT = 2.0**-53
_SALT = hashing.word_of("table", "draw")


class Sampler:
    """Makes the rows of one checkpoint."""

    block = BLOCK

    def __init__(
        self,
        folder: str,
        temperature: float = 1.0,
        threads: int = 1,
        device: str = "cpu",
        where: str = "",
        near: str = "",
    ) -> None:
        """Load and verify the checkpoint in `folder`; rows meet the conditions `where`, or lie near the rows of the
        file `near` (see `hard.py`).

        Raises CheckpointError where it is damaged, RecipeError for conditions that cannot be met. Rows are always drawn
        on the CPU, `device` or not: another device rounds otherwise.
        """
        loaded = checkpoint.load(folder)
        self.id, self.temperature, self.threads = loaded.id, temperature, threads
        decode, tensors = loaded.card["decode"], loaded.tensors
        self.form, self.known = form_from(decode["table"]), decode["known"]
        arrays = {name.removeprefix(TOKENS): t.numpy() for name, t in tensors.items() if name.startswith(TOKENS)}
        self.tokens = TableTokens.from_arrays(decode["tokens"], arrays)
        weights = {name: t for name, t in tensors.items() if not name.startswith(TOKENS) and name != NEIGHBOURS}
        form = Form(decode["model"], decode["options"])
        shape = shape_of(self.tokens, tensors[NEIGHBOURS])
        self.model = with_weights(functools.partial(built, form, shape), weights, folder)
        self.drawer = self.model.drawer([torch.from_numpy(column.count > 0) for column in self.tokens.columns])
        spans = limits.asked(parse(where), self.tokens, self.form, f"where: {where}") if where else {}
        self.limits = Limits(self.tokens, spans, relations.told(decode["relations"]))
        self.anchors = Anchors.read(near) if near else None
        self.maker = maker_of(loaded.id, temperature, self.anchors.plan if self.anchors else where)
        self.schema = records.table_schema(self.form.schema())
        self.label_column = self.form.label if self.form.classes else None

    def __call__(self, label: str, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` of a label, as `records.table_schema` has them, hashes included."""
        ids = self.ids(label, start, stop)
        columns = {**lineage_of(self.id, label, start, ids), **self._payload(self.matrix(label, start, stop), ids)}
        table = pa.table({field.name: columns[field.name] for field in self.schema if field.name in columns})
        return records.with_hashes(records.conform(table, self.schema))

    def ids(self, label: str, start: int, stop: int) -> pa.Array:
        """The ids of a label's rows."""
        return hashing.numbered_ids(self.maker, label, start, stop)

    def matrix(self, label: str, start: int, stop: int) -> Matrix:
        """float64[stop - start, D]: the rows' values alone."""
        first = start - start % BLOCK
        given = None
        if label:
            given = np.full((BLOCK, len(self.tokens.columns)), -1, np.int64)
            given[:, -1] = self._label_token(label)
        blocks = []
        for at in range(first, stop, BLOCK) if stop > start else ():
            words = hashing.id_words(self.ids(label, at, at + BLOCK), _SALT)
            if self.anchors:
                given = self.anchors.given(
                    words, numbered(words, np.array(self.tokens.places) + KEEP), self.limits.tied
                )
            blocks.append(self._drawn(words, given))
        made = np.concatenate(blocks) if blocks else np.zeros((0, len(self.form.modelled)))
        return made[start - first : stop - first]

    def impute(self, matrix: Matrix, ids: pa.Array) -> Matrix:
        """Rows float64[N, D] of the checkpoint's form with each NaN filled by a draw that goes with all that is there.

        Draws belong to the rows' `ids` (40 hex digits each). A column that follows from another is filled from it, and
        where it is there itself, what it follows from is drawn among what it may follow from.
        """
        holes = np.isnan(matrix[:, list(self.tokens.places)])
        return self._completed(matrix, np.where(holes, -1, self.tokens.encode(matrix)), ids, is_filled=True)

    def complete(self, matrix: Matrix, given: npt.NDArray[np.bool_], ids: pa.Array) -> Matrix:
        """Rows float64[N, D] of the checkpoint's form made anew around the columns `given` bool[D], which stay as they
        are, missing cells among them. The others are drawn as in whole rows, so that some come out missing.

        Draws belong to the rows' `ids` (40 hex digits each).
        """
        tokens = np.where(given[list(self.tokens.places)], self.tokens.encode(matrix), -1)
        return self._completed(np.where(given, matrix, np.nan), tokens, ids, is_filled=False)

    def _completed(self, known: Matrix, given: Tokens, ids: pa.Array, is_filled: bool) -> Matrix:
        """Rows (N, D) with NaN where a value is wanted, completed beside the tokens `given` (N, C; -1 where none)."""
        drawn = [
            self._drawn(
                hashing.id_words(ids.slice(at, BLOCK), _SALT), given[at : at + BLOCK], known[at : at + BLOCK], is_filled
            )
            for at in range(0, len(known), BLOCK)
        ]
        return np.where(np.isnan(known), np.concatenate(drawn), known) if drawn else known

    def log_likelihood(self, matrix: Matrix) -> Floats:
        """float64[N]: nats of rows (N, D) whose categories are coded as `known` vocabularies have them.

        Within bins numbers are as likely as the bin, so rows compare with rows of the same checkpoint alone.
        """
        coded = matrix.copy()
        for place, column in enumerate(self.form.modelled):
            known = self.known.get(column.name, 0)
            if column.kind == "category" and known < len(column.vocabulary):
                coded[:, place] = np.where(matrix[:, place] >= known, self._rare(place, known), matrix[:, place])
        torch.set_num_threads(self.threads)
        tokens = torch.from_numpy(self.tokens.encode(coded))
        return self.model.log_likelihood(tokens).double().numpy()

    def _rare(self, place: int, known: int) -> float:
        """The code of a category that others do not know by its place: the most frequent such one."""
        column = self.tokens.columns[self.tokens.places.index(place)] if place in self.tokens.places else None
        if column is None:
            return float(known)
        counts = column.count[column.code[known:-1]]
        return float(known + int(counts.argmax())) if len(counts) else float(known)

    # drawing

    def _label_token(self, label: str) -> int:
        """The token of a class. Raises StageError for one that the checkpoint does not know."""
        question, column = Question.of(self.form), self.tokens.columns[-1]
        if label not in question.classes:
            raise StageError(f"{label!r} is not among the checkpoint's labels {list(question.classes)}.")
        matrix = np.zeros((column.size - 1, len(self.form.modelled)))
        matrix[:, question.place] = column.low
        targets = question.targets(matrix)
        found = np.flatnonzero((targets == question.classes.index(label)) & (column.count[:-1] > 0))
        if not len(found):
            raise StageError(f"no train row of the checkpoint {self.id} had the label {label!r}.")
        return int(found[0])

    def _drawn(self, words: Words, given: Tokens | None, known: Matrix | None = None, is_filled: bool = True) -> Matrix:
        """float64[N, D]: the rows whose draws belong to `words`; `known` holds values of what is given, and a row that
        `is_filled` has none missing.
        """
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        places = np.array(self.tokens.places)
        uniforms = torch.from_numpy(numbered(words, places))
        noise = None
        if self.drawer.noise_width:
            noise = torch.from_numpy(numbered(words, NOISE + np.arange(self.drawer.noise_width)))
            noise = torch.special.ndtri(noise.clamp(_UNIT, 1 - _UNIT)).float()
        drawing = Drawing(self.limits, numbered(words, places + WITHIN), given, known, is_filled)
        tokens = self.drawer.sample(
            uniforms,
            None if given is None else torch.from_numpy(given),
            drawing.narrow if drawing.is_limited else None,
            self.temperature,
            drawing.first,
            noise,
        ).numpy()
        matrix = np.empty((len(words), len(self.form.modelled)), np.float64)
        for number, place in enumerate(places):
            matrix[:, place] = drawing.settled(number, tokens[:, number])
        for each in self.tokens.derived:
            source = self.tokens.places.index(each.source) if each.source >= 0 else None
            matrix[:, each.place] = each.table[0] if source is None else each.of(tokens[:, source])
        return matrix

    # rows

    def _payload(self, matrix: Matrix, ids: pa.Array) -> dict[str, pa.Array]:
        """The recipe's columns: modelled ones from the matrix, new unique ids, null for what is not modelled."""
        columns: dict[str, pa.Array] = from_matrix(matrix, self.form)
        for column in self.form.columns:
            if column.kind == "id":
                words = hashing.id_words(ids, hashing.word_of("id", column.name))
                columns[column.name] = hashing.hashes(words)
        return columns


def form_from(told: dict[str, Any]) -> TableForm:
    """A table's form, as a card tells it."""
    columns = tuple(Column(**{**each, "vocabulary": tuple(each["vocabulary"])}) for each in told["columns"])
    return TableForm(columns, told["label"], told["task"], tuple(told["classes"]))
