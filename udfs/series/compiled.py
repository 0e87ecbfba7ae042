"""Lists of steps and of rules for windows, each as one function of a whole stack.

`compile_series_steps` makes children: every window is a function of the row's own id. `compile_series_rules` refuses
windows with a reason, in the order of the list. Names are resolved and options checked before any engine starts; what
comes out pickles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, judged, only_rules, resolved
from udfs.series.values import Flags, Floats, Reasons, Series
from udfs.series.windows import listed, stacked
from udfs.step_lists import ColumnSteps, check_steps, identity_of

REVISION = 1


@dataclass(frozen=True)
class CompiledSeries(ColumnSteps[Series]):
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(series, ids)` works on windows."""

    length: int
    channels: int
    column = "series"

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the windows but ids and seed: their form, and each step with its options and revision."""
        form = {"length": self.length, "channels": self.channels}
        return identity_of("series.form", form, str(REVISION), self.steps)

    def read(self, column: pa.Array) -> Series:
        """float64[N, T, C] of a column of rows."""
        return stacked(column, self.length, self.channels)

    def _listed(self, values: Series) -> pa.Array:
        return listed(values)

    def _mixed(
        self, step: Step, random: RowRandom, values: Series, partners: Series, has: Flags
    ) -> tuple[Series, Floats]:
        others = np.where(has[:, None, None], partners, values)
        mixed, share = step.function(random, values, others, **step.options)
        return np.where(has[:, None, None], mixed, values), share

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step made of each row: `{row_id, steps: [{step, fired, parameters}]}`; `parameters` has by how much
        the step moved a value at most.
        """
        after: list[Series] = []
        self.made(batch, seed, after)
        told = [self.read(batch.column("series")), *after]
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


def compile_series_steps(
    steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str], length: int, channels: int
) -> CompiledSeries:
    """The steps as one function; StepError for a name or an option that is wrong, or two kinds of partners."""
    compiled = CompiledSeries(resolved(steps, "series"), length, channels)
    check_steps(compiled.steps)
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
