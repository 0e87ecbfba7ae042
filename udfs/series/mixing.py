"""Steps that mix a window with another one, its partner, which the caller chose by identity.

They give the mixed windows and the partner's share in each (0 where the step did not fire), from which labels are mixed
in the same proportion. `partners` says who may be one: `any` window, one of the `same_label`, or one of the `nearest`
of the same label. What a partner lacks is not taken, and what is missing stays so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from udfs.options import Probability, ShareSpan
from udfs.rng import RowRandom
from udfs.series.values import Floats, Mixed, Partners, Series, as_slice, blocks

REVISION = 1


def interpolate(
    random: RowRandom,
    series: Series,
    others: Series,
    *,
    share: ShareSpan = (0.1, 0.5),
    partners: Partners = "any",
    p: Probability = 0.5,
) -> Mixed:
    """Go `share` of the way to the partner, step by step (Zhang et al. 2017)."""
    part = drawn_shares(random, share, p)
    return mixed(random, series, others, part, lambda _, own, other, some: towards(own, other, some)), part


def cut_mix(
    random: RowRandom,
    series: Series,
    others: Series,
    *,
    share: ShareSpan = (0.1, 0.5),
    partners: Partners = "any",
    p: Probability = 0.5,
) -> Mixed:
    """Take one run of steps, a `share` of the window and one at least, from the partner (Yun et al. 2019)."""
    steps = series.shape[1]
    part = drawn_shares(random, share, p)
    part = np.where(part > 0, np.maximum(1, np.rint(part * steps)) / steps, 0.0)

    def change(draws: RowRandom, own: Series, other: Series, some: Floats) -> Series:
        length = np.rint(some * steps)
        start = np.floor(draws.uniform() * (steps - length + 1))
        times = np.arange(steps)[None, :]
        inside = (times >= start[:, None]) & (times < (start + length)[:, None])
        return np.where(inside[:, :, None] & ~np.isnan(own), other, own)

    return mixed(random, series, others, part, change), part


def towards(own: Series, other: Series, share: Floats) -> Series:
    """A share (N,) of the way from the one to the other."""
    out = other - own
    flat = out.reshape(len(out), out.shape[1] * out.shape[2])
    flat *= share[:, None]
    out += own
    return out


def drawn_shares(random: RowRandom, share: tuple[float, float], p: float) -> Floats:
    """(N,): the partner's share, 0 where the step does not fire; the first draw is whether it fires."""
    fires = random.bernoulli(p)
    return random.uniform(*share) * fires


def mixed(
    random: RowRandom,
    series: Series,
    others: Series,
    part: Floats,
    change: Callable[[RowRandom, Series, Series, Floats], Series],
) -> Series:
    """`change` of the windows that take a part of their partner, block by block; their own where either is missing."""
    fires = np.flatnonzero(part > 0)
    out = np.empty(series.shape) if len(fires) == len(series) else np.array(series, order="C")
    for rows in blocks(fires, series):
        where = as_slice(rows)
        own, other = np.ascontiguousarray(series[where]), np.ascontiguousarray(others[where])
        made = change(random.take(rows), own, other, part[rows])
        lacks = np.isnan(made)
        out[where] = np.where(lacks, own, made) if lacks.any() else made
    return out
