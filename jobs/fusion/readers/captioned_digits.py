"""The 1,797 digits that scikit-learn bundles, each on a sheet of 40x48 with a sentence that tells of it.

Its columns are `place`, `size` and `ground`, as the sentence has them; a recipe declares those that it wants.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from jobs.readers import sklearn_digits
from jobs.readers.record import Piece, Reading, Record
from jobs.tabular.cells import Cells
from jobs.tabular.typed_cells import positions
from udfs import records
from udfs.fusion.captioned import HEIGHT, WIDTH, sheets
from udfs.image import decode, encode

NAME = "captioned_digits"
_SIDE = 8


def pieces(task: Reading) -> Iterator[Piece]:
    """All digits are one piece."""
    yield from sklearn_digits.pieces(task)


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """Every digit, `captioned_digits#0` and on. Raises RecipeError for a column that it does not have."""
    found = list(sklearn_digits.read(task, piece))
    images, _ = decode([record.image for record in found], _SIDE, _SIDE, 1)
    ids = [records.real_id(NAME, record.content) for record in found]
    made = sheets(np.asarray(images)[:, :, :, 0], [int(record.label or 0) for record in found], ids)
    assert made.images.shape[1:3] == (HEIGHT, WIDTH)
    there = {
        "label": [record.label for record in found],
        "text": made.sentences,
        "place": made.places,
        "size": made.sizes,
        "ground": made.grounds,
    }
    strange = [name for name, _ in task.columns if name not in there and name != "image"]
    if strange:
        raise task.error(f"{NAME} has no column {strange[0]}; it has {', '.join([*there, 'image'])}.")
    columns = {name: pa.array(there[name], pa.string()) for name, _ in task.columns if name != "image"}
    columns["image"] = pa.array(encode(made.images, "png"), pa.binary())
    yield Cells(columns, positions(NAME, 0, len(found)))
