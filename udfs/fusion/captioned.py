"""Digits on a sheet, each with a sentence that says which one it is and how it stands there.

A digit of 8x8 is enlarged, set left, in the middle or right on dark or light ground, and a sentence of a small grammar
tells of it. All of it is drawn by the row's own id, so that a digit has its sheet and its sentence for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from udfs.image.values import Images
from udfs.rng import RowRandom

HEIGHT, WIDTH = 40, 48  # of a sheet; the strip below the digit is free
FREE_FROM = 27  # pixels from the top
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = ("left", "middle", "right")
SIZES = ("small", "large")
GROUNDS = ("dark", "light")
FACTORS = {"small": 2, "large": 3}
LEVELS = {"dark": (16, 224), "light": (232, 40)}  # ground and ink
LEVEL_NOISE = 12
_STEP = "captioned"
_OPENINGS = (
    "A {size} {word} stands {place}, on a {ground} ground.",
    "On a {ground} ground there is a {size} {word}, {place}.",
    "{Place} on the {ground} sheet: a {word}, written {size}.",
    "Somebody wrote a {size} {word} {place} of a {ground} sheet.",
    "The digit {word}, {size}, {place}; the ground is {ground}.",
)
_TOLD = {"left": "at the left", "middle": "in the middle", "right": "at the right"}


@dataclass(frozen=True)
class Sheets:
    """Sheets, and what is to be said of each."""

    images: Images  # (N, HEIGHT, WIDTH, 1)
    sentences: tuple[str, ...]
    places: tuple[str, ...]
    sizes: tuple[str, ...]
    grounds: tuple[str, ...]


def sheets(digits: Images, labels: Sequence[int], ids: Sequence[str], seed: int = 0) -> Sheets:
    """The sheet and the sentence of each digit, uint8[N, 8, 8], whose rows have these `ids` (40 hex digits)."""
    random = RowRandom(ids, seed, _STEP)
    drawn = {
        "place": random.integers(0, len(PLACES)),
        "size": random.integers(0, len(SIZES)),
        "ground": random.integers(0, len(GROUNDS)),
        "opening": random.integers(0, len(_OPENINGS)),
    }
    shift = random.uniform(-1, 1, (4,))
    told = [
        (PLACES[place], SIZES[size], GROUNDS[ground])
        for place, size, ground in zip(drawn["place"], drawn["size"], drawn["ground"], strict=True)
    ]
    rows = zip(digits, told, shift, strict=True)
    images = np.stack([_sheet(digit, *said, moved) for digit, said, moved in rows]) if len(digits) else _none()
    openings = zip(drawn["opening"], labels, told, strict=True)
    sentences = tuple(_sentence(_OPENINGS[opening], WORDS[label], *said) for opening, label, said in openings)
    places, sizes, grounds = zip(*told, strict=True) if told else ((), (), ())
    return Sheets(images, sentences, places, sizes, grounds)


def _none() -> Images:
    return np.zeros((0, HEIGHT, WIDTH, 1), np.uint8)


def _sheet(digit: Images, place: str, size: str, ground: str, moved: NDArray[np.float64]) -> Images:
    """One sheet: ground and ink as the words say, each a little off."""
    paper, ink = (level + LEVEL_NOISE * off for level, off in zip(LEVELS[ground], moved[:2], strict=True))
    large = np.kron(digit.astype(np.float64) / 255, np.ones((FACTORS[size],) * 2))
    side = len(large)
    centre = {"left": side / 2 + 1, "middle": WIDTH / 2, "right": WIDTH - side / 2 - 1}[place]
    x = int(np.clip(round(centre - side / 2 + 2 * moved[2]), 0, WIDTH - side))
    y = int(np.clip(round((FREE_FROM - side) / 2 + moved[3]), 0, FREE_FROM - side))
    sheet = np.full((HEIGHT, WIDTH), paper)
    sheet[y : y + side, x : x + side] += large * (ink - paper)
    return np.rint(sheet).clip(0, 255).astype(np.uint8)[:, :, None]


def _sentence(opening: str, word: str, place: str, size: str, ground: str) -> str:
    said = _TOLD[place]
    whole = opening.format(word=word, size=size, place=said, Place=said.capitalize(), ground=ground)
    return whole.replace("a eight", "an eight")
