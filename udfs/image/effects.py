"""Steps that do what lenses, codecs and the night do to pictures."""

from __future__ import annotations

import math
from functools import reduce
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from udfs.image.canvas import Stack, pixels, repainted
from udfs.image.colour import adjust_saturation
from udfs.image.draws import drawn
from udfs.image.noise import add_noise, window_starts
from udfs.image.values import Floats, Images, ShareAmount
from udfs.options import Amount, Probability, Within
from udfs.rng import RowRandom

REVISION = 1
Sigma = Annotated[Amount, Within(0, 100)]
Quality = Annotated[Amount, Within(1, 100)]
Strength = Annotated[Amount, Within(0, 10)]

_SHARPEN_SIGMA = 1.0
_NIGHT_TINT = np.array([0.62, 0.78, 1.0])  # eyes in the dark see by their rods: red goes first
_NIGHT_LIGHT = 0.32  # what is left of white
_NIGHT_GAMMA = 1.25  # shadows close
_NIGHT_COLOUR = 0.4  # what is left of the colours
_NIGHT_NOISE = 4.0  # levels
_LAMP_LEVEL = 190  # brighter than this by day, in a spot and not a whole sky, is a lamp by night
_LAMP_SPOT = 0.04  # of the shorter side: the spots' size
_LAMP_GLOW = 0.015  # of the shorter side
_LAMP_STEEP = 1 / 24  # so many levels over its surroundings make a lamp


def gaussian_blur(images: Images, *, sigma_px: Floats) -> Images:
    """Each image through a Gaussian of its own width; the picture is mirrored at its edge."""
    out = images.copy()
    for image, target, sigma in zip(images, out, sigma_px.tolist(), strict=True):
        if sigma > 0.01:
            _into(target, cv2.GaussianBlur(image, (0, 0), sigma))
    return out


def _into(target: Images, image: Any) -> None:
    """OpenCV drops the channel axis of grey pictures; put it back."""
    target[...] = image.reshape(target.shape)


def blur(random: RowRandom, images: Stack, *, sigma_px: Sigma = (0.3, 1.2), p: Probability = 1.0) -> Stack:
    """Blur by a Gaussian of standard deviation `sigma_px`."""
    where = random.bernoulli(p)
    return repainted(images, where, gaussian_blur, sigma_px=drawn(random, sigma_px))


def unsharp_mask(images: Images, *, amount: Floats) -> Images:
    """Each image plus `amount` times what a blur of one pixel takes from it."""
    out = np.empty_like(images)
    for image, target, much in zip(images, out, amount.tolist(), strict=True):
        soft = cv2.GaussianBlur(image, (0, 0), _SHARPEN_SIGMA).reshape(image.shape)
        _into(target, cv2.addWeighted(image, 1 + much, soft, -much, 0))
    return out


def sharpen(random: RowRandom, images: Stack, *, amount: Strength = (0.2, 1.0), p: Probability = 1.0) -> Stack:
    """Sharpen by an unsharp mask."""
    where = random.bernoulli(p)
    return repainted(images, where, unsharp_mask, amount=drawn(random, amount))


def through_jpeg(images: Images, *, quality: Floats) -> Images:
    """Each image as a JPEG of its own `quality` (1 to 100) gives it back."""
    out = np.empty_like(images)
    grey = images.shape[3] == 1
    for image, target, how in zip(images, out, np.rint(quality).astype(int).tolist(), strict=True):
        plain = image if grey else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, how])
        _into(target, cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB))
    return out


def jpeg_compression(
    random: RowRandom, images: Stack, *, quality: Quality = (40.0, 90.0), p: Probability = 1.0
) -> Stack:
    """Add the blocks and ringing of a JPEG of this `quality`."""
    where = random.bernoulli(p)
    return repainted(images, where, through_jpeg, quality=drawn(random, quality))


def night(images: Images, *, strength: Floats, starts: NDArray[np.int64]) -> Images:
    """Each image as by night, `strength` of the way: dark, blue and pale, lamps glowing, the sensor noisy."""
    dark = adjust_saturation(images, factor=1 - (1 - _NIGHT_COLOUR) * strength)
    out = np.empty_like(images)
    for day, image, target, much in zip(images, dark, out, strength.tolist(), strict=True):
        _into(target, _nightfall(day, image, much))
    return add_noise(out, std=_NIGHT_NOISE * strength, starts=starts)


def _nightfall(day: NDArray[np.uint8], image: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
    """One image: less light and closed shadows, a tint per channel; lamps keep their light of the day, and glow."""
    light = np.linspace(0.0, 1.0, 256)[:, None]
    tint = _NIGHT_TINT if image.shape[2] == 3 else np.ones(1)
    table = np.rint(255 * ((1 - strength) * light + strength * _NIGHT_LIGHT * light**_NIGHT_GAMMA * tint))
    out: NDArray[Any] = cv2.LUT(image, np.ascontiguousarray(table.astype(np.uint8))[None]).reshape(image.shape)
    lamps = _lamps(day) * np.float32(strength)
    if not lamps.any():
        return out
    shine = cv2.merge([day[..., channel] * lamps for channel in range(day.shape[2])]).reshape(image.shape)
    glow = _wide_blur(shine, max(_LAMP_GLOW * min(image.shape[:2]), 0.8)).reshape(image.shape)
    lit: NDArray[Any] = np.maximum(out, shine) + glow
    np.rint(lit, out=lit)
    return np.clip(lit, 0, 255, out=lit).astype(np.uint8)


def _lamps(day: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[H, W], 0 to 1: bright spots that stand out from around them."""
    level = reduce(np.maximum, [day[..., channel] for channel in range(day.shape[2])])
    bright = np.maximum(level.astype(np.float32) - _LAMP_LEVEL, 0)
    around = _wide_blur(bright, max(_LAMP_SPOT * min(day.shape[:2]), 1.0))
    return np.clip((bright - 2 * around) * np.float32(_LAMP_STEEP), 0, 1)


def _wide_blur(picture: Any, sigma: float) -> Any:
    """A Gaussian blur, a wide one on a smaller picture: what it loses it would have blurred away."""
    height, width = picture.shape[:2]
    times = max(int(sigma // 2), 1)
    size = (max(width // times, 1), max(height // times, 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if times > 1 else picture
    soft = cv2.GaussianBlur(small, (0, 0), sigma / times)
    return cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR) if times > 1 else soft


def day_to_night(
    random: RowRandom, images: Stack, *, strength: ShareAmount = (0.6, 1.0), p: Probability = 1.0
) -> Stack:
    """Turn day into night: dark, blue, pale, noisy, with glowing lamps."""
    where = random.bernoulli(p)
    stack, plain = pixels(images)
    starts = window_starts(random, math.prod(plain.shape[1:]))
    return repainted(stack, where, night, strength=drawn(random, strength), starts=starts)
