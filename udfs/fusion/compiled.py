"""Steps of every payload in one list, as one function from batch to batch.

The list is cut into runs of one payload each, which run in the order of the list: so text that is drawn onto an image
is the text as the steps before have left it. Draws are by row id, step and place in the list, as in any list. Steps
that mix two rows are refused: they would part one payload from the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from udfs import hashing, names, records
from udfs.fusion import template
from udfs.fusion.rows import Box, Rows
from udfs.image import codec, longtail
from udfs.image.form import Form
from udfs.names import StepError
from udfs.rng import RowRandom
from udfs.rules import Step, StepLike, pairs, resolved
from udfs.series.compiled import CompiledSeries, compile_series_steps
from udfs.steps import Compiled, compile_steps
from udfs.table.compiled import CompiledTable, compile_table_steps
from udfs.table.form import TableForm
from udfs.table.statistics import Statistics
from udfs.text.compiled import CompiledText, compile_text_steps

REVISION = 1
ON_IMAGES = ("image", "fusion")
_SEEDS = 1 << 62


@dataclass(frozen=True)
class FusionForm:
    """What the rows hold."""

    image: Form | None
    text: bool
    series: tuple[int, int] | None  # steps and channels
    table: TableForm | None
    columns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Prefixes of the steps that rows can go through."""
        there = {"image": self.image, "text": self.text, "series": self.series, "table": self.table}
        return (*(name for name, part in there.items() if part), *(("fusion",) if self.image else ()))

    @property
    def fields(self) -> tuple[str, ...]:
        """What a template may name."""
        return (*(("text",) if self.text else ()), "label", *self.columns)


@dataclass(frozen=True)
class CompiledRows:
    """A run of steps over whole rows (`fusion.*`)."""

    steps: tuple[Step, ...]
    form: FusionForm

    @property
    def identity(self) -> list[dict[str, Any]]:
        """Each step with its options and revision."""
        assert self.form.image is not None
        form = {"name": "fusion.form", "options": {"encoding": self.form.image.encoding}, "revision": codec.REVISION}
        return [form, *({"name": s.name, "options": s.options, "revision": s.revision} for s in self.steps)]

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose primary ids are in `row_id` from their parents' payloads."""
        made, _ = self.made(batch, seed)
        form = self.form.image
        assert form is not None
        out = {name: batch.column(name) for name in batch.schema.names}
        out["image"] = pa.array(codec.encode(made.images, form.encoding, form.jpeg_quality), pa.binary())
        if made.boxes is not None:
            out["boxes"] = pa.array([list(boxes) for boxes in made.boxes], records.BOXES)
        flags = made.flags or ((),) * batch.num_rows
        known = out["row_flags"].to_pylist() if "row_flags" in out else [None] * batch.num_rows
        told = [[*(old or []), *new] or None for old, new in zip(known, flags, strict=True)]
        out["row_flags"] = pa.array(told, pa.list_(pa.string()))
        return pa.RecordBatch.from_pydict(out)

    def made(self, batch: pa.RecordBatch, seed: int) -> tuple[Rows, list[list[dict[str, Any]]]]:
        """The rows after the steps, and what each step noted of each row."""
        rows, ids = self._rows(batch), batch.column("row_id").to_pylist()
        notes = []
        for place, step in enumerate(self.steps):
            rows = replace(rows, notes=[])
            rows_after = step.function(RowRandom(ids, seed, step.name, place), rows, **step.options)
            notes.append(rows.notes)
            rows = rows_after
        return rows, notes

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step drew for each row."""
        _, notes = self.made(batch, seed)
        out = []
        for row, row_id in enumerate(batch.column("row_id").to_pylist()):
            told = [(step.name, noted[row]) for step, noted in zip(self.steps, notes, strict=True)]
            out.append({"row_id": row_id, "steps": [{"step": n, "fired": bool(t), "parameters": t} for n, t in told]})
        return out

    def _rows(self, batch: pa.RecordBatch) -> Rows:
        form, there = self.form.image, batch.schema.names
        assert form is not None
        images, reasons = codec.decode(batch.column("image").to_pylist(), form.height, form.width, form.channels)
        bad = [row for row, why in zip(batch.column("row_id").to_pylist(), reasons, strict=True) if why]
        if bad:
            raise ValueError(f"row {bad[0]}: its image is not {form.height}x{form.width} and readable")
        nothing: list[Any] = [None] * batch.num_rows
        boxes: list[list[Box] | None] = batch.column("boxes").to_pylist() if form.boxes else nothing
        return Rows(
            np.asarray(images, np.uint8),
            batch.column("text").to_pylist() if self.form.text else nothing,
            batch.column("label").to_pylist() if "label" in there else nothing,
            {name: batch.column(name).to_pylist() for name in self.form.columns},
            tuple(tuple(each or ()) for each in boxes) if form.boxes else None,
        )


@dataclass(frozen=True)
class Run:
    """Steps of one payload that stand one after the other, the first of them at `first` of the whole list."""

    payload: str
    first: int
    compiled: Compiled | CompiledText | CompiledSeries | CompiledTable | CompiledRows

    def seed(self, seed: int) -> int:
        """The recipe's own for the first run; another for each that begins later, so that no two draw alike."""
        return seed if not self.first else int(hashing.word_of("fusion", seed, self.first)) % _SEEDS


@dataclass(frozen=True)
class CompiledFusion:
    """Steps ready to run: `compiled(batch, seed=7)` makes rows."""

    runs: tuple[Run, ...]
    form: FusionForm

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of the list."""
        return tuple(step for run in self.runs for step in run.compiled.steps)

    @property
    def needs_partners(self) -> list[str]:
        """None: steps that mix rows are refused."""
        return []

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the rows but ids and seed, run after run."""
        told = [{"name": run.payload, "options": {"first": run.first}, "revision": str(REVISION)} for run in self.runs]
        each = [[head, *run.compiled.identity] for head, run in zip(told, self.runs, strict=True)]
        return json.loads(json.dumps([part for parts in each for part in parts]))

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose primary ids are in `row_id` from their parents' payloads."""
        for run in self.runs:
            batch = run.compiled(batch, run.seed(seed))
        return batch

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step drew for, or made of, each row: `{row_id, steps: [{step, fired, parameters}]}`."""
        out: list[dict[str, Any]] = [{"row_id": each, "steps": []} for each in batch.column("row_id").to_pylist()]
        for run in self.runs:
            for whole, part in zip(out, run.compiled.explain(batch, run.seed(seed)), strict=True):
                whole["steps"] += part["steps"]
            batch = run.compiled(batch, run.seed(seed))
        return out


def compile_fusion_steps(
    steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str],
    form: FusionForm,
    statistics: Statistics | None = None,
) -> CompiledFusion:
    """The steps as one function; StepError for a name or an option that is wrong, or a payload that is not there."""
    told = pairs(steps)
    prefixes = [_prefix(form, name, place) for place, (name, _) in enumerate(told)]
    last = max((place for place, prefix in enumerate(prefixes) if prefix in ON_IMAGES), default=-1)
    runs = []
    for prefix, some in groupby(range(len(told)), key=prefixes.__getitem__):
        places = list(some)
        own = form if last in places or form.image is None else replace(form, image=replace(form.image, encoding="png"))
        runs.append(_run(prefix, places[0], [told[place] for place in places], own, statistics))
    return CompiledFusion(tuple(runs), form)


def _prefix(form: FusionForm, name: str, place: int) -> str:
    """Which payload a step is for. Raises StepError for one that the rows do not have."""
    prefix = "image" if name.startswith(longtail.PREFIX) else name.partition(".")[0]
    if prefix not in form.names:
        raise StepError(f"{name} is for {prefix}, and these rows have steps of {', '.join(form.names)}.", place)
    return prefix


def _run(
    prefix: str, first: int, steps: list[tuple[str, dict[str, Any]]], form: FusionForm, statistics: Statistics | None
) -> Run:
    """Compile one run; a StepError says at which place of the whole list."""
    for place, (name, _) in enumerate(steps):
        if not name.startswith(longtail.PREFIX) and _mixes(name, first + place):
            raise StepError(
                f"{name} mixes two rows, and would part a row's {prefix} from what else it holds: leave it out.",
                first + place,
            )
    try:
        compiled = _compiled(prefix, steps, form, statistics)
    except StepError as error:
        raise StepError(str(error), None if error.place is None else first + error.place) from error
    return Run(prefix, first, compiled)


def _mixes(name: str, place: int) -> bool:
    """Whether a step mixes rows. Raises StepError for one that is none."""
    try:
        return names.kind_of(names.resolve(name)) == "mixing"
    except StepError as error:
        raise StepError(str(error), place) from error


def _compiled(
    prefix: str, steps: list[tuple[str, dict[str, Any]]], form: FusionForm, statistics: Statistics | None
) -> Compiled | CompiledText | CompiledSeries | CompiledTable | CompiledRows:
    if prefix == "image":
        return compile_steps(steps, form=form.image)
    if prefix == "text":
        return compile_text_steps(steps)
    if prefix == "series" and form.series is not None:
        return compile_series_steps(steps, *form.series)
    if prefix == "table" and form.table is not None:
        return compile_table_steps(steps, form=form.table, statistics=statistics)
    compiled = CompiledRows(resolved(steps, "fusion"), form)
    for place, step in enumerate(compiled.steps):
        try:
            template.check(str(step.options.get("template", "")), form.fields)
        except ValueError as error:
            raise StepError(f"{step.name}: {error}.", place) from error
    return compiled
