"""Which other columns each column looks at: all of a narrow table, the most informative ones of a wide table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synth.tables.column import Floats, Tokens

LEVELS = 8  # that tokens are coarsened to before pairs are compared
SAMPLE = 2000  # rows that pairs are compared by
CHUNK = 256  # columns compared at a time
WIDE = 96  # columns from which on each looks at fewer others, so that what there is to learn stays bounded
LEAST = 12  # that each looks at nevertheless


def choose(tokens: Tokens, sizes: list[int], most: int) -> Tokens:
    """int64[C, k]: for each column the columns that it looks at, in their order, itself in place of none.

    Tokens int64[N, C] are in a random order of rows and in the order of drawing. Where there are more than `most`
    others (fewer in a wide table), half of the places go to the most informative columns that are drawn before, the
    rest to the most informative of all, the last column (the label) always among them.
    """
    columns = tokens.shape[1]
    most = max(LEAST, most * WIDE // max(WIDE, columns))
    if columns - 1 <= most:
        return np.broadcast_to(np.arange(columns), (columns, columns)).copy()
    shared = information(tokens[:SAMPLE], sizes)
    shared[:, -1] += 1e6
    np.fill_diagonal(shared, -1.0)
    found = np.empty((columns, most), np.int64)
    for column in range(columns):
        before = np.argsort(-shared[column, :column], kind="stable")[: most // 2]
        rest = np.argsort(-shared[column], kind="stable")
        rest = rest[~np.isin(rest, before) & (rest != column)]
        found[column] = np.sort(np.concatenate([before, rest[: most - len(before)]]))
    return found


def information(tokens: Tokens, sizes: list[int]) -> Floats:
    """float64[C, C]: mutual information of each pair of columns, in nats, of coarsened tokens."""
    rows, columns = tokens.shape
    marks = marked(
        tokens, [levels(np.bincount(column, minlength=size)) for column, size in zip(tokens.T, sizes, strict=True)]
    )
    share = marks.mean(0, dtype=np.float64).reshape(columns, LEVELS)
    own = -np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0).sum(1)
    shared = np.empty((columns, columns))
    for start in range(0, columns, CHUNK):
        part = marks[:, start * LEVELS : (start + CHUNK) * LEVELS]
        both = (part.T @ marks).astype(np.float64).reshape(-1, LEVELS, columns, LEVELS) / rows
        joint = -np.where(both > 0, both * np.log(np.where(both > 0, both, 1.0)), 0.0).sum((1, 3))
        shared[start : start + len(joint)] = own[start : start + len(joint), None] + own[None] - joint
    return shared


def levels(counts: Tokens) -> Tokens:
    """int64[size]: the level of each of a column's tokens, of neighbours of like weight; the last, missing, alone."""
    upto = np.cumsum(counts[:-1]) - counts[:-1] / 2
    group = np.minimum((upto * (LEVELS - 1) / max(counts[:-1].sum(), 1)).astype(np.int64), LEVELS - 2)
    return np.append(group, LEVELS - 1)


def marked(tokens: Tokens, of_columns: Sequence[Tokens]) -> NDArray[np.float32]:
    """float32[N, C * LEVELS]: 1 at the level of each of a row's tokens (N, C), by the `levels` of each column."""
    rows, columns = tokens.shape
    marks = np.zeros((rows, columns * LEVELS), np.float32)
    for column, level in enumerate(of_columns):
        marks[np.arange(rows), column * LEVELS + level[tokens[:, column]]] = 1.0
    return marks
