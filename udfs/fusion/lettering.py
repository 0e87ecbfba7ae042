"""Strings as masks of letters: fonts, which characters can be drawn, wrapping, shrinking, turning.

DejaVu's fonts come with matplotlib's package. Only scripts whose letters stand one after the other from left to right
are drawn; others need shaping that is not done here, and are told apart beforehand.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONTS = {
    "sans": "DejaVuSans.ttf",
    "sans_bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "serif_bold": "DejaVuSerif-Bold.ttf",
    "mono": "DejaVuSansMono.ttf",
    "mono_bold": "DejaVuSansMono-Bold.ttf",
}
LINE_HEIGHT = 1.15  # of the size
INK = 8  # of 255: where a mask's box begins
_NO_GLYPH = "\uffff"  # a code point that no font has
_RIGHT_TO_LEFT = ("R", "AL", "AN", "RLE", "RLO", "RLI")
_JOINED = ("Mn", "Mc", "Me", "Cf", "Cc", "Cs", "Co")  # categories of marks and of what is not a letter of its own
Mask = NDArray[np.uint8]  # (H, W): how much of each pixel is ink


@dataclass(frozen=True)
class Lettering:
    """A string as it is to stand: its ink, its lines, the size that it came to."""

    mask: Mask
    lines: tuple[str, ...]
    size_px: int


def plain(text: str) -> str:
    """One line of composed characters, without blanks around it."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def can_be_drawn(text: str, font: str) -> bool:
    """Whether every character has a letter of its own in the font and runs from left to right."""
    return all(_has_letter(letter, font) for letter in text)


@lru_cache(maxsize=20_000)
def _has_letter(letter: str, font: str) -> bool:
    if letter == " ":
        return True
    if unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT or unicodedata.category(letter) in _JOINED:
        return False
    drawn, nothing = (_opened(font, 20).getmask(each) for each in (letter, _NO_GLYPH))
    return drawn.size != nothing.size or bytes(drawn) != bytes(nothing)


@lru_cache(maxsize=256)
def _opened(font: str, size_px: int) -> ImageFont.FreeTypeFont:
    """A font at a size; the basic layout, which does not depend on what else is installed."""
    return ImageFont.truetype(str(_folder() / FONTS[font]), size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1)
def _folder() -> Path:
    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.submodule_search_locations:
        raise ValueError("the fonts come with matplotlib's package, which is not installed")
    return Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"


def fitted(
    text: str, font: str, size_px: int, least_px: int, room: tuple[int, int], most_lines: int, degrees: float
) -> Lettering | None:
    """The string at `size_px` or, where it does not fit, the next smaller size that does; null where none does.

    `room` is (height, width); lines break between words alone.
    """
    for size in range(size_px, least_px - 1, -1):
        lines = wrapped(text, font, size, room[1], most_lines)
        if lines is None:
            continue
        mask = turned(written(lines, font, size), degrees)
        if mask.shape[0] <= room[0] and mask.shape[1] <= room[1] and mask.size:
            return Lettering(mask, tuple(lines), size)
    return None


def wrapped(text: str, font: str, size_px: int, width: int, most_lines: int) -> list[str] | None:
    """The words in as few lines as hold them; null where a word is too wide or lines are too many."""
    face = _opened(font, size_px)
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines.append(word)
        if face.getlength(word) > width or len(lines) > most_lines:
            return None
    return lines or None


def written(lines: list[str], font: str, size_px: int) -> Mask:
    """The ink of the lines, left-aligned, cut to where it begins and ends."""
    face, step = _opened(font, size_px), round(size_px * LINE_HEIGHT)
    width = int(max(face.getlength(line) for line in lines)) + 2 * size_px
    picture = Image.new("L", (width, step * len(lines) + 2 * size_px), 0)
    draw = ImageDraw.Draw(picture)
    for place, line in enumerate(lines):
        draw.text((size_px // 2, place * step), line, fill=255, font=face)
    return cut(np.asarray(picture))


def turned(mask: Mask, degrees: float) -> Mask:
    """The ink turned anticlockwise, cut again."""
    if not degrees or not mask.size:
        return mask
    return cut(np.asarray(Image.fromarray(mask).rotate(degrees, Image.Resampling.BICUBIC, expand=True)))


def cut(mask: Mask) -> Mask:
    """The part of a mask that has ink; nothing of one that has none."""
    inked = mask >= INK
    down, across = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(down):
        return np.zeros((0, 0), np.uint8)
    return np.ascontiguousarray(mask[down[0] : down[-1] + 1, across[0] : across[-1] + 1])
