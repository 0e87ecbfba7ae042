"""Steps that move pixels. Masks and boxes follow them; what lies outside the picture is `border`: `fill`, reflection or edge.

Consecutive geometric steps of a compiled list become one warp. Cores give matrices from output to source pixel.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from udfs.image.canvas import Stack, moved, size_of
from udfs.image.values import (
    Border,
    DegreesSpan,
    FactorSpan,
    Floats,
    FractionSpan,
    Level,
    Matrices,
    Pixels,
    PixelsAmount,
    Probability,
    ShareSpan,
    ShearSpan,
    Within,
)
from udfs.image.warp import Edge, Field, exact_controls
from udfs.rng import RowRandom

REVISION = 1
_STEADY = (
    2.0**24
)  # matrices are rounded to this share of a pixel: sines that differ in the last bit on another processor do not matter


def affine_map(
    height: int, width: int, *, degrees: Floats, scale: Floats, shear_degrees: Floats, right_px: Floats, down_px: Floats
) -> Matrices:
    """Scale, shear sideways and turn about the centre, then move: the matrices that undo it."""
    angle, slant = np.deg2rad(degrees), np.tan(np.deg2rad(shear_degrees))
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    linear = np.stack([cos - slant * sin, -sin - slant * cos, sin, cos], axis=-1).reshape(-1, 2, 2)
    return about_centre(height, width, linear, right_px, down_px)


def about_centre(height: int, width: int, linear: Matrices, right_px: Floats, down_px: Floats) -> Matrices:
    """3x3 matrices: back by the shift, then `linear` (N, 2, 2) about the centre of the picture."""
    x, y = (width - 1) / 2, (height - 1) / 2
    from_x, from_y = -right_px - x, -down_px - y
    out = np.zeros((len(linear), 3, 3))
    out[:, :2, :2] = linear
    out[:, 0, 2] = x + linear[:, 0, 0] * from_x + linear[:, 0, 1] * from_y
    out[:, 1, 2] = y + linear[:, 1, 0] * from_x + linear[:, 1, 1] * from_y
    out[:, 2, 2] = 1
    return np.rint(out * _STEADY) / _STEADY


def flip_map(height: int, width: int, *, across: Floats) -> Matrices:
    """Mirror left to right where `across` is 1, top to bottom where it is 0."""
    linear = np.zeros((len(across), 2, 2))
    linear[:, 0, 0], linear[:, 1, 1] = 1 - 2 * across, 2 * across - 1
    still = np.zeros(len(across))
    return about_centre(height, width, linear, still, still)


def window_map(height: int, width: int, *, x0: Floats, y0: Floats, across: Floats, down: Floats) -> Matrices:
    """Start at (x0, y0) and go on by (across, down) source pixels per output pixel."""
    out = np.zeros((len(x0), 3, 3))
    out[:, 0, 0], out[:, 1, 1], out[:, 2, 2] = across, down, 1
    out[:, 0, 2], out[:, 1, 2] = x0, y0
    return np.rint(out * _STEADY) / _STEADY


def corner_map(height: int, width: int, *, corners: Floats) -> Matrices:
    """Homographies that fetch each picture's corners from (N, 4, 2) shifts in pixels off them, clockwise from the top left.

    Unit square to quadrilateral in closed form (Heckbert 1989, section 2.2.3).
    """
    right, bottom = max(width - 1, 1), max(height - 1, 1)
    at = corners + np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])
    x, y = at[:, :, 0], at[:, :, 1]
    dx1, dx2, dx3 = x[:, 1] - x[:, 2], x[:, 3] - x[:, 2], x[:, 0] - x[:, 1] + x[:, 2] - x[:, 3]
    dy1, dy2, dy3 = y[:, 1] - y[:, 2], y[:, 3] - y[:, 2], y[:, 0] - y[:, 1] + y[:, 2] - y[:, 3]
    span = dx1 * dy2 - dx2 * dy1
    g, h = (dx3 * dy2 - dx2 * dy3) / span, (dx1 * dy3 - dx3 * dy1) / span
    out = np.ones((len(corners), 3, 3))
    out[:, 0] = np.stack([(x[:, 1] * (1 + g) - x[:, 0]) / right, (x[:, 3] * (1 + h) - x[:, 0]) / bottom, x[:, 0]], 1)
    out[:, 1] = np.stack([(y[:, 1] * (1 + g) - y[:, 0]) / right, (y[:, 3] * (1 + h) - y[:, 0]) / bottom, y[:, 0]], 1)
    out[:, 2, 0], out[:, 2, 1] = g / right, h / bottom
    return out


def _still(n: int) -> Floats:
    return np.zeros(n)


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
    still = _still(len(random))
    turn = {"degrees": random.uniform(*degrees), "scale": still + 1, "shear_degrees": still}
    return moved(images, random.bernoulli(p), affine_map, Edge(border, fill), **turn, right_px=still, down_px=still)


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
    still = _still(len(random))
    return moved(
        images,
        random.bernoulli(p),
        affine_map,
        Edge(border, fill),
        degrees=still,
        scale=still + 1,
        shear_degrees=still,
        right_px=random.uniform(*fraction) * width,
        down_px=random.uniform(*fraction) * height,
    )


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
    still = _still(len(random))
    grown = {"degrees": still, "scale": random.uniform(*factor), "shear_degrees": still}
    return moved(images, random.bernoulli(p), affine_map, Edge(border, fill), **grown, right_px=still, down_px=still)


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
    still = _still(len(random))
    slanted = {"degrees": still, "scale": still + 1, "shear_degrees": random.uniform(*degrees)}
    return moved(images, random.bernoulli(p), affine_map, Edge(border, fill), **slanted, right_px=still, down_px=still)


def horizontal_flip(random: RowRandom, images: Stack, *, p: Probability = 0.5) -> Stack:
    """Mirror left to right."""
    return moved(images, random.bernoulli(p), flip_map, None, across=np.ones(len(random)))


def vertical_flip(random: RowRandom, images: Stack, *, p: Probability = 0.5) -> Stack:
    """Mirror top to bottom."""
    return moved(images, random.bernoulli(p), flip_map, None, across=np.zeros(len(random)))


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
    return moved(images, random.bernoulli(p), corner_map, Edge(border, fill), corners=shifts)


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
    """Bend like rubber: smooth random shifts of standard deviation `std_px`, spread from `grid` x `grid` control points."""
    return moved(
        images,
        random.bernoulli(p),
        bend_field,
        Edge(border, fill),
        std_px=drawn(random, std_px),
        shifts=random.normal(size=(2, grid, grid)),
    )


def bend_field(height: int, width: int, *, std_px: Floats, shifts: Floats) -> Field:
    """Displacements from standard normal `shifts` (N, 2, G, G) of the control points."""
    return Field(exact_controls(shifts * std_px[:, None, None, None]), (height, width))


def drawn(random: RowRandom, amount: PixelsAmount) -> Floats:
    """(N,): the amount itself, or a draw of each row's own where it is a span."""
    if isinstance(amount, int | float):
        return np.full(len(random), float(amount))
    return random.uniform(*amount)


def random_crop(
    random: RowRandom, images: Stack, *, height_px: Pixels, width_px: Pixels, p: Probability = 1.0
) -> Stack:
    """Cut out a part of `height_px` x `width_px` anywhere; rows that are not drawn give the middle part."""
    height, width = size_of(images)
    _fits("random_crop", (height_px, width_px), (height, width))
    where = random.bernoulli(p)
    x0 = np.where(where, random.integers(0, width - width_px + 1), (width - width_px) // 2)
    y0 = np.where(where, random.integers(0, height - height_px + 1), (height - height_px) // 2)
    one = np.ones(len(random))
    return moved(images, None, window_map, None, (height_px, width_px), x0=x0, y0=y0, across=one, down=one)


def centre_crop(images: Stack, *, height_px: Pixels, width_px: Pixels) -> Stack:
    """Cut out the middle `height_px` x `width_px`."""
    height, width = size_of(images)
    _fits("centre_crop", (height_px, width_px), (height, width))
    return _window(images, (width - width_px) // 2, (height - height_px) // 2, (height_px, width_px), None)


def pad(images: Stack, *, px: Pixels = 4, border: Border = "constant", fill: Level = 0) -> Stack:
    """Add `px` pixels on each side."""
    height, width = size_of(images)
    return _window(images, -px, -px, (height + 2 * px, width + 2 * px), Edge(border, fill))


def _window(images: Stack, x0: int, y0: int, size: tuple[int, int], edge: Edge | None) -> Stack:
    """The same cut for all rows."""
    one = np.ones(count(images))
    return moved(images, None, window_map, edge, size, x0=one * x0, y0=one * y0, across=one, down=one)


def resize(images: Stack, *, height_px: Pixels, width_px: Pixels) -> Stack:
    """Stretch to `height_px` x `width_px`; what shrinks to less than half is averaged."""
    height, width = size_of(images)
    one = np.ones(count(images))
    across, down = one * (width / width_px), one * (height / height_px)
    stretched = {"x0": across / 2 - 0.5, "y0": down / 2 - 0.5, "across": across, "down": down}
    return moved(images, None, window_map, Edge("edge"), (height_px, width_px), **stretched)


def resized_crop(
    random: RowRandom,
    images: Stack,
    *,
    area: ShareSpan = (0.5, 1.0),
    aspect: FactorSpan = (0.75, 4 / 3),
    height_px: Pixels | None = None,
    width_px: Pixels | None = None,
    p: Probability = 1.0,
) -> Stack:
    """Cut out a share of the picture's `area`, its shape off the picture's own by `aspect`, and stretch it to full size.

    Rows that are not drawn show the whole picture. Corner pixels are fetched from the corners of the part, never from outside.
    """
    height, width = size_of(images)
    size = (height_px or height, width_px or width)
    where = random.bernoulli(p)
    share, shape = random.uniform(*area), np.exp(random.uniform(*np.log(aspect)))
    cut_width = np.where(where, np.clip(width * np.sqrt(share * shape), 1, width), width)
    cut_height = np.where(where, np.clip(height * np.sqrt(share / shape), 1, height), height)
    window = {
        "x0": random.uniform() * (width - cut_width),
        "y0": random.uniform() * (height - cut_height),
        "across": (cut_width - 1) / max(size[1] - 1, 1),
        "down": (cut_height - 1) / max(size[0] - 1, 1),
    }
    return moved(images, None, window_map, None, size, **window)


def count(images: Stack) -> int:
    """How many images."""
    return len(images) if isinstance(images, np.ndarray) else len(images.images)


def _fits(step: str, part: tuple[int, int], whole: tuple[int, int]) -> None:
    """A part lies within the whole, or it is a person's mistake."""
    if part[0] > whole[0] or part[1] > whole[1]:
        raise ValueError(
            f"image.{step} cuts {part[0]}x{part[1]} pixels out of {whole[0]}x{whole[1]}: pad first, or cut less"
        )
