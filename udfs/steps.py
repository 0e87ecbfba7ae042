"""A list of steps as one function from batch to batch.

`compile_steps` resolves the names, checks the options and tries the list on a blank picture, so that a mistake is
found before any engine starts. What it gives is plain data that pickles; called, it makes rows whose every byte is a
function of the row's own id: the same in any batch, on any engine. Runs of geometric steps and of tables are done in
one pass each (`udfs/image/canvas.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from udfs import records
from udfs.image import codec, longtail
from udfs.image.boxes import BoxSet
from udfs.image.canvas import Canvas, Note, size_of
from udfs.image.form import Form
from udfs.image.opencv import steady_opencv
from udfs.image.values import Flags, Floats, Images, Masks
from udfs.names import StepError
from udfs.parentage import mixed_lineage
from udfs.rng import RowRandom
from udfs.rules import Rules, Step, StepLike, compile_rules, resolved
from udfs.step_lists import check_steps, identity_of, partner_kinds

SLICE_BYTES = 4 << 20  # of decoded pixels at a time: what one step leaves in the cache, the next finds there
PARTNER_COLUMNS = ("partner_image", "partner_label", "partner_id")
_BLANK_ID = "0" * 40

__all__ = ["Compiled", "Form", "Made", "Rules", "Step", "StepError", "compile_rules", "compile_steps"]


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
        return partner_kinds(self.steps)

    @property
    def identity(self) -> list[dict[str, Any]]:
        """All that decides the bytes but ids and seed: the form, then each step with its options and revision."""
        revision = f"{codec.REVISION}, OpenCV {cv2.__version__}"
        return identity_of("image.form", asdict(self.form), revision, self.steps)

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

        `others` are the partners' images for mixing, `paired` says which rows have one; `notes` collects what each step
        drew.
        """
        steady_opencv()
        canvas = Canvas(np.ascontiguousarray(images), masks, boxes, self.form.mask_fill)
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
        """One mixing step. The partner goes through the steps before it, with draws of its own, where it is needed."""
        step, canvas = self.steps[place], canvas.settled()
        fires = RowRandom(ids, seed, step.name, place).bernoulli(step.options["p"])  # a mixing step draws this first
        fires &= np.zeros(len(ids), bool) if others is None else np.ones(len(ids), bool) if paired is None else paired
        rows, partner = np.flatnonzero(fires).tolist(), canvas.images.copy()
        if rows:
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

        A null image stays null. After mixing, `row_parents`, `row_id`, `label` and `soft_label` tell of both parents;
        the partner's columns are gone. Raises ValueError for an image that cannot be decoded: parents are clean.
        """
        columns = _shape_of(batch, bool(self.needs_partners))
        if not batch.num_rows:
            return pa.RecordBatch.from_pylist([], schema=columns)
        order = _copies_together(batch.column("image").to_pylist())
        made = [self._make(part, seed).cast(columns) for part in self._slices(batch.take(pa.array(order)))]
        whole = pa.Table.from_batches(made).combine_chunks().to_batches()[0]
        return whole.take(pa.array(np.argsort(order)))

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
        """All of the blobs as one stack, equal ones decoded once; or a ValueError that names the row."""
        form = self.form
        places = {blob: place for place, blob in enumerate(dict.fromkeys(blobs))}
        if mask:
            stack, reasons = codec.decode_masks(list(places), form.height, form.width)
        else:
            stack, reasons = codec.decode(list(places), form.height, form.width, form.channels)
        for row_id, blob in zip(ids, blobs, strict=True):
            reason = reasons[places[blob]]
            if reason is not None:
                what = "mask" if mask else "image"
                raise ValueError(f"row {row_id}: its {what} is not {form.height}x{form.width} and readable ({reason})")
        assert isinstance(stack, np.ndarray)
        return stack if len(places) == len(blobs) else stack[[places[blob] for blob in blobs]]

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


def _copies_together(blobs: list[bytes | None]) -> list[int]:
    """An order of the rows in which children of one parent stand together, so that a slice decodes it once."""
    first: dict[bytes | None, int] = {}
    return sorted(range(len(blobs)), key=lambda row: first.setdefault(blobs[row], row))


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


def compile_steps(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str], *, form: Any) -> Compiled:
    """The steps as one function; StepError for a name or option that is wrong, or steps that do not go together."""
    compiled = Compiled(resolved(steps), Form.of(form))
    _check_together(compiled)
    return compiled


def _check_together(compiled: Compiled) -> None:
    """Try the list on a blank picture, and see that it gives the declared size."""
    form = compiled.form
    check_steps(compiled.steps)
    for place, step in enumerate(compiled.steps):
        if step.kind == "mixing" and (form.masks or form.boxes):
            raise StepError(f"{step.name} cannot mix masks or boxes: leave it out where the recipe has them.", place)
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
