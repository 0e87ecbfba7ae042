"""Lists of steps and of rules for windows, each as one function of a whole stack.

`compile_series_steps` makes children: every window is a function of the row's own id. `compile_series_rules` refuses
windows with a reason, in the order of the list. Names are resolved and options checked before any engine starts; what
comes out pickles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from udfs.names import StepError
from udfs.parentage import mixed_lineage
from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, judged, only_rules, resolved
from udfs.series.values import Flags, Floats, Reasons, Series
from udfs.series.windows import listed, stacked

REVISION = 1
PARTNER_COLUMNS = ("partner_series", "partner_label", "partner_id")


@dataclass(frozen=True)
class CompiledSeries:
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(series, ids)` works on windows."""

    steps: tuple[Step, ...]
    length: int
    channels: int

    @property
    def needs_partners(self) -> list[str]:
        """The kind of partner that the mixing steps want: none, or `any`, `same_label` or `nearest`."""
        return sorted({step.options["partners"] for step in self.steps if step.kind == "mixing"})

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the windows but ids and seed: their form, and each step with its options and revision."""
        form = {"length": self.length, "channels": self.channels}
        steps = [{"name": s.name, "options": s.options, "revision": s.revision} for s in self.steps]
        return json.loads(json.dumps([{"name": "series.form", "options": form, "revision": str(REVISION)}, *steps]))

    def apply(
        self,
        series: Series,
        ids: Sequence[str],
        seed: int = 0,
        *,
        others: Series | None = None,
        paired: Flags | None = None,
        after: list[Series] | None = None,
    ) -> tuple[Series, Floats]:
        """(windows, each one's share that is its own) of rows with these `ids` (40 hex digits).

        `others` are the partners' windows for mixing, `paired` says which rows have one; `after` collects the windows
        after each step.
        """
        made, own = series, np.ones(len(series))
        for place, step in enumerate(self.steps):
            random = RowRandom(ids, seed, step.name, place)
            if step.kind == "mixing":
                made, share = _mixed(step, random, made, self._partners_before(place, ids, seed, others), paired)
                own *= 1 - share
            else:
                made = _run(step, random, made)
            if after is not None:
                after.append(made)
        return made, own

    def _partners_before(self, place: int, ids: Sequence[str], seed: int, others: Series | None) -> Series | None:
        """The partners after the steps before this one, with draws of their own."""
        for before, step in enumerate(self.steps[:place]):
            if others is not None and step.kind != "mixing":
                others = _run(step, RowRandom(ids, seed, f"partner {step.name}", before), others)
        return others

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose primary ids are in `row_id` from their parents' payload.

        After mixing, `row_parents` and `row_id` tell of both parents, and `soft_label` of both labels where they
        differ. The partner's columns are gone.
        """
        made, own = self._made(batch, seed)
        out = {name: batch.column(name) for name in batch.schema.names if name not in PARTNER_COLUMNS}
        out["series"] = listed(made)
        return pa.RecordBatch.from_pydict(out | (mixed_lineage(batch, own) if self.needs_partners else {}))

    def _made(self, batch: pa.RecordBatch, seed: int, after: list[Series] | None = None) -> tuple[Series, Floats]:
        """`apply` on a batch, with the partners that stand beside its rows."""
        series, ids = self.windows(batch.column("series")), batch.column("row_id").to_pylist()
        if not self.needs_partners:
            return self.apply(series, ids, seed, after=after)
        paired = batch.column("partner_id").is_valid().to_numpy(zero_copy_only=False)
        others = self.windows(batch.column("partner_series"))
        return self.apply(series, ids, seed, others=others, paired=paired, after=after)

    def windows(self, column: pa.Array) -> Series:
        """float64[N, T, C] of a column of rows."""
        return stacked(column, self.length, self.channels)

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step made of each row: `{row_id, steps: [{step, fired, parameters}]}`; `parameters` has by how much
        the step moved a value at most.
        """
        after: list[Series] = []
        self._made(batch, seed, after)
        told = [self.windows(batch.column("series")), *after]
        moved = [_moved(before, then) for before, then in pairwise(told)]
        out = []
        for row, row_id in enumerate(batch.column("row_id").to_pylist()):
            steps = []
            for step, most in zip(self.steps, moved, strict=True):
                furthest = float(most[row])
                told_of = {"moved": furthest} if furthest else {}
                steps.append({"step": step.name, "fired": furthest > 0, "parameters": told_of})
            out.append({"row_id": row_id, "steps": steps})
        return out


def _moved(before: Series, after: Series) -> Floats:
    """(N,): the furthest that a value went; infinite where one came or went missing."""
    apart = np.abs(after - before)
    changed = np.isnan(before) != np.isnan(after)
    return np.where(changed, np.inf, np.where(np.isnan(apart), 0.0, apart)).max(axis=(1, 2))


def _run(step: Step, random: RowRandom, series: Series) -> Series:
    """One step that does not mix."""
    if step.kind == "plain":
        return step.function(series, **step.options)
    return step.function(random, series, **step.options)


def _mixed(
    step: Step, random: RowRandom, series: Series, partners: Series | None, paired: Flags | None
) -> tuple[Series, Floats]:
    """One mixing step, in the rows that have a partner."""
    if partners is None:
        return series, np.zeros(len(series))
    has = np.ones(len(series), bool) if paired is None else paired
    others = np.where(has[:, None, None], partners, series)
    mixed, share = step.function(random, series, others, **step.options)
    return np.where(has[:, None, None], mixed, series), share * has


def compile_series_steps(
    steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str], length: int, channels: int
) -> CompiledSeries:
    """The steps as one function; StepError for a name or an option that is wrong, or two kinds of partners."""
    compiled = CompiledSeries(resolved(steps, "series"), length, channels)
    for place, step in enumerate(compiled.steps):
        if step.kind == "reject":
            raise StepError(f"{step.name} refuses rows and changes none: it belongs under clean.rules.", place)
    if len(compiled.needs_partners) > 1:
        kinds = " and ".join(compiled.needs_partners)
        raise StepError(f"the mixing steps of one list share their partners, but they ask for {kinds}: choose one.")
    return compiled


@dataclass(frozen=True)
class SeriesRules:
    """Rules ready to judge windows."""

    steps: tuple[Step, ...]
    warns: tuple[bool, ...]

    def __call__(self, series: Series) -> tuple[Reasons, list[list[str]]]:
        """Per window: the reason of the first rule that refuses it, or null; and reasons of rules that only warn."""
        return judged(self.steps, self.warns, series)


def compile_series_rules(rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> SeriesRules:
    """Rules as one function; each may say `severity: warn`, which flags rows instead of refusing them."""
    return SeriesRules(*only_rules(rules, "series"))
