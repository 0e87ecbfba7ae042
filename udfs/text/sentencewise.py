"""How steps change sentences one by one."""

from __future__ import annotations

from collections.abc import Callable

from udfs.rng import RowRandom
from udfs.text.values import Texts
from udfs.text.words import sentences


def changed(random: RowRandom, texts: Texts, p: float, change: Callable[[str], str | None]) -> Texts:
    """The texts with those sentences changed that can be, each with probability `p`."""
    parts = [sentences(text or "") for text in texts]
    draws = random.ragged([len(each) for each in parts])
    return [
        text and "".join((change(each) if draw < p else None) or each for each, draw in zip(some, row, strict=True))
        for text, some, row in zip(texts, parts, draws, strict=True)
    ]
