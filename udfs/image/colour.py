"""Steps that change levels: light, contrast, colours.

Those that give every level its new one, whatever lies beside it, are tables of 256; consecutive tables of a compiled
list become one. Steps on colours leave grey images as they are.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.canvas import SMALL, Stack, pixels, recoloured, repainted
from udfs.image.values import GREY_WEIGHTS, FactorSpan, Floats, Images, Tables
from udfs.options import Probability, Within
from udfs.rng import RowRandom

REVISION = 1
_LEVELS = np.arange(256, dtype=np.float32)

Change = Annotated[float, Within(0, 1)]
HueDegrees = Annotated[float, Within(0, 180)]


def as_tables(levels: NDArray[np.float32]) -> Tables:
    """Levels (N, 256) rounded and held in 0 to 255; overwrites them."""
    np.rint(levels, out=levels)
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def _column(values: Floats) -> NDArray[np.float32]:
    """(N, 1)."""
    return values.astype(np.float32)[:, None]


def grey_means(images: Images) -> Floats:
    """(N,): each image's mean grey, from exact integer sums."""
    channels, area = images.shape[3], images.shape[1] * images.shape[2]
    if area * channels <= SMALL:
        sums = images.reshape(len(images), area, channels).sum(axis=1, dtype=np.uint32).astype(np.float64)
    else:
        sums = np.array([cv2.sumElems(image)[:channels] for image in images]).reshape(len(images), channels)
    return sums[:, 0] / area if channels == 1 else sums @ np.array(GREY_WEIGHTS, np.float64) / (1000.0 * area)


def light_tables(*, change: Floats) -> Tables:
    """`change` of the full range added to every level."""
    return as_tables(_LEVELS + _column(255 * change))


def contrast_tables(*, factor: Floats, mean: Floats) -> Tables:
    """Each level's distance from `mean` times `factor`."""
    return as_tables(_LEVELS * _column(factor) + _column(mean * (1 - factor)))


def gamma_tables(*, gamma: Floats) -> Tables:
    """(level / 255) to the power of `gamma`."""
    return as_tables((255 * (_LEVELS.astype(np.float64) / 255) ** gamma[:, None]).astype(np.float32))


def brightness(random: RowRandom, images: Stack, *, max_change: Change = 0.2, p: Probability = 1.0) -> Stack:
    """Add up to `max_change` of the full range to all levels, or take it away."""
    where = random.bernoulli(p)
    return recoloured(images, where, light_tables, change=random.uniform(-max_change, max_change))


def contrast(random: RowRandom, images: Stack, *, max_change: Change = 0.2, p: Probability = 1.0) -> Stack:
    """Scale each image's distance from its own mean grey by a factor within `max_change` of 1."""
    where = random.bernoulli(p)
    stack, plain = pixels(images)
    factor = random.uniform(1 - max_change, 1 + max_change)
    return recoloured(stack, where, contrast_tables, factor=factor, mean=grey_means(plain))


def gamma(random: RowRandom, images: Stack, *, gamma: FactorSpan = (0.8, 1.25), p: Probability = 1.0) -> Stack:
    """Bend the levels by a power, black and white staying; drawn evenly on a log scale."""
    where = random.bernoulli(p)
    return recoloured(images, where, gamma_tables, gamma=np.exp(random.uniform(*np.log(gamma))))


def adjust_saturation(images: Images, *, factor: Floats) -> Images:
    """Each pixel's distance from its own grey times `factor`: 0 is grey, 1 unchanged."""
    if images.shape[3] == 1:
        return images
    out = np.empty_like(images)
    for image, target, much in zip(images, out, factor.tolist(), strict=True):
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        cv2.addWeighted(image, much, grey, 1 - much, 0, target)
    return out


def adjust_hue(images: Images, *, shift_degrees: Floats) -> Images:
    """Turn each pixel's hue round the colour circle (HSV, in steps of 360/256 degrees)."""
    if images.shape[3] == 1:
        return images
    out = np.empty_like(images)
    turns = np.rint(shift_degrees * (256 / 360)).astype(np.int64) % 256
    for image, target, turn in zip(images, out, turns.astype(np.uint8), strict=True):
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
        hsv[..., 0] += turn
        cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL, target)
    return out


def saturation(random: RowRandom, images: Stack, *, max_change: Change = 0.3, p: Probability = 1.0) -> Stack:
    """Make colours stronger or paler by a factor within `max_change` of 1."""
    where = random.bernoulli(p)
    return repainted(images, where, adjust_saturation, factor=random.uniform(1 - max_change, 1 + max_change))


def hue(random: RowRandom, images: Stack, *, max_shift_degrees: HueDegrees = 15.0, p: Probability = 1.0) -> Stack:
    """Turn all hues by up to `max_shift_degrees` either way."""
    where = random.bernoulli(p)
    return repainted(images, where, adjust_hue, shift_degrees=random.uniform(-max_shift_degrees, max_shift_degrees))


def jitter_tables(*, contrast_factor: Floats, mean: Floats, change: Floats) -> Tables:
    """Contrast about `mean`, then light, as one table."""
    return as_tables(_LEVELS * _column(contrast_factor) + _column(mean * (1 - contrast_factor) + 255 * change))


def colour_jitter(
    random: RowRandom,
    images: Stack,
    *,
    brightness: Change = 0.2,
    contrast: Change = 0.2,
    saturation: Change = 0.2,
    hue_degrees: HueDegrees = 8.0,
    p: Probability = 1.0,
) -> Stack:
    """Change saturation, hue, contrast and brightness together, each by up to its own most."""
    where = random.bernoulli(p)
    if saturation:
        images = repainted(images, where, adjust_saturation, factor=random.uniform(1 - saturation, 1 + saturation))
    if hue_degrees:
        images = repainted(images, where, adjust_hue, shift_degrees=random.uniform(-hue_degrees, hue_degrees))
    stack, plain = pixels(images)
    factor, change = random.uniform(1 - contrast, 1 + contrast), random.uniform(-brightness, brightness)
    return recoloured(stack, where, jitter_tables, contrast_factor=factor, mean=grey_means(plain), change=change)


def grayscale(random: RowRandom, images: Stack, *, p: Probability = 0.1) -> Stack:
    """Take the colours away; a picture of three channels keeps three."""
    where = random.bernoulli(p)
    return repainted(images, where, adjust_saturation, factor=np.zeros(len(random)))
