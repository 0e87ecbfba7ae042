"""A list of steps as one function from batch to batch.

`compile_steps` resolves the names, checks the options and tries the list on a blank picture, so that a mistake is found before any engine
starts. What it gives is plain data that pickles; called, it makes rows whose every byte is a function of the row's own id: the same in
any batch, on any engine. Runs of geometric steps and of tables are done in one pass each (`udfs/image/canvas.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from udfs import image as image_steps
from udfs import names, records
from udfs.image import codec, longtail
from udfs.image.boxes import BoxSet
from udfs.image.canvas import Canvas, Note, size_of
from udfs.image.opencv import steady_opencv
from udfs.image.values import Flags, Floats, Images, Masks, Reasons
from udfs.names import StepError
from udfs.rng import RowRandom

SLICE_BYTES = 4 << 20  # of decoded pixels at a time: what one step leaves in the cache, the next finds there
PARTNER_COLUMNS = ("partner_image", "partner_label", "partner_id")
_BLANK_ID = "0" * 40


class StepLike(Protocol):
    """A name and its options, as a recipe has them."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Form:
    """The form that images have: what is decoded into and encoded from."""

    height: int
    width: int
    channels: int
    resize: str | None = None
    encoding: str = "png"
    jpeg_quality: int = 95
    masks: bool = False
    boxes: bool = False
    mask_fill: int = 0

    @staticmethod
    def of(form: Any) -> Form:
        """From anything that has these attributes, such as a recipe's `image` part."""
        return Form(**{name: getattr(form, name) for name in Form.__dataclass_fields__ if hasattr(form, name)})

    @property
    def bytes_per_image(self) -> int:
        """Decoded."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Step:
    """One step, its name resolved and its options complete."""

    name: str
    options: dict[str, Any]

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The step itself."""
        return names.resolve(self.name)

    @cached_property
    def kind(self) -> str:
        """`random`, `plain`, `mixing`, `reject`, or `transform` for the long tail."""
        return "transform" if self.name.startswith(longtail.PREFIX) else str(names.kind_of(self.function))

    @cached_property
    def revision(self) -> str:
        """Changes when the step makes other bytes of the same draws."""
        if self.kind == "transform":
            return str(longtail.library().__version__)
        return str(getattr(__import__(self.function.__module__, fromlist=["REVISION"]), "REVISION"))

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "options": self.options}


@dataclass
class Made:
    """What the steps made of a stack: images (masks and boxes with them), and each row's share that is its own."""

    images: Images
    own: Floats
    masks: Masks | None = None
    boxes: BoxSet | None = None


@dataclass(frozen=True)
class Compiled:
    """Steps ready to run. `compiled(batch, seed=7)` makes rows; `compiled.apply(images, ids)` works on plain arrays."""

    steps: tuple[Step, ...]
    form: Form

    @property
    def needs_partners(self) -> list[str]:
        """The kind of partner that the mixing steps want: none or one of `any`, `same_label`, `nearest`."""
        return sorted({step.options["partners"] for step in self.steps if step.kind == "mixing"})

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the bytes, but ids and seed: the form, then each step with all its options and its revision."""
        form = {"name": "image.form", "options": asdict(self.form), "revision": str(codec.REVISION)}
        steps = [{"name": s.name, "options": s.options, "revision": s.revision} for s in self.steps]
        return json.loads(json.dumps([form, *steps]))

    def apply(
        self,
        images: Images,
        ids: Sequence[str],
        seed: int = 0,
        *,
        others: Images | None = None,
        paired: Flags | None = None,
        masks: Masks | None = None,
        boxes: BoxSet | None = None,
        notes: list[list[Note]] | None = None,
    ) -> Made:
        """Run the steps on a stack of images whose rows have these `ids` (40 hex digits).

        `others` are the partners' images for mixing, `paired` says which rows have one; `notes` collects what each step drew.
        """
        steady_opencv()
        canvas = Canvas(images, masks, boxes, self.form.mask_fill)
        own = np.ones(len(images))
        for place, step in enumerate(self.steps):
            canvas = replace(canvas, notes=[]) if notes is not None else canvas
            if step.kind == "mixing":
                canvas, share = self._mix(canvas, place, ids, seed, others, paired)
                own *= 1 - share
            else:
                canvas = _run(step, canvas, RowRandom(ids, seed, step.name, place))
            if notes is not None:
                notes.append(canvas.notes or [])
        canvas = canvas.settled()
        return Made(canvas.images, own, canvas.masks, canvas.boxes)

    def _mix(
        self, canvas: Canvas, place: int, ids: Sequence[str], seed: int, others: Images | None, paired: Flags | None
    ) -> tuple[Canvas, Floats]:
        """One mixing step. The partner goes through the steps before it, with draws of its own; only where it is needed."""
        step, canvas = self.steps[place], canvas.settled()
        fires = RowRandom(ids, seed, step.name, place).bernoulli(step.options["p"])  # a mixing step draws this first
        fires &= np.zeros(len(ids), bool) if others is None else np.ones(len(ids), bool) if paired is None else paired
        rows, partner = np.flatnonzero(fires), canvas.images.copy()
        if len(rows):
            assert others is not None
            some = Canvas(others[rows])
            for before, earlier in enumerate(self.steps[:place]):
                if earlier.kind != "mixing":
                    random = RowRandom([ids[row] for row in rows], seed, f"partner {earlier.name}", before)
                    some = _run(earlier, some, random)
            partner[rows] = some.settled().images
        random = RowRandom(ids, seed, step.name, place)
        images, share = step.function(random, canvas.images, partner, **step.options)
        share = share * fires
        canvas.note(fires, {"partner_share": share})
        return replace(canvas, images=images), share

    def __call__(self, batch: pa.RecordBatch, seed: int = 0) -> pa.RecordBatch:
        """Make the rows whose primary ids are in `row_id` from their parents' `image` (mask and boxes with it).

        A null image stays null. After mixing, `row_parents`, `row_id`, `label` and `soft_label` tell of both parents; the partner's
        columns are gone. Raises ValueError for an image that cannot be decoded: parents have been cleaned.
        """
        made = [self._make(part, seed) for part in self._slices(batch)]
        columns = _shape_of(batch, bool(self.needs_partners))
        if not made:
            return pa.RecordBatch.from_pylist([], schema=columns)
        whole = pa.Table.from_batches([part.cast(columns) for part in made]).combine_chunks()
        return whole.to_batches()[0] if whole.num_rows else pa.RecordBatch.from_pylist([], schema=columns)

    def _slices(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batch in parts of bounded decoded size."""
        step = max(1, SLICE_BYTES // self.form.bytes_per_image)
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step)

    def _make(self, batch: pa.RecordBatch, seed: int) -> pa.RecordBatch:
        """One slice: decode, run, encode, and tell of the mixing."""
        blobs = batch.column("image").to_pylist()
        rows = [row for row, blob in enumerate(blobs) if blob is not None]
        some = batch.take(pa.array(rows, pa.int64()))
        ids = some.column("row_id").to_pylist()
        made = self._run_rows(some, ids, seed)
        out = {name: batch.column(name) for name in batch.schema.names if name not in PARTNER_COLUMNS}
        out["image"] = _spread(codec.encode(made.images, self.form.encoding, self.form.jpeg_quality), rows, blobs)
        if made.masks is not None:
            out["mask"] = _spread(codec.encode_masks(made.masks), rows, blobs)
        if made.boxes is not None:
            boxes: list[Any] = [None] * len(blobs)
            for row, found in zip(rows, made.boxes.rows(len(rows)), strict=True):
                boxes[row] = found
            out["boxes"] = pa.array(boxes, records.BOXES)
        if self.needs_partners:
            own = np.ones(len(blobs))
            own[rows] = made.own
            out |= mixed_lineage(batch, own)
        return pa.RecordBatch.from_pydict(out)

    def _run_rows(
        self, batch: pa.RecordBatch, ids: list[str], seed: int, notes: list[list[Note]] | None = None
    ) -> Made:
        """Decode rows without nulls and run the steps on them."""
        form = self.form
        images = self._decoded(batch.column("image").to_pylist(), ids)
        masks = self._decoded(batch.column("mask").to_pylist(), ids, mask=True) if form.masks else None
        boxes = BoxSet.of(batch.column("boxes").to_pylist()) if form.boxes else None
        others, paired = self._partners(batch, ids) if self.needs_partners else (None, None)
        return self.apply(images, ids, seed, others=others, paired=paired, masks=masks, boxes=boxes, notes=notes)

    def _decoded(self, blobs: list[bytes | None], ids: list[str], mask: bool = False) -> Images:
        """All of the blobs as one stack, or a ValueError that names the row."""
        form = self.form
        if mask:
            stack, reasons = codec.decode_masks(blobs, form.height, form.width)
        else:
            stack, reasons = codec.decode(blobs, form.height, form.width, form.channels)
        for row_id, reason in zip(ids, reasons, strict=True):
            if reason is not None:
                what = "mask" if mask else "image"
                raise ValueError(f"row {row_id}: its {what} is not {form.height}x{form.width} and readable ({reason})")
        return stack  # type: ignore[return-value]

    def _partners(self, batch: pa.RecordBatch, ids: list[str]) -> tuple[Images, Flags]:
        """The partners' images, zeros where there is none, and where there is one."""
        missing = [name for name in PARTNER_COLUMNS if name not in batch.schema.names]
        if missing:
            raise ValueError(f"mixing steps need the column {missing[0]}")
        blobs = batch.column("partner_image").to_pylist()
        paired = np.array([blob is not None for blob in blobs], bool)
        others = np.zeros((len(blobs), self.form.height, self.form.width, self.form.channels), np.uint8)
        some = [row for row, has in enumerate(paired) if has]
        if some:
            others[some] = self._decoded([blobs[row] for row in some], [ids[row] for row in some])
        return others, paired

    def explain(self, batch: pa.RecordBatch, seed: int = 0) -> list[dict[str, Any]]:
        """What each step draws for each row with an image: `{row_id, steps: [{step, fired, parameters}]}`."""
        some = batch.filter(batch.column("image").is_valid())
        ids = some.column("row_id").to_pylist()
        notes: list[list[Note]] = []
        self._run_rows(some, ids, seed, notes)
        return [
            {"row_id": row_id, "steps": [_told(s, n, row) for s, n in zip(self.steps, notes, strict=True)]}
            for row, row_id in enumerate(ids)
        ]


def _told(step: Step, notes: list[Note], row: int) -> dict[str, Any]:
    """One row's part of what a step drew; long lists of draws by their number only."""
    parameters: dict[str, Any] = {}
    for note in notes:
        for name, values in note.parameters.items():
            value = np.asarray(values[row])
            parameters[name] = value.tolist() if value.size <= 8 else f"{value.size} draws"
    fired = bool(notes) and any(bool(note.where[row]) for note in notes)
    return {"step": step.name, "fired": fired, "parameters": parameters if fired else {}}


def _run(step: Step, canvas: Canvas, random: RowRandom) -> Canvas:
    """One step that does not mix."""
    if step.kind == "transform":
        return longtail.apply_transform(random, canvas, step.name, step.options)
    if step.kind == "plain":
        return step.function(canvas, **step.options)
    return step.function(random, canvas, **step.options)


def _spread(values: list[bytes], rows: list[int], like: list[Any]) -> pa.Array:
    """Values at their rows, null elsewhere."""
    out: list[bytes | None] = [None] * len(like)
    for row, value in zip(rows, values, strict=True):
        out[row] = value
    return pa.array(out, pa.binary())


def _shape_of(batch: pa.RecordBatch, mixes: bool) -> pa.Schema:
    """The columns that come out."""
    fields = [field for field in batch.schema if field.name not in PARTNER_COLUMNS]
    if mixes and "soft_label" not in batch.schema.names:
        fields.append(pa.field("soft_label", pa.map_(pa.string(), pa.float64())))
    return pa.schema(fields)


def mixed_lineage(batch: pa.RecordBatch, own: Floats) -> dict[str, pa.Array]:
    """Ids, parents and labels of rows of which a share `own` is the first parent's, the rest the partner's.

    Where labels differ, `soft_label` has both by their shares and `label` the one of the larger share.
    """
    names_in = batch.schema.names
    ids, parents = batch.column("row_id").to_pylist(), batch.column("row_parents").to_pylist()
    labels = batch.column("label").to_pylist() if "label" in names_in else [None] * len(ids)
    softs = batch.column("soft_label").to_pylist() if "soft_label" in names_in else [None] * len(ids)
    partner_ids, partner_labels = batch.column("partner_id").to_pylist(), batch.column("partner_label").to_pylist()
    for row in np.flatnonzero(own < 1).tolist():
        parents[row] = [parents[row][0], partner_ids[row]]
        ids[row] = records.child_id(ids[row][: records.MAKER_HEX], parents[row])
        softs[row] = _blended_label(softs[row], labels[row], partner_labels[row], float(own[row]))
        if softs[row] is not None:
            labels[row] = max(softs[row], key=lambda pair: (pair[1], pair[0] == labels[row]))[0]
    out = {
        "row_id": pa.array(ids, pa.string()),
        "row_parents": pa.array(parents, pa.list_(pa.string())),
        "soft_label": pa.array(softs, pa.map_(pa.string(), pa.float64())),
    }
    return out | ({"label": pa.array(labels, pa.string())} if "label" in names_in else {})


def _blended_label(
    soft: list[tuple[str, float]] | None, label: str | None, other: str | None, own: float
) -> list[tuple[str, float]] | None:
    """The shares of the labels, in the order of their names; null where one label has it all."""
    shares: dict[str, float] = {}
    for name, part in soft or ([(label, 1.0)] if label is not None else []):
        shares[name] = shares.get(name, 0.0) + part * own
    if other is not None:
        shares[other] = shares.get(other, 0.0) + 1 - own
    return sorted(shares.items()) if len(shares) > 1 else soft


def pairs(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> list[tuple[str, dict[str, Any]]]:
    """Steps as (name, options), whichever way they are written."""
    out = []
    for step in steps:
        if isinstance(step, str):
            out.append((step, {}))
        else:
            out.append((step[0], step[1]) if isinstance(step, tuple) else (step.name, step.options))
    return out


def resolved(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> tuple[Step, ...]:
    """Steps with names resolved and options complete; a StepError says at which place."""
    out = []
    for place, (name, options) in enumerate(pairs(steps)):
        try:
            out.append(Step(name, names.complete_options(name, options or {})))
        except StepError as error:
            raise StepError(str(error), place) from error
    return tuple(out)


def compile_steps(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str], *, form: Any) -> Compiled:
    """The steps as one function; StepError for a name or option that is wrong, or steps that do not go together."""
    compiled = Compiled(resolved(steps), Form.of(form))
    _check_together(compiled)
    return compiled


def _check_together(compiled: Compiled) -> None:
    """Try the list on a blank picture, and see that it gives the declared size."""
    form = compiled.form
    for place, step in enumerate(compiled.steps):
        if step.kind == "reject":
            raise StepError(f"{step.name} refuses rows and changes none: it belongs under clean.rules.", place)
        if step.kind == "mixing" and (form.masks or form.boxes):
            raise StepError(f"{step.name} cannot mix masks or boxes: leave it out where the recipe has them.", place)
    if len(compiled.needs_partners) > 1:
        kinds = " and ".join(compiled.needs_partners)
        raise StepError(f"the mixing steps of one list share their partners, but they ask for {kinds}: choose one.")
    canvas = Canvas(np.zeros((1, form.height, form.width, form.channels), np.uint8))
    for place, step in enumerate(compiled.steps):
        try:
            if step.kind != "mixing":
                canvas = _run(step, canvas, RowRandom([_BLANK_ID], 0, step.name, place))
        except ValueError as error:
            raise StepError(str(error), place) from error
    height, width = size_of(canvas)
    if (height, width) != (form.height, form.width):
        mend = f"end with image.resize: {{height_px: {form.height}, width_px: {form.width}}}"
        raise StepError(
            f"these steps give {height}x{width} pixels, the recipe declares {form.height}x{form.width}: {mend}."
        )


@dataclass(frozen=True)
class Rules:
    """Rules ready to judge images."""

    steps: tuple[Step, ...]
    warns: tuple[bool, ...]

    def __call__(self, images: Images) -> tuple[Reasons, list[list[str]]]:
        """Per image: the reason of the first rule that refuses it or null, and the reasons of the rules that only warn."""
        steady_opencv()
        reasons: Reasons = [None] * len(images)
        flags: list[list[str]] = [[] for _ in images]
        for step, warns in zip(self.steps, self.warns, strict=True):
            for row, reason in enumerate(step.function(images, **step.options) if len(images) else []):
                if reason is not None and warns:
                    flags[row].append(reason)
                elif reason is not None and reasons[row] is None:
                    reasons[row] = reason
        return reasons, flags


def compile_rules(rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> Rules:
    """Rules as one function; each may say `severity: warn`, which flags rows instead of refusing them."""
    plain, warns = [], []
    for place, (name, options) in enumerate(pairs(rules)):
        severity = (options or {}).get("severity", "refuse")
        if severity not in ("refuse", "warn"):
            raise StepError(f"{name}: severity is refuse or warn; it has {severity!r}.", place)
        plain.append((name, {key: value for key, value in (options or {}).items() if key != "severity"}))
        warns.append(severity == "warn")
    steps = resolved(plain)
    for place, step in enumerate(steps):
        if step.kind != "reject":
            raise StepError(f"{step.name} changes rows and refuses none: it belongs under augment.steps.", place)
    return Rules(steps, tuple(warns))


__all__ = ["Compiled", "Form", "Made", "Rules", "Step", "StepError", "compile_rules", "compile_steps", "image_steps"]
