"""Encoded files to arrays and back.

`decode` never raises: a file that cannot be had in the declared form gets a reason. Plain PNG and JPEG go through
OpenCV; everything odd (palette, alpha, 16 bits, CMYK, animation, other formats) through Pillow, which knows it.
Declared sizes are checked before decoding. A JPEG that is decoded from damaged data is refused: libjpeg tells.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from udfs.image.fitting import Resize, fit_image
from udfs.image.headers import is_jpeg, read_header
from udfs.image.libjpeg import damage_heard
from udfs.image.opencv import steady_opencv
from udfs.image.values import Images, Masks, Reasons

REVISION = 1
MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # none of Pillow's that start another program

_PNG_TINY = 1 << 12  # up to so many values, filters cost more than they save
_RLE = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER]
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


class Refused(ValueError):
    """A file that is not taken; its text is the reason code."""


def decode(
    blobs: Sequence[bytes | None], height: int | None, width: int | None, channels: int, resize: Resize | None = None
) -> tuple[Images | list[NDArray[np.uint8]], Reasons]:
    """Decode files into the declared form.

    Gives the images of the good ones, in order, as one stack (a list where no size is declared), and a reason or null
    for each blob: `image_missing`, `image_truncated`, `image_damaged`, `image_unreadable`, `image_too_large`,
    `wrong_size`. Never raises.
    """
    steady_opencv()
    form = (height, width) if height and width else None
    images, reasons = _each(blobs, lambda blob: _formed(read_image(blob, channels), form, resize, False))
    return (images if form is None else _stack(images, (*form, channels))), reasons


def decode_masks(
    blobs: Sequence[bytes | None], height: int | None, width: int | None, resize: Resize | None = None, fill: int = 0
) -> tuple[Masks | list[NDArray[np.uint8]], Reasons]:
    """Decode masks, whose values are class indices: palettes stay indices, nothing is blended. As `decode`."""
    steady_opencv()
    form = (height, width) if height and width else None
    masks, reasons = _each(blobs, lambda blob: _formed(read_mask(blob), form, resize, True, fill))
    return (masks if form is None else _stack(masks, form)), reasons


def _each(
    blobs: Sequence[bytes | None], read: Callable[[bytes], NDArray[np.uint8]]
) -> tuple[list[NDArray[np.uint8]], Reasons]:
    """Read each blob, or say why not."""
    good: list[NDArray[np.uint8]] = []
    reasons: Reasons = []
    with damage_heard() if any(blob and is_jpeg(blob) for blob in blobs) else nullcontext(_undamaged) as damaged:
        for blob in blobs:
            try:
                if blob is None:
                    raise Refused("image_missing")
                image = read(blob)
                if damaged():
                    raise Refused("image_damaged")
                good.append(image)
                reasons.append(None)
            except Refused as refused:
                damaged()  # what was said of this one is not said of the next
                reasons.append(str(refused))
    return good, reasons


def _undamaged() -> bool:
    return False


def _stack(images: list[NDArray[np.uint8]], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """One array of all."""
    return np.stack(images) if images else np.empty((0, *shape), np.uint8)


def _formed(
    image: NDArray[np.uint8], form: tuple[int, int] | None, resize: Resize | None, mask: bool, fill: int = 0
) -> NDArray[np.uint8]:
    """The image in the declared size."""
    if form is None or image.shape[:2] == form:
        return image
    if resize is None:
        raise Refused("wrong_size")
    return fit_image(image, form, resize, mask, fill)


def read_image(blob: bytes, channels: int) -> NDArray[np.uint8]:
    """One file as uint8[H, W, C], RGB or grey; raises Refused with the reason code."""
    if _checked(blob):
        how = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
        try:
            image: Any = cv2.imdecode(np.frombuffer(blob, np.uint8), how)
        except cv2.error:
            image = None  # Pillow finds the reason
        if image is not None:
            return image[..., None] if channels == 1 else image
    return _by_pillow(blob, lambda picture: _levels(ImageOps.exif_transpose(picture), channels))


def read_mask(blob: bytes) -> NDArray[np.uint8]:
    """One mask as uint8[H, W] of class indices; raises Refused with the reason code."""
    _checked(blob)
    return _by_pillow(blob, _classes)


def _checked(blob: bytes) -> bool:
    """Refuse what the header already condemns; say whether OpenCV can decode the rest."""
    header = read_header(blob)
    if header is None:
        return False
    if header.width == 0 or header.height == 0:
        raise Refused("wrong_size")
    if header.width * header.height > MAX_PIXELS:
        raise Refused("image_too_large")
    if not header.whole:
        raise Refused("image_truncated")
    return header.simple


def _by_pillow(blob: bytes, convert: Callable[[Image.Image], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Open with Pillow, check the size that the file declares, convert its first frame."""
    Image.init()  # else it knows only some of the formats, and which ones depends on what was opened before
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(blob), formats=FORMATS) as picture:
                _check_size(picture.size)
                return convert(picture)
    except Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("image_too_large") from error
    except Exception as error:
        raise Refused("image_truncated" if "truncated" in str(error).lower() else "image_unreadable") from error


def _check_size(size: tuple[int, int]) -> None:
    """Refuse an empty picture and a bomb."""
    if min(size) == 0:
        raise Refused("wrong_size")
    if size[0] * size[1] > MAX_PIXELS:
        raise Refused("image_too_large")


def _levels(picture: Image.Image, channels: int) -> NDArray[np.uint8]:
    """A Pillow picture of any mode as uint8[H, W, C]: 16 bits by their upper 8, alpha over white."""
    if picture.mode in _DEEP_MODES:
        picture = Image.fromarray((np.clip(np.asarray(picture).astype(np.int64), 0, 65535) >> 8).astype(np.uint8))
    elif picture.mode == "F":
        raise Refused("image_unreadable")  # floats have no declared range
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        picture = _over_white(picture.convert("RGBA"))
    image = np.asarray(picture.convert("RGB" if channels == 3 else "L"))
    return image if channels == 3 else image[..., None]


def _over_white(picture: Image.Image) -> Image.Image:
    """RGBA composited on white."""
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _classes(picture: Image.Image) -> NDArray[np.uint8]:
    """A Pillow picture as class indices: one channel, 8 bits."""
    if picture.mode == "1":
        return np.asarray(picture).astype(np.uint8)
    if picture.mode not in ("L", "P"):
        raise Refused("mask_not_indices")
    return np.asarray(picture).copy()


def encode(images: Images | Sequence[NDArray[np.uint8]], encoding: str = "png", quality: int = 95) -> list[bytes]:
    """Encode each image as `png` (lossless) or `jpeg` of `quality`; the same bytes for the same pixels."""
    steady_opencv()
    if encoding not in ("png", "jpeg"):
        raise ValueError(f"images are encoded as png or jpeg, not {encoding}")
    return [_encoded(image, encoding, quality) for image in images]


def encode_masks(masks: Masks | Sequence[NDArray[np.uint8]]) -> list[bytes]:
    """Encode each mask as a grey PNG whose levels are the class indices."""
    return encode([mask[..., None] for mask in masks])


def _encoded(image: NDArray[np.uint8], encoding: str, quality: int) -> bytes:
    """One image's bytes."""
    plain = image if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if encoding == "jpeg":
        done, data = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, quality])
    else:
        tiny = image.size <= _PNG_TINY
        done, data = cv2.imencode(
            ".png", plain, [*_RLE, cv2.IMWRITE_PNG_FILTER_NONE if tiny else cv2.IMWRITE_PNG_FILTER_AVG]
        )
    if not done:
        raise ValueError(f"an image of shape {image.shape} cannot be encoded as {encoding}")
    return data.tobytes()
