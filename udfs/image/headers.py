"""What a file says of itself, read without decoding: format, declared size, whether its end is there.

A file of ten kilobytes can declare a hundred megapixels, so its size is known before any decoder sees it. OpenCV says
only that it failed; that the end mark is missing tells a truncated file from a broken one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF markers: all of C0-CF but tables and reserved ones
_SIMPLE_FRAMES = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended, progressive
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length
_PLAIN_CHUNKS = frozenset(
    (
        b"IHDR",
        b"IDAT",
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"iCCP",
        b"pHYs",
        b"sBIT",
        b"bKGD",
        b"tIME",
        b"tEXt",
        b"zTXt",
        b"iTXt",
    )
)  # with any other (transparency, animation, orientation, garbage) a PNG is for Pillow


@dataclass(frozen=True)
class Header:
    """A file's own word: format, size in pixels, whether `whole` to its end mark and `simple` enough for OpenCV."""

    format: str
    width: int
    height: int
    whole: bool
    simple: bool


def is_jpeg(blob: bytes) -> bool:
    """Whether a file begins as a JPEG does."""
    return blob.startswith(_JPEG)


def read_header(blob: bytes) -> Header | None:
    """The header of a PNG or JPEG; null for other formats, and for files too broken to tell."""
    if blob.startswith(_PNG):
        return _png(blob)
    if is_jpeg(blob):
        return _jpeg(blob)
    return None


def _png(blob: bytes) -> Header | None:
    """Walk the chunks from IHDR to IEND."""
    if len(blob) < 33 or blob[12:16] != b"IHDR":
        return None
    width, height, depth, colour = struct.unpack_from(">IIBB", blob, 16)
    simple, place, data = depth == 8 and colour in (0, 2), 8, False
    while place + 12 <= len(blob):
        (length,) = struct.unpack_from(">I", blob, place)
        kind = blob[place + 4 : place + 8]
        if kind == b"IEND":
            return Header("png", width, height, True, simple and data)
        simple, data = simple and kind in _PLAIN_CHUNKS, data or kind == b"IDAT"
        place += 12 + length
    return Header("png", width, height, False, simple)


def _jpeg(blob: bytes) -> Header | None:
    """Walk the segments to the scan; whole means that an end mark follows it."""
    place, frame = 2, None
    while place + 4 <= len(blob):
        if blob[place] != 0xFF:
            return None
        marker = blob[place + 1]
        if marker == 0xFF or marker in _BARE:
            place += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", blob, place + 2)
        if marker in _FRAMES and place + 10 <= len(blob):
            depth, height, width, parts = struct.unpack_from(">BHHB", blob, place + 4)
            frame = width, height, marker in _SIMPLE_FRAMES and depth == 8 and parts in (1, 3)
        if marker == 0xDA:
            whole = blob.find(b"\xff\xd9", place) >= 0
            return Header("jpeg", frame[0], frame[1], whole, frame[2]) if frame else None
        place += 2 + length
    return Header("jpeg", frame[0], frame[1], False, frame[2]) if frame else None
