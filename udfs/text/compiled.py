"""Lists of steps and of rules for texts, each as one function from batch to batch.

`compile_text_steps` makes children: every text is a function of the row's own id. `compile_text_rules` cleans: repairs
change a text, rules refuse it with a reason, in the order of the list. Names are resolved and options checked before
any engine starts; what comes out pickles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs.names import StepError
from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, ask, resolved, with_severity
from udfs.step_lists import ColumnSteps, check_steps, identity_of
from udfs.text.values import Reasons, Texts

REVISION = 1
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class CompiledText(ColumnSteps[Texts]):
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(texts, ids)` works on texts."""

    column = "text"

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the texts but ids and seed: each step with its options and revision."""
        return identity_of("text.form", {}, str(REVISION), self.steps)

    def read(self, column: pa.Array) -> Texts:
        """The texts of a column of rows."""
        return column.to_pylist()

    def _listed(self, values: Texts) -> pa.Array:
        return pa.array(values, pa.string())

    def _changed(self, step: Step, random: RowRandom, values: Texts) -> Texts:
        """One step that does not mix; a text that it would leave empty stays as it was."""
        made = super()._changed(step, random, values)
        return [new if new is None or new.strip() else old for old, new in zip(values, made, strict=True)]

    def _mixed(self, step: Step, random: RowRandom, values: Texts, partners: Texts, has: Flags) -> tuple[Texts, Floats]:
        mixed, share = step.function(random, values, partners, **step.options)
        made = [new if has[row] else old for row, (old, new) in enumerate(zip(values, mixed, strict=True))]
        return made, share

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step made of each row: `{row_id, steps: [{step, fired, parameters}]}`; `parameters` has the text
        after a step that changed it.
        """
        after: list[Texts] = []
        self.made(batch, seed, after)
        told = [batch.column("text").to_pylist(), *after]
        out = []
        for row, row_id in enumerate(batch.column("row_id").to_pylist()):
            steps = []
            for step, before, then in zip(self.steps, told[:-1], told[1:], strict=True):
                fired = before[row] != then[row]
                steps.append({"step": step.name, "fired": fired, "parameters": {"text": then[row]} if fired else {}})
            out.append({"row_id": row_id, "steps": steps})
        return out


def compile_text_steps(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> CompiledText:
    """The steps as one function; StepError for a name or an option that is wrong, or two kinds of partners."""
    compiled = CompiledText(resolved(steps, "text"))
    check_steps(compiled.steps)
    return compiled


@dataclass(frozen=True)
class Judged:
    """Texts after a list of rules: what became of each, by its place."""

    texts: Texts
    reasons: Reasons
    flags: list[list[str]]  # reasons of rules that only warn
    changed: list[list[str]]  # names of the repairs that changed it


@dataclass(frozen=True)
class TextRules:
    """Repairs and rules ready to clean texts."""

    steps: tuple[Step, ...]
    warns: tuple[bool, ...]

    def __call__(self, texts: Texts) -> Judged:
        """Texts in the order of the list: once refused, a text is changed no more."""
        told = Judged(list(texts), [None] * len(texts), [[] for _ in texts], [[] for _ in texts])
        for step, warns in zip(self.steps, self.warns, strict=True):
            if step.kind == "reject":
                ask(step, warns, told.texts, told.reasons, told.flags)
            else:
                self._repair(step, told)
        return told

    def _repair(self, step: Step, told: Judged) -> None:
        for row, text in enumerate(step.function(told.texts, **step.options)):
            if told.reasons[row] is None and text != told.texts[row]:
                told.texts[row] = text
                told.changed[row].append(step.name)


def compile_text_rules(rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> TextRules:
    """Rules as one function; each that refuses may say `severity: warn`, which flags rows instead."""
    steps, warns = with_severity(rules, "text")
    for place, step in enumerate(steps):
        if step.kind not in ("reject", "plain"):
            raise StepError(f"{step.name} changes rows by chance: it belongs under augment.steps.", place)
    return TextRules(steps, warns)
