"""Lists of steps and of rules for texts, each as one function from batch to batch.

`compile_text_steps` makes children: every text is a function of the row's own id. `compile_text_rules` cleans: repairs
change a text, rules refuse it with a reason, in the order of the list. Names are resolved and options checked before
any engine starts; what comes out pickles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from udfs.names import StepError
from udfs.parentage import mixed_lineage
from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, ask, resolved, with_severity
from udfs.text.values import Reasons, Texts

REVISION = 1
PARTNER_COLUMNS = ("partner_text", "partner_label", "partner_id")
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class CompiledText:
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(texts, ids)` works on texts."""

    steps: tuple[Step, ...]

    @property
    def needs_partners(self) -> list[str]:
        """The kind of partner that the mixing steps want: none, or `any` or `same_label`."""
        return sorted({step.options["partners"] for step in self.steps if step.kind == "mixing"})

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the texts but ids and seed: each step with its options and revision."""
        steps = [{"name": s.name, "options": s.options, "revision": s.revision} for s in self.steps]
        return json.loads(json.dumps([{"name": "text.form", "options": {}, "revision": str(REVISION)}, *steps]))

    def apply(
        self,
        texts: Texts,
        ids: Sequence[str],
        seed: int = 0,
        *,
        others: Texts | None = None,
        paired: Flags | None = None,
        after: list[Texts] | None = None,
    ) -> tuple[Texts, Floats]:
        """(texts, each one's share that is its own) of rows with these `ids` (40 hex digits).

        `others` are the partners' texts for mixing, `paired` says which rows have one; `after` collects the texts after
        each step.
        """
        made, own = list(texts), np.ones(len(texts))
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

    def _partners_before(self, place: int, ids: Sequence[str], seed: int, others: Texts | None) -> Texts | None:
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
        out["text"] = pa.array(made, pa.string())
        return pa.RecordBatch.from_pydict(out | (mixed_lineage(batch, own) if self.needs_partners else {}))

    def _made(self, batch: pa.RecordBatch, seed: int, after: list[Texts] | None = None) -> tuple[Texts, Floats]:
        """`apply` on a batch, with the partners that stand beside its rows."""
        texts, ids = batch.column("text").to_pylist(), batch.column("row_id").to_pylist()
        if not self.needs_partners:
            return self.apply(texts, ids, seed, after=after)
        paired = batch.column("partner_id").is_valid().to_numpy(zero_copy_only=False)
        others = batch.column("partner_text").to_pylist()
        return self.apply(texts, ids, seed, others=others, paired=paired, after=after)

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step made of each row: `{row_id, steps: [{step, fired, parameters}]}`; `parameters` has the text
        after a step that changed it.
        """
        after: list[Texts] = []
        self._made(batch, seed, after)
        told = [batch.column("text").to_pylist(), *after]
        out = []
        for row, row_id in enumerate(batch.column("row_id").to_pylist()):
            steps = []
            for step, before, then in zip(self.steps, told[:-1], told[1:], strict=True):
                fired = before[row] != then[row]
                steps.append({"step": step.name, "fired": fired, "parameters": {"text": then[row]} if fired else {}})
            out.append({"row_id": row_id, "steps": steps})
        return out


def _run(step: Step, random: RowRandom, texts: Texts) -> Texts:
    """One step that does not mix; a text that it would leave empty stays as it was."""
    made = (
        step.function(texts, **step.options) if step.kind == "plain" else step.function(random, texts, **step.options)
    )
    return [new if new is None or new.strip() else old for old, new in zip(texts, made, strict=True)]


def _mixed(
    step: Step, random: RowRandom, texts: Texts, partners: Texts | None, paired: Flags | None
) -> tuple[Texts, Floats]:
    """One mixing step, in the rows that have a partner."""
    if partners is None:
        return texts, np.zeros(len(texts))
    has = np.ones(len(texts), bool) if paired is None else paired
    mixed, share = step.function(random, texts, partners, **step.options)
    made = [new if has[row] else old for row, (old, new) in enumerate(zip(texts, mixed, strict=True))]
    return made, share * has


def compile_text_steps(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> CompiledText:
    """The steps as one function; StepError for a name or an option that is wrong, or two kinds of partners."""
    compiled = CompiledText(resolved(steps, "text"))
    for place, step in enumerate(compiled.steps):
        if step.kind == "reject":
            raise StepError(f"{step.name} refuses rows and changes none: it belongs under clean.rules.", place)
    if len(compiled.needs_partners) > 1:
        kinds = " and ".join(compiled.needs_partners)
        raise StepError(f"the mixing steps of one list share their partners, but they ask for {kinds}: choose one.")
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
