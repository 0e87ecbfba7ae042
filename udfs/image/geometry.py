"""Steps that move pixels. Masks and boxes follow them; what lies outside the picture is `border`: `fill`, reflection or
edge.

Consecutive geometric steps of a compiled list become one warp; their cores are in `maps.py`.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from udfs.image.canvas import Stack, moved, size_of
from udfs.image.draws import drawn
from udfs.image.maps import affine_map, bend_field, corner_map, flip_map
from udfs.image.values import Border, DegreesSpan, FactorSpan, Floats, FractionSpan, Level, PixelsAmount, ShearSpan
from udfs.image.warp import Edge
from udfs.options import Probability, Within
from udfs.rng import RowRandom

REVISION = 1


def _neutral(n: int) -> dict[str, Floats]:
    """What `affine_map` takes for no change; steps that do one thing replace one."""
    still = np.zeros(n)
    return {"degrees": still, "scale": still + 1, "shear_degrees": still, "right_px": still, "down_px": still}


def affine(
    random: RowRandom,
    images: Stack,
    *,
    rotate_degrees: DegreesSpan = (-10.0, 10.0),
    scale: FactorSpan = (0.9, 1.1),
    translate_fraction: FractionSpan = (-0.1, 0.1),
    shear_degrees: ShearSpan = (0.0, 0.0),
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """Scale, shear, turn and move in one, each by an amount of its own; moves are in widths and heights."""
    height, width = size_of(images)
    return moved(
        images,
        random.bernoulli(p),
        affine_map,
        Edge(border, fill),
        None,
        degrees=random.uniform(*rotate_degrees),
        scale=random.uniform(*scale),
        shear_degrees=random.uniform(*shear_degrees),
        right_px=random.uniform(*translate_fraction) * width,
        down_px=random.uniform(*translate_fraction) * height,
    )


def rotate(
    random: RowRandom,
    images: Stack,
    *,
    degrees: DegreesSpan = (-15.0, 15.0),
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """Turn about the centre, anticlockwise."""
    where, turn = random.bernoulli(p), random.uniform(*degrees)
    return moved(images, where, affine_map, Edge(border, fill), None, **(_neutral(len(random)) | {"degrees": turn}))


def translate(
    random: RowRandom,
    images: Stack,
    *,
    fraction: FractionSpan = (-0.1, 0.1),
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """Move sideways and up or down, each by a fraction of width and height."""
    height, width = size_of(images)
    where = random.bernoulli(p)
    shift = {"right_px": random.uniform(*fraction) * width, "down_px": random.uniform(*fraction) * height}
    return moved(images, where, affine_map, Edge(border, fill), None, **(_neutral(len(random)) | shift))


def scale(
    random: RowRandom,
    images: Stack,
    *,
    factor: FactorSpan = (0.8, 1.2),
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """Enlarge or shrink what is seen about the centre; the picture keeps its size."""
    where, grown = random.bernoulli(p), random.uniform(*factor)
    return moved(images, where, affine_map, Edge(border, fill), None, **(_neutral(len(random)) | {"scale": grown}))


def shear(
    random: RowRandom,
    images: Stack,
    *,
    degrees: ShearSpan = (-10.0, 10.0),
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """Slant sideways."""
    where, slant = random.bernoulli(p), random.uniform(*degrees)
    return moved(
        images, where, affine_map, Edge(border, fill), None, **(_neutral(len(random)) | {"shear_degrees": slant})
    )


def horizontal_flip(random: RowRandom, images: Stack, *, p: Probability = 0.5) -> Stack:
    """Mirror left to right."""
    return moved(images, random.bernoulli(p), flip_map, None, None, across=np.ones(len(random)))


def vertical_flip(random: RowRandom, images: Stack, *, p: Probability = 0.5) -> Stack:
    """Mirror top to bottom."""
    return moved(images, random.bernoulli(p), flip_map, None, None, across=np.zeros(len(random)))


def perspective(
    random: RowRandom,
    images: Stack,
    *,
    max_shift_fraction: Annotated[float, Within(0, 0.45)] = 0.1,
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """See the picture from aside: each corner comes from up to a fraction of width and height away."""
    height, width = size_of(images)
    shifts = random.uniform(-max_shift_fraction, max_shift_fraction, (4, 2)) * (width, height)
    return moved(images, random.bernoulli(p), corner_map, Edge(border, fill), None, corners=shifts)


def elastic(
    random: RowRandom,
    images: Stack,
    *,
    std_px: PixelsAmount = 1.0,
    grid: Annotated[int, Within(2, 64)] = 4,
    p: Probability = 1.0,
    border: Border = "constant",
    fill: Level = 0,
) -> Stack:
    """Bend like rubber: smooth shifts of standard deviation `std_px`, spread from `grid` x `grid` control points."""
    return moved(
        images,
        random.bernoulli(p),
        bend_field,
        Edge(border, fill),
        None,
        std_px=drawn(random, std_px),
        shifts=random.normal(size=(2, grid, grid)),
    )
