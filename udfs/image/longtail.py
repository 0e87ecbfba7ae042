"""albumentations' transforms as steps: the long tail of what Seedbed has no step of its own for.

Each row gets a seed of its own, so that a row does not depend on its batch. One call per image: about ten times
slower than our own steps.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
from functools import lru_cache
from typing import Any

import numpy as np

from udfs.image.boxes import BoxSet
from udfs.image.canvas import Canvas
from udfs.rng import RowRandom

PREFIX = "albumentations."
_SEEDS = 1 << 32


def library() -> Any:
    """albumentations, kept from asking the network whether there is a newer one."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations  # takes seconds: only who asks for it waits

    return albumentations


def transform_names() -> list[str]:
    """Names of the transforms that change images."""
    found = library()
    base = (found.ImageOnlyTransform, found.DualTransform)
    classes = ((name, getattr(found, name)) for name in dir(found))
    return sorted(n for n, c in classes if inspect.isclass(c) and issubclass(c, base) and c not in base)


def transform_class(name: str) -> Any:
    """The class behind `albumentations.<Name>`; ValueError names the nearest one."""
    wanted, names = name.removeprefix(PREFIX), transform_names()
    if wanted in names:
        return getattr(library(), wanted)
    near = difflib.get_close_matches(wanted, names, 1, 0.0)
    raise ValueError(f"{name} is not a transform of albumentations. The nearest is {PREFIX}{near[0]}.")


def check_options(name: str, options: dict[str, Any]) -> None:
    """Build the transform once, so that a wrong option is found before any engine starts."""
    known = [key for key in inspect.signature(transform_class(name).__init__).parameters if key != "self"]
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.0)
            raise ValueError(f"{name} has no option {key}. The nearest is {near[0]}; it has {', '.join(known)}.")
    try:
        build(name, _frozen(options))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} does not take these options: {str(error).splitlines()[0]}") from error


def _frozen(options: dict[str, Any]) -> str:
    """Options as a key for the cache."""
    return json.dumps(options, sort_keys=True)


def _pairs(value: Any) -> Any:
    """Lists as the tuples that albumentations wants."""
    return tuple(map(_pairs, value)) if isinstance(value, list) else value


@lru_cache(maxsize=64)
def build(name: str, options: str) -> Any:
    """The transform, once per process, with room for masks and boxes."""
    transform = transform_class(name)(**{key: _pairs(value) for key, value in json.loads(options).items()})
    found = library()
    boxes = found.BboxParams(format="pascal_voc", label_fields=["places"])
    return found.Compose([transform], bbox_params=boxes if isinstance(transform, found.DualTransform) else None)


def apply_transform(random: RowRandom, canvas: Canvas, name: str, options: dict[str, Any]) -> Canvas:
    """Put each row through the transform, seeded by the row."""
    transform = build(name, _frozen(options))
    seeds = random.integers(0, _SEEDS)
    canvas = canvas.settled()
    canvas.note(None, {"seed": seeds})
    images, masks, boxes = [], [], []
    for row, seed in enumerate(seeds.tolist()):
        given = _given(canvas, row, "bboxes" in transform.processors)
        transform.set_random_seed(seed)
        made = transform(**given)
        image = np.asarray(made["image"])
        images.append(image.reshape(*image.shape[:2], canvas.images.shape[3]))
        masks.append(made.get("mask"))
        boxes.append(_taken(canvas.boxes, row, made))
    if len({image.shape for image in images}) > 1:
        raise ValueError(
            f"{name} gives images of different sizes: follow it by a fixed size of its own, or leave it out"
        )
    return Canvas(
        np.stack(images) if images else canvas.images,
        np.stack(masks) if masks and canvas.masks is not None else canvas.masks,
        _joined(boxes) if boxes and canvas.boxes is not None else canvas.boxes,
        canvas.mask_fill,
        notes=canvas.notes,
    )


def _given(canvas: Canvas, row: int, takes_boxes: bool) -> dict[str, Any]:
    """What albumentations is given of one row."""
    given: dict[str, Any] = {"image": canvas.images[row]}
    if canvas.masks is not None:
        given["mask"] = canvas.masks[row]
    if takes_boxes:
        mine = np.flatnonzero(canvas.boxes.owners == row) if canvas.boxes is not None else np.zeros(0, int)
        given["bboxes"] = canvas.boxes.corners[mine] if canvas.boxes is not None else np.zeros((0, 4))
        given["places"] = mine.tolist()
    return given


def _taken(boxes: BoxSet | None, row: int, made: dict[str, Any]) -> BoxSet:
    """One row's boxes after the transform."""
    if boxes is None:
        return BoxSet.of([])
    if "bboxes" not in made:
        return boxes.keep(boxes.owners == row)
    places = np.array(made["places"], int)
    corners = np.array(made["bboxes"], np.float64).reshape(-1, 4)
    return BoxSet(corners, np.full(len(places), row), boxes.labels[places])


def _joined(parts: list[BoxSet]) -> BoxSet:
    """The rows' boxes as one set."""
    return BoxSet(
        np.concatenate([part.corners for part in parts]),
        np.concatenate([part.owners for part in parts]).astype(np.int64),
        np.concatenate([part.labels for part in parts]),
    )
