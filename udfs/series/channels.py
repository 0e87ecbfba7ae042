"""Steps that treat channels as wholes: turned upside down, changed about, rotated as the axes of a sensor.

They suit channels whose sign, order or orientation carries no meaning, such as electrodes or loosely worn sensors.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from udfs.options import Probability, Share, Within
from udfs.rng import RowRandom
from udfs.series.draws import fired, normals
from udfs.series.sums import by_steps, mean_steps, over_steps
from udfs.series.values import Floats, Series, changed

REVISION = 1


def channel_flip(
    random: RowRandom,
    series: Series,
    *,
    share: Share = 0.5,
    about: Literal["zero", "mean"] = "zero",
    p: Probability = 0.5,
) -> Series:
    """Turn each channel upside down with probability `share`, about zero or its own mean."""
    channels = series.shape[2]

    def change(draws: RowRandom, part: Series) -> Series:
        turned = fired(draws, (1, channels), share)
        out = part * over_steps(np.where(turned, -1.0, 1.0), part.shape[1])
        if about == "mean":
            out += np.where(turned, 2 * mean_steps(by_steps(part))[:, None, :], 0.0)
        return out

    return changed(random, series, p, change)


def channel_permutation(random: RowRandom, series: Series, *, p: Probability = 0.5) -> Series:
    """Give the channels another order, one for all steps of a window."""

    def change(draws: RowRandom, part: Series) -> Series:
        order = draws.permutation(part.shape[2])
        return np.take_along_axis(part, order[:, None, :], axis=2)

    return changed(random, series, p, change)


def sensor_rotation(
    random: RowRandom,
    series: Series,
    *,
    max_degrees: Annotated[float, Within(0, 180)] = 30.0,
    first_channel: Annotated[int, Within(0, 10_000)] = 0,
    p: Probability = 1.0,
) -> Series:
    """Turn each three channels from `first_channel` on, the x, y, z of a sensor, about a random axis (Um et al. 2017).

    All sensors of a window turn alike. A step that misses one of the three loses all three; channels left over stay.
    """
    limit = np.deg2rad(max_degrees)

    def change(draws: RowRandom, part: Series) -> Series:
        turns = rotations(normals(draws, (3,)), draws.uniform(-limit, limit))
        out = part.copy()
        for x in range(first_channel, part.shape[2] - 2, 3):
            axes = [part[:, :, x + axis] for axis in range(3)]
            for axis in range(3):
                out[:, :, x + axis] = sum(turns[:, axis, k, None] * axes[k] for k in range(3))
        return out

    return changed(random, series, p, change)


def rotations(axes: Floats, angles: Floats) -> Floats:
    """(N, 3, 3): turns about axes (N, 3) by angles in radians (Rodrigues 1840)."""
    x, y, z = (np.ascontiguousarray(axes[:, k]) for k in range(3))
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    sin, cos = np.sin(angles), np.cos(angles)
    rest = 1 - cos
    rows = [
        [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
        [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
        [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
    ]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)
