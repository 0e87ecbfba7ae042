"""A list of steps as one function from batch to batch of a table's rows.

`compile_table_steps` resolves the names, checks the options and tries the list on a blank row, so that a mistake is
found before any engine starts. What it gives pickles; called, it makes rows whose every cell is a function of the
row's own id, the form and the statistics. A cell that no step changed is the parent's own, to the last digit and
word, whether or not the matrix can tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from udfs.names import StepError
from udfs.parentage import mixed_labels, mixed_parents
from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, resolved
from udfs.step_lists import StepList, check_steps, identity_of
from udfs.table.form import Matrix, TableForm, from_matrix, to_matrix
from udfs.table.statistics import Statistics
from udfs.table.values import Flags, Floats, Rows

REVISION = 1
PARTNER_COLUMNS = ("partner_id", "partner_row")  # the partner's id, and its payload as a struct; null: none
_BLANK_ID = "0" * 40


@dataclass(frozen=True)
class CompiledTable(StepList[Rows]):
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(matrix, ids)` works on a matrix."""

    form: TableForm
    statistics: Statistics

    @property
    def mixes_labels(self) -> bool:
        """Whether rows come out that are of two labels."""
        return self.form.task == "classification" and "any" in self.needs_partners

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the cells but ids and seed: form, statistics, each step with its options and revision."""
        return identity_of("table.form", asdict(self.form), f"{REVISION} {self.statistics.digest}", self.steps)

    def apply(
        self,
        matrix: Matrix,
        ids: Sequence[str],
        seed: int = 0,
        *,
        others: Matrix | None = None,
        paired: Flags | None = None,
        after: list[Matrix] | None = None,
    ) -> tuple[Matrix, Floats]:
        """(rows, each one's share that is its own) of rows with these `ids` (40 hex digits).

        `others` are the partners' rows for mixing, `paired` says which rows have one; `after` collects the rows after
        each step.
        """
        partners = None if others is None else Rows(others, self.form, self.statistics)
        rows, between = Rows(matrix, self.form, self.statistics), list[Rows]()
        rows, own = self._through(rows, ids, seed, partners, paired, None if after is None else between)
        if after is not None:
            after += [each.matrix for each in between]
        return rows.matrix, own

    def _mixed(self, step: Step, random: RowRandom, values: Rows, partners: Rows, has: Flags) -> tuple[Rows, Floats]:
        mixed, share = step.function(random, values, partners, **step.options)
        return values.with_matrix(np.where(has[:, None], mixed.matrix, values.matrix)), share

    def tried(self) -> None:
        """Every step on a blank row; StepError where one cannot."""
        blank = Rows(np.zeros((1, len(self.form.modelled))), self.form, self.statistics)
        for place, step in enumerate(self.steps):
            try:
                if step.kind != "mixing":
                    self._changed(step, RowRandom([_BLANK_ID], 0, step.name, place), blank)
            except ValueError as error:
                raise StepError(f"{step.name}: {error}.", place) from error

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose primary ids are in `row_id` from their parents' payload.

        After mixing, `row_parents` and `row_id` tell of both parents; where labels are mixed, `soft_label` has both by
        their shares, and the label is that of the larger one. The partner's columns are gone.
        """
        matrix = to_matrix(batch, self.form)
        made, own = self._made(batch, matrix, seed)
        out = {name: batch.column(name) for name in batch.schema.names if name not in PARTNER_COLUMNS}
        for place, (name, cells) in enumerate(from_matrix(made, self.form).items()):
            stays = _alike(made[:, place], matrix[:, place])
            kept = cells.cast(batch.schema.field(name).type)
            out[name] = batch.column(name) if stays.all() else pc.if_else(pa.array(stays), batch.column(name), kept)
        if self.needs_partners:
            out |= mixed_parents(batch, own)
        if self.mixes_labels:
            out |= self._labels(batch, own)
        return pa.RecordBatch.from_pydict(out)

    def _made(
        self, batch: pa.RecordBatch, matrix: Matrix, seed: int, after: list[Matrix] | None = None
    ) -> tuple[Matrix, Floats]:
        """`apply` on a batch, with the partners that stand beside its rows."""
        ids = batch.column("row_id").to_pylist()
        if not self.needs_partners:
            return self.apply(matrix, ids, seed, after=after)
        missing = [name for name in PARTNER_COLUMNS if name not in batch.schema.names]
        if missing:
            raise ValueError(f"mixing steps need the column {missing[0]}")
        others = to_matrix(_payload(batch.column("partner_row")), self.form)
        paired = batch.column("partner_id").is_valid().to_numpy(zero_copy_only=False)
        return self.apply(matrix, ids, seed, others=others, paired=paired, after=after)

    def _labels(self, batch: pa.RecordBatch, own: Floats) -> dict[str, pa.Array]:
        """The label's column and `soft_label` of rows that may have been mixed."""
        name = self.form.label
        given, partners = batch.column(name), _payload(batch.column("partner_row")).column(name)
        softs = batch.column("soft_label") if "soft_label" in batch.schema.names else pa.nulls(batch.num_rows)
        labels, soft = mixed_labels(given.cast(pa.string()), partners.cast(pa.string()), softs, own)
        return {name: labels.cast(given.type), "soft_label": soft}

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step made of each row: `{row_id, steps: [{step, fired, parameters}]}`.

        `parameters` are the cells that it changed, as `[before, after]` by the column's name.
        """
        matrix, after = to_matrix(batch, self.form), list[Matrix]()
        self._made(batch, matrix, seed, after)
        told = [from_matrix(each, self.form) for each in (matrix, *after)]
        out = []
        for row, row_id in enumerate(batch.column("row_id").to_pylist()):
            steps = []
            for step, before, then in zip(self.steps, told[:-1], told[1:], strict=True):
                cells = {name: [before[name][row].as_py(), then[name][row].as_py()] for name in then}
                changed = {name: pair for name, pair in cells.items() if pair[0] != pair[1]}
                steps.append({"step": step.name, "fired": bool(changed), "parameters": changed})
            out.append({"row_id": row_id, "steps": steps})
        return out


def _payload(rows: pa.StructArray) -> pa.RecordBatch:
    """A struct's fields as columns, null where the struct is."""
    return pa.RecordBatch.from_arrays(rows.flatten(), names=[field.name for field in rows.type])


def _alike(first: Floats, second: Floats) -> Flags:
    """Where numbers are equal, missing ones too."""
    return (first == second) | (np.isnan(first) & np.isnan(second))


def compile_table_steps(
    steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str],
    *,
    form: TableForm,
    statistics: Statistics | None = None,
) -> CompiledTable:
    """The steps as one function; StepError for a name, an option or a column that is wrong, or two kinds of partners.

    Statistics of train rows, and the form with the vocabularies in them: `TableForm.of(recipe, statistics["columns"])`.
    Without them a list can be checked.
    """
    statistics = statistics or Statistics.none(form)
    compiled = CompiledTable(resolved(steps, "table"), form, statistics)
    check_steps(compiled.steps)
    if "borderline" in compiled.needs_partners and form.task != "classification":
        raise StepError("partners: borderline goes by the labels of a classification, and this is a regression.")
    compiled.tried()
    return compiled
