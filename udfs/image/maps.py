"""Deterministic cores of the geometric steps: from output pixel to source pixel, one matrix or field for each row."""

from __future__ import annotations

import numpy as np

from udfs.image.values import Floats, Matrices
from udfs.image.warp import Field, exact_controls

REVISION = 1
_STEADY = (
    2.0**24
)  # matrices are rounded to its inverse: sines that differ in the last bit on other processors do not matter


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
    """Homographies that fetch each picture's corners from pixels off them by `corners` (N, 4, 2), clockwise.

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


def bend_field(height: int, width: int, *, std_px: Floats, shifts: Floats) -> Field:
    """Displacements from standard normal `shifts` (N, 2, G, G) of the control points."""
    return Field(exact_controls(shifts * std_px[:, None, None, None]), (height, width))
