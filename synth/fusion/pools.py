"""Sets of rows for judges, read from stage folders, bounded by hash: the same rows whatever the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf import Config, runs
from conf.schema.fusion import payloads_of
from conf.stages import in_recipe, stage
from synth.arms import Pool, groups_of, in_hash_order, lowest, soft_labels
from synth.encode import list_files, to_codes
from synth.fusion.rows import Question, Rows, joined
from synth.tables.pools import form_of
from synth.tables.rows import Question as Cells
from udfs.image import decode
from udfs.series.windows import stacked
from udfs.table.form import TableForm, to_matrix

LINEAGE = ("row_origin", "row_parents", "row_label_source", "row_group", "label", "soft_label")
MAX_BYTES = 512 << 20  # of one set's payloads, decoded
VALUE_BYTES = 8


def row_bound(config: Config) -> int:
    """How many rows a set may have."""
    image, series = config.recipe.image, config.recipe.series
    size = image.height * image.width * image.channels if image else 0
    size += VALUE_BYTES * series.length * len(series.channels) if series else 0
    return max(
        1, min(config.recipe.evaluate.max_rows, MAX_BYTES // max(size + VALUE_BYTES * len(config.recipe.columns), 1))
    )


def columns_form(config: Config) -> TableForm | None:
    """The columns with what was measured of the train rows; nothing where rows have none."""
    if not config.recipe.columns:
        return None
    name = "score" if in_recipe(stage("score"), config.recipe) else "evaluate"
    return form_of(config, runs.locate(config, name).inputs["normalize"])


def question_of(config: Config, form: TableForm | None) -> Question:
    """What is asked of the rows."""
    return Question(tuple(config.recipe.labels), None if form is None else Cells.of(form))


def real_pool(folder: str, split: str, config: Config) -> Pool[Rows]:
    """The real rows of a split, of a stage's `rows` folder; none where there is no such split."""
    return read_pool(list_files(f"{folder}/rows/row_split={split}"), config, {})


def read_pool(
    files: Sequence[str], config: Config, parents: Mapping[str, int], origin: str | None = None
) -> Pool[Rows]:
    """Rows of these files, those of the lowest hashes, of one origin where asked.

    `parents` tells real rows' groups, so that children join them.
    """
    own = [name for name in ("text", "series", "image") if getattr(config.recipe, name) is not None]
    table, total = lowest(files, (*LINEAGE, *config.recipe.columns, *own), row_bound(config), origin=origin)
    return replace(to_pool(table, config, parents), total=total) if table is not None else empty_pool(config)


def to_pool(table: pa.Table, config: Config, parents: Mapping[str, int]) -> Pool[Rows]:
    """The rows of a table; those of which a payload holds nothing are named in `unreadable`."""
    form, labels = columns_form(config), config.recipe.labels
    payload, good = _payload(table, config, form)
    ids = table.column("row_id").to_pylist()
    bad = tuple(row for row, fine in zip(ids, good, strict=True) if not fine)
    real = np.array(table.column("row_origin").to_pylist()) == "real"
    codes, soft = to_codes(table, labels), soft_labels(table, labels)
    whole = Rows(payload, codes, question_of(config, form), soft, groups_of(table, parents), real)
    rows = whole if good.all() else whole.take(good)
    return Pool([row for row, fine in zip(ids, good, strict=True) if fine], rows, len(ids), bad)


def _payload(table: pa.Table, config: Config, form: TableForm | None) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Each payload of all rows, and of which rows all can be had."""
    recipe, found = config.recipe, dict[str, Any]()
    good = np.ones(table.num_rows, bool)
    for name in payloads_of(recipe):
        if name == "image":
            found["image"], fine = _images(table, config)
        elif name == "text":
            found["text"] = tuple(text or "" for text in table.column("text").to_pylist())
            fine = np.array([bool(text.strip()) for text in found["text"]], bool)
        elif name == "series" and recipe.series is not None:
            found["series"] = stacked(table.column("series"), recipe.series.length, len(recipe.series.channels))
            fine = ~(np.isinf(found["series"]).any(axis=(1, 2)) | np.isnan(found["series"]).all(axis=(1, 2)))
        else:
            assert form is not None
            found["table"], fine = to_matrix(table, form), np.ones(table.num_rows, bool)
        good &= fine
    return found, good


def _images(table: pa.Table, config: Config) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """uint8[N, H, W, C], zeros where a blob cannot be decoded, and where it can."""
    form = config.recipe.image
    images, reasons = decode(table.column("image").to_pylist(), form.height, form.width, form.channels)
    good = np.array([reason is None for reason in reasons], bool)
    whole = np.zeros((table.num_rows, form.height, form.width, form.channels), np.uint8)
    if good.any():
        whole[good] = np.asarray(images)
    return whole, good


def empty_pool(config: Config) -> Pool[Rows]:
    """No rows."""
    recipe, form = config.recipe, columns_form(config)
    image, series = recipe.image, recipe.series
    payload: dict[str, Any] = {}
    if image is not None:
        payload["image"] = np.zeros((0, image.height, image.width, image.channels), np.uint8)
    if recipe.text is not None:
        payload["text"] = ()
    if series is not None:
        payload["series"] = np.zeros((0, series.length, len(series.channels)))
    if form is not None:
        payload["table"] = np.zeros((0, len(form.modelled)))
    return Pool([], Rows(payload, np.zeros(0, np.int64), question_of(config, form)), 0)


def merged(pools: Sequence[Pool[Rows]], config: Config) -> Pool[Rows]:
    """The rows of several pools, in the order of their hashes."""
    return in_hash_order(pools, joined) if any(map(len, pools)) else empty_pool(config)
