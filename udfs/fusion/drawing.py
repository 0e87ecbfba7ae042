"""Text onto images: a row's text, or what a template makes of its cells, written where it can be read.

The box of the ink and the string become one more of the row's boxes, for who trains detection or recognition. What
does not fit is wrapped, then shrunk; what cannot be drawn leaves the image as it was, and a flag says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import __version__ as pillow_version

from udfs.fusion import contrast, lettering, template
from udfs.fusion.rows import Box, Rows
from udfs.image.values import DegreesSpan, Images
from udfs.options import Probability, Span, Within, Words
from udfs.rng import RowRandom

REVISION = f"2, Pillow {pillow_version}"
TOO_LONG, OTHER_SCRIPT, TOO_FAINT, NOTHING = (
    "text_too_long",
    "text_other_script",
    "text_too_faint",
    "text_missing",
)
FLAGS = (TOO_LONG, OTHER_SCRIPT, TOO_FAINT, NOTHING)
COLOURS = 8  # drawn for each row, the first with enough contrast counts
MARGIN_PX = 1
PLATE_PX = 2  # how far a plate reaches beyond the ink

Font = Literal["any", "sans", "sans_bold", "serif", "serif_bold", "mono", "mono_bold"]
Place = Literal["any", "top", "middle", "bottom"]
SizeSpan = Annotated[Span, Within(5, 400)]
Lines = Annotated[int, Within(1, 50)]
Ratio = Annotated[float, Within(1, 21)]
Size = Annotated[int, Within(5, 400)]


@dataclass(frozen=True)
class Draws:
    """What was drawn for one row."""

    font: str
    size_px: int
    degrees: float
    across: float  # of the room that is left, 0 to 1
    down: float
    colours: NDArray[np.uint8]  # (COLOURS, C)


@dataclass(frozen=True)
class Drawn:
    """An image with a string on it, and where that is; or the image as it was, and why."""

    image: Images
    box: Box | None
    flag: str | None
    told: dict[str, Any]


def draw_text(
    random: RowRandom,
    rows: Rows,
    *,
    template: Words = "{text}",
    font: Font = "any",
    size_px: SizeSpan = (10, 16),
    least_px: Size = 8,
    place: Place = "any",
    rotate_degrees: DegreesSpan = (0, 0),
    lines: Lines = 4,
    min_contrast: Ratio = 4.5,
    plate: Literal["when_needed", "never"] = "when_needed",
    p: Probability = 1.0,
) -> Rows:
    """Write the row's text, or a template over its columns and label, onto its image, and its box among the boxes.

    Colours are drawn until one has `min_contrast` to what lies below; where not even black or white has, the text gets
    a plate. Text too long for `lines` at `least_px`, and text of scripts that are not drawn, is left and flagged.
    """
    fires, drawn = random.bernoulli(p), _draws(random, rows, font, size_px, rotate_degrees, place)
    images, boxes, flags, told = rows.images.copy(), [], [], []
    for row, draws in enumerate(drawn):
        text = _text_of(rows, row, template) if fires[row] else None
        made = Drawn(rows.images[row], None, NOTHING if fires[row] else None, {})
        if text:
            made = drawn_on(rows.images[row], text, draws, least_px, lines, min_contrast, plate == "when_needed")
        images[row] = made.image
        boxes.append([made.box] if made.box else [])
        flags.append([made.flag] if made.flag else [])
        told.append(made.told)
    rows.notes[:] = told
    return rows.with_images(images, boxes, flags)


def _text_of(rows: Rows, row: int, words: str) -> str | None:
    """The string to be drawn; null where the row lacks what the template names."""
    values = {name: cells[row] for name, cells in rows.cells.items()}
    values |= {"text": rows.texts[row], "label": rows.labels[row]}
    found = template.filled(words, values)
    return lettering.plain(found) if found else None


def _draws(random: RowRandom, rows: Rows, font: str, size: Span, degrees: Span, place: str) -> list[Draws]:
    """Every row's draws, whether or not they are used, so that a row's do not depend on the others."""
    names = [font] if font != "any" else list(lettering.FONTS)
    fonts = random.integers(0, len(names))
    sizes = np.rint(random.uniform(*size)).astype(np.int64)
    angles = random.uniform(*degrees)
    across, down = random.uniform(), random.uniform()
    down = {"top": np.zeros(len(down)), "middle": np.full(len(down), 0.5), "bottom": np.ones(len(down))}.get(
        place, down
    )
    colours = random.integers(0, 256, (COLOURS, rows.images.shape[3])).astype(np.uint8)
    told = zip(fonts, sizes, angles, across, down, colours, strict=True)
    return [Draws(names[f], int(s), float(a), float(x), float(y), c) for f, s, a, x, y, c in told]


def drawn_on(image: Images, text: str, draws: Draws, least_px: int, lines: int, least: float, may_plate: bool) -> Drawn:
    """The image (H, W, C) with the text on it, or as it was with a flag."""
    if not lettering.can_be_drawn(text, draws.font):
        return Drawn(image, None, OTHER_SCRIPT, {})
    height, width = image.shape[:2]
    room = (height - 2 * MARGIN_PX, width - 2 * MARGIN_PX)
    size = max(min(draws.size_px, room[0]), least_px)
    found = lettering.fitted(text, draws.font, size, least_px, room, lines, draws.degrees)
    if found is None:
        return Drawn(image, None, TOO_LONG, {})
    tall, wide = found.mask.shape
    y = MARGIN_PX + round(draws.down * (room[0] - tall))
    x = MARGIN_PX + round(draws.across * (room[1] - wide))
    below = image[y : y + tall, x : x + wide]
    colour, ratio = contrast.chosen(draws.colours, below.reshape(-1, image.shape[2]), least)
    out = image.copy()
    if ratio < least:
        if not may_plate:
            return Drawn(image, None, TOO_FAINT, {})
        colour, ratio = _plated(out, (y, x, y + tall, x + wide), colour)
    ink = found.mask[:, :, None].astype(np.float64) / 255
    part = out[y : y + tall, x : x + wide]
    part[...] = np.rint(part * (1 - ink) + colour * ink).astype(np.uint8)
    box = {"x0": float(x), "y0": float(y), "x1": float(x + wide), "y1": float(y + tall), "label": text}
    told = {"text": text, "size_px": found.size_px, "lines": len(found.lines), "contrast": round(ratio, 2)}
    return Drawn(out, box, None, told | {"font": draws.font, "degrees": draws.degrees})


def _plated(out: Images, box: tuple[int, int, int, int], colour: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """(colour, ratio) of black or white on a plate of the other, which is laid into `out`."""
    y0, x0, y1, x1 = box
    ground = np.full_like(colour, contrast.BLACK if colour[0] > 127 else contrast.WHITE)
    out[max(0, y0 - PLATE_PX) : y1 + PLATE_PX, max(0, x0 - PLATE_PX) : x1 + PLATE_PX] = ground
    ink = np.full_like(colour, contrast.WHITE if ground[0] == contrast.BLACK else contrast.BLACK)
    return ink, float(contrast.ratio(contrast.luminance(ink), contrast.luminance(ground)))
