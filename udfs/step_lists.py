"""What lists of steps have in common, whatever they work on: which partners they want, what their identity covers, what
may not stand in one, and how rows go through it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs.names import StepError
from udfs.parentage import mixed_lineage
from udfs.rng import RowRandom
from udfs.rules import Step

Values = TypeVar("Values")
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def partner_kinds(steps: Sequence[Step]) -> list[str]:
    """The kinds of partner that the mixing steps want."""
    return sorted({step.options["partners"] for step in steps if step.kind == "mixing"})


def identity_of(form: str, options: dict[str, Any], revision: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """All that decides the values but ids and seed: their form, then each step with its options and revision."""
    told = [{"name": step.name, "options": step.options, "revision": step.revision} for step in steps]
    return json.loads(json.dumps([{"name": form, "options": options, "revision": revision}, *told]))


def check_steps(steps: Sequence[Step]) -> None:
    """StepError where a step refuses rows, or two want partners of different kinds."""
    for place, step in enumerate(steps):
        if step.kind == "reject":
            raise StepError(f"{step.name} refuses rows and changes none: it belongs under clean.rules.", place)
    kinds = partner_kinds(steps)
    if len(kinds) > 1:
        told = " and ".join(kinds)
        raise StepError(f"the mixing steps of one list share their partners, but they ask for {told}: choose one.")


@dataclass(frozen=True)
class StepList(Generic[Values]):
    """Steps over values that a subclass knows how to change and to mix."""

    steps: tuple[Step, ...]

    @property
    def needs_partners(self) -> list[str]:
        """The kind of partner that the mixing steps want; none where nothing is mixed."""
        return partner_kinds(self.steps)

    def _through(
        self,
        values: Values,
        ids: Sequence[str],
        seed: int,
        others: Values | None,
        paired: Flags | None,
        after: list[Values] | None,
    ) -> tuple[Values, Floats]:
        """(values, each one's share that is its own); `after` collects the values after each step."""
        own, has = np.ones(len(ids)), np.ones(len(ids), bool) if paired is None else paired
        for place, step in enumerate(self.steps):
            random = RowRandom(ids, seed, step.name, place)
            if step.kind != "mixing":
                values = self._changed(step, random, values)
            elif others is not None:
                partners = self._partners_before(place, ids, seed, others)
                values, share = self._mixed(step, random, values, partners, has)
                own *= 1 - share * has
            if after is not None:
                after.append(values)
        return values, own

    def _partners_before(self, place: int, ids: Sequence[str], seed: int, others: Values) -> Values:
        """The partners after the steps before this one, with draws of their own."""
        for before, step in enumerate(self.steps[:place]):
            if step.kind != "mixing":
                others = self._changed(step, RowRandom(ids, seed, f"partner {step.name}", before), others)
        return others

    def _changed(self, step: Step, random: RowRandom, values: Values) -> Values:
        """One step that does not mix."""
        if step.kind == "plain":
            return step.function(values, **step.options)
        return step.function(random, values, **step.options)

    def _mixed(
        self, step: Step, random: RowRandom, values: Values, partners: Values, has: Flags
    ) -> tuple[Values, Floats]:
        """One mixing step, in the rows that have a partner; and the share that is the partner's, where there is one."""
        raise NotImplementedError


@dataclass(frozen=True)
class ColumnSteps(StepList[Values]):
    """Steps over rows whose payload is one column."""

    column: ClassVar[str]

    def apply(
        self,
        values: Values,
        ids: Sequence[str],
        seed: int = 0,
        *,
        others: Values | None = None,
        paired: Flags | None = None,
        after: list[Values] | None = None,
    ) -> tuple[Values, Floats]:
        """(values, each one's share that is its own) of rows with these `ids` (40 hex digits).

        `others` are the partners' values for mixing, `paired` says which rows have one; `after` collects the values
        after each step.
        """
        return self._through(values, ids, seed, others, paired, after)

    @property
    def partner_columns(self) -> tuple[str, str, str]:
        """What a partner hands over: its payload, its label, its id."""
        return f"partner_{self.column}", "partner_label", "partner_id"

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose primary ids are in `row_id` from their parents' payload.

        After mixing, `row_parents` and `row_id` tell of both parents, and `soft_label` of both labels where they
        differ. The partner's columns are gone.
        """
        made, own = self.made(batch, seed)
        out = {name: batch.column(name) for name in batch.schema.names if name not in self.partner_columns}
        out[self.column] = self._listed(made)
        return pa.RecordBatch.from_pydict(out | (mixed_lineage(batch, own) if self.needs_partners else {}))

    def made(self, batch: pa.RecordBatch, seed: int, after: list[Values] | None = None) -> tuple[Values, Floats]:
        """`apply` on a batch, with the partners that stand beside its rows."""
        values, ids = self.read(batch.column(self.column)), batch.column("row_id").to_pylist()
        if not self.needs_partners:
            return self.apply(values, ids, seed, after=after)
        paired = batch.column("partner_id").is_valid().to_numpy(zero_copy_only=False)
        others = self.read(batch.column(self.partner_columns[0]))
        return self.apply(values, ids, seed, others=others, paired=paired, after=after)

    def read(self, column: pa.Array) -> Values:
        """The values of a column of rows."""
        raise NotImplementedError

    def _listed(self, values: Values) -> pa.Array:
        """The column that holds these values."""
        raise NotImplementedError
