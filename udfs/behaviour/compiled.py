"""Lists of steps and of rules for behaviour, each as one function from batch to batch.

`compile_behaviour_steps` makes children: every sequence is a function of the row's own id and of what train rows tell
of items. `compile_behaviour_rules` judges. Names are resolved and options checked before any engine starts; what comes
out pickles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from udfs import records
from udfs.behaviour.values import Events, Near, Reasons, Sequences
from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, judged, only_rules, resolved
from udfs.step_lists import StepList, check_steps, identity_of

REVISION = 1
LEAST = 2  # events: what a step would leave shorter stays as it was
ITEMS, RATINGS, TIMES = pa.list_(pa.string()), pa.list_(pa.float32()), pa.list_(pa.int64())


@dataclass(frozen=True)
class CompiledBehaviour(StepList[Sequences]):
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(sequences, ids)` works on sequences."""

    near: Near = field(default_factory=dict)

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the sequences but ids and seed: each step with its options and revision, and what train rows
        tell of items.
        """
        told = records.maker({item: list(others) for item, others in self.near.items()})
        return identity_of("behaviour.form", {"near": told}, str(REVISION), self.steps)

    def apply(
        self, sequences: Sequences, ids: Sequence[str], seed: int = 0, *, after: list[Sequences] | None = None
    ) -> Sequences:
        """The sequences of rows with these `ids` (40 hex digits); `after` collects those after each step."""
        return self._through(Sequences(sequences.users, self.near), ids, seed, None, None, after)[0]

    def _changed(self, step: Step, random: RowRandom, values: Sequences) -> Sequences:
        """One step; a sequence that it would leave too short stays as it was."""
        then = super()._changed(step, random, values)
        pairs = zip(values.users, then.users, strict=True)
        return Sequences([old if new is None or len(new) < LEAST else new for old, new in pairs], self.near)

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose ids are in `row_id` from their parents' payload; they are no users of the source."""
        made = self.apply(sequences_of(batch), batch.column("row_id").to_pylist(), seed)
        out = {name: batch.column(name) for name in batch.schema.names} | lists_of(made)
        out["user"] = pa.nulls(batch.num_rows, pa.string())
        return pa.RecordBatch.from_pydict(out)

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step made of each row: `{row_id, steps: [{step, fired, parameters}]}`; `parameters` has how many
        events there are after a step that changed them, and how many of the items are new.
        """
        after: list[Sequences] = []
        first = sequences_of(batch)
        self.apply(first, batch.column("row_id").to_pylist(), seed, after=after)
        told = [first, *after]
        return [
            {"row_id": row_id, "steps": [self._step(place, told, row) for place in range(len(self.steps))]}
            for row, row_id in enumerate(batch.column("row_id").to_pylist())
        ]

    def _step(self, place: int, told: list[Sequences], row: int) -> dict[str, Any]:
        before, then = told[place].users[row], told[place + 1].users[row]
        fired = before is not None and then is not None and before.items != then.items
        parameters: dict[str, Any] = {}
        if fired and before is not None and then is not None:
            new = len(set(then.items) - set(before.items))
            parameters = {"events": f"{len(before)} to {len(then)}", "new_items": new}
        return {"step": self.steps[place].name, "fired": fired, "parameters": parameters}


def sequences_of(batch: pa.RecordBatch | pa.Table) -> Sequences:
    """The rows' events."""
    columns = (batch.column(name).to_pylist() for name in ("items", "ratings", "times"))
    users: list[Events | None] = []
    for items, ratings, times in zip(*columns, strict=True):
        if not items:
            users.append(None)
        else:
            users.append(Events(tuple(items), np.array(ratings, np.float64), np.array(times, np.int64)))
    return Sequences(users)


def lists_of(sequences: Sequences) -> dict[str, pa.Array]:
    """The columns that hold these events."""
    users = sequences.users
    return {
        "items": pa.array([None if each is None else list(each.items) for each in users], ITEMS),
        "ratings": pa.array([None if each is None else each.ratings.tolist() for each in users], RATINGS),
        "times": pa.array([None if each is None else each.times.tolist() for each in users], TIMES),
    }


def compile_behaviour_steps(
    steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str], near: Near | None = None
) -> CompiledBehaviour:
    """The steps as one function; StepError for a name or an option that is wrong."""
    compiled = CompiledBehaviour(resolved(steps, "behaviour"), near or {})
    check_steps(compiled.steps)
    return compiled


@dataclass(frozen=True)
class BehaviourRules:
    """Rules ready to judge sequences."""

    steps: tuple[Step, ...]
    warns: tuple[bool, ...]

    def __call__(self, sequences: Sequences) -> tuple[Reasons, list[list[str]]]:
        """Per user: the reason of the first rule that refuses it, or null; and the reasons of rules that only warn."""
        return judged(self.steps, self.warns, sequences)


def compile_behaviour_rules(rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> BehaviourRules:
    """Rules as one function; each may say `severity: warn`, which flags rows instead of refusing them."""
    return BehaviourRules(*only_rules(rules, "behaviour"))
