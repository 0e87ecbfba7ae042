"""Which split a window of a recording belongs to by blocks of steps, so that no two splits share a step.

A window is kept where it lies within one split as a whole, and its embargo after it too: so the last window before a
border ends that far from it. All is told by shares and block numbers, never by how many windows there are: what is
appended later moves no border.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs import hashing
from udfs.series.values import Indices

SPLITS = ("train", "val", "test")
BLOCKS_A_TURN = 20  # of so many blocks that follow one another each split has its share, to a whole block
ACROSS = -1  # a window that lies in two splits
Codes = NDArray[np.int64]  # places in SPLITS


def block_splits(blocks: Indices, shares: Mapping[str, float], key: Any) -> Codes:
    """Each block's split: of every turn of blocks the val and test ones are those of lowest hash."""
    turns, slots = np.divmod(blocks, BLOCKS_A_TURN)
    of_turn = {turn: _turn(turn, shares, key) for turn in np.unique(turns).tolist()}
    found = np.zeros(len(blocks), np.int64)
    for turn, codes in of_turn.items():
        mine = turns == turn
        found[mine] = codes[slots[mine]]
    return found


def _turn(turn: int, shares: Mapping[str, float], key: Any) -> Codes:
    """The splits of one turn's blocks; one with a share has a block at least."""
    order = np.argsort([hashing.word_of("block", key, turn, slot) for slot in range(BLOCKS_A_TURN)], kind="stable")
    codes, taken = np.zeros(BLOCKS_A_TURN, np.int64), 0
    for code, name in ((1, "val"), (2, "test")):
        count = max(1, round(BLOCKS_A_TURN * shares[name])) if shares[name] > 0 else 0
        codes[order[taken : taken + count]] = code
        taken += count
    return codes


def within_blocks(first: Indices, last: Indices, block_steps: int, shares: Mapping[str, float], key: Any) -> Codes:
    """The split of windows from step `first` to step `last`, the embargo counted in; ACROSS where they touch two."""
    if not len(first):
        return np.zeros(0, np.int64)
    low, high = first // block_steps, last // block_steps
    start = int(low.min())
    codes = block_splits(np.arange(start, int(high.max()) + 1), shares, key)
    changes = np.cumsum(np.diff(codes, prepend=codes[0]) != 0)
    return np.where(changes[low - start] == changes[high - start], codes[low - start], ACROSS)
