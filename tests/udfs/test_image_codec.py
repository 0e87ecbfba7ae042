"""Files to arrays: every bad image has its exact reason, every odd one the pixels that an independent decoder gives."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from udfs.image import codec, decode, decode_masks, encode, encode_masks
from udfs.image.boxes import BoxSet
from udfs.image.fitting import fit_boxes, fit_image
from udfs.image.libjpeg import damage_heard

HEIGHT, WIDTH = 24, 32


def picture(mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A smooth picture with an upright mark, so that turning it shows."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([x * 7, y * 9, (x + y) * 4 + seed], axis=-1).clip(0, 255).astype(np.uint8)
    rgb[2:6, 3:5] = 255
    return Image.fromarray(rgb).convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file of some kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def declared(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A small, valid PNG that declares any size it likes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


def jpeg_declaring(width: int, height: int) -> bytes:
    """A JPEG whose frame header was changed."""
    blob = bytearray(saved(picture(), "JPEG"))
    place = blob.index(b"\xff\xc0") + 5
    blob[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(blob)


def gif_declaring(width: int, height: int) -> bytes:
    """A GIF whose screen and first frame declare another size."""
    blob = bytearray(saved(picture("P"), "GIF"))
    blob[6:10] = struct.pack("<HH", width, height)
    place = blob.index(b"\x2c", 13 + 3 * 2 ** ((blob[10] & 7) + 1))
    blob[place + 5 : place + 9] = struct.pack("<HH", width, height)
    return bytes(blob)


def flipped_bit(blob: bytes) -> bytes:
    """One bit of the pixels' data changed."""
    out = bytearray(blob)
    out[out.index(b"IDAT") + 40] ^= 1
    return bytes(out)


# found by mutating files: OpenCV 5 spends ten seconds on these 74 bytes
TRAP = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000180000354b080200000080902a590000001149449beab22311fe05a360140c73000003e7"
    "00014cc7912429b3f4000049454e44ae426082"
)


def damaged_jpeg(whole: bytes, zeros: bool = False) -> bytes:
    """The JPEG with the middle third of its data gone, or zero; its end is there."""
    start = whole.index(b"\xff\xda") + 14
    third = (len(whole) - start) // 3
    return whole[: start + third] + bytes(third * zeros) + whole[start + 2 * third :]


PNG, JPEG = saved(picture(), "PNG"), saved(picture(), "JPEG", quality=95)
BAD: dict[str, tuple[bytes | None, str]] = {
    "null": (None, "image_missing"),
    "empty": (b"", "image_unreadable"),
    "garbage": (bytes(range(256)) * 8, "image_unreadable"),
    "a web page named .jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "image_unreadable"),
    "a PNG cut in the middle": (PNG[: len(PNG) // 2], "image_truncated"),
    "a PNG without its last chunk": (PNG[:-12], "image_truncated"),
    "a PNG cut in its header": (PNG[:20], "image_truncated"),
    "a JPEG cut in the middle": (JPEG[: len(JPEG) // 2], "image_truncated"),
    "a JPEG without its end mark": (JPEG[:-2], "image_truncated"),
    "a JPEG cut before its pixels": (JPEG[: JPEG.index(b"\xff\xda")], "image_truncated"),
    "a JPEG with a piece of its data gone": (damaged_jpeg(JPEG), "image_damaged"),
    "a JPEG with zeros for a piece of its data": (damaged_jpeg(JPEG, zeros=True), "image_damaged"),
    "a JPEG of three bytes": (JPEG[:3], "image_unreadable"),
    "a GIF cut in the middle": (saved(picture("P"), "GIF")[:-200], "image_truncated"),
    "a WebP cut in the middle": (saved(picture(), "WEBP")[:-40], "image_unreadable"),
    "a BMP cut in the middle": (saved(picture(), "BMP")[:-500], "image_truncated"),
    "a PNG whose pixels' chunk has a garbled name": (TRAP, "image_unreadable"),
    "a PNG with a flipped bit": (flipped_bit(PNG), "image_unreadable"),
    "a PNG of no width": (declared(0, 24), "wrong_size"),
    "a PNG of no height": (declared(24, 0), "wrong_size"),
    "a JPEG of no width": (jpeg_declaring(0, 24), "wrong_size"),
    "a PNG bomb": (declared(9000, 9000), "image_too_large"),
    "a grey PNG bomb": (declared(60_000, 2_000, colour=0), "image_too_large"),
    "a PNG bomb of 16 bits": (declared(9000, 9000, depth=16), "image_too_large"),
    "a PNG bomb beyond Pillow's own limit": (declared(100_000, 100_000), "image_too_large"),
    "a JPEG bomb": (jpeg_declaring(65_000, 65_000), "image_too_large"),
    "a GIF bomb": (gif_declaring(65_000, 65_000), "image_too_large"),
    "another size": (saved(picture().resize((31, 24)), "PNG"), "wrong_size"),
    "floats without a range": (saved(picture("F"), "TIFF"), "image_unreadable"),
    "a program's language": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n", "image_unreadable"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_has_its_exact_reason(name: str) -> None:
    """And its neighbours in the batch are not harmed."""
    blob, reason = BAD[name]
    images, reasons = decode([PNG, blob, PNG], HEIGHT, WIDTH, 3)
    assert reasons == [None, reason, None]
    assert len(images) == 2 and (images[1] == np.asarray(picture())).all()


def test_what_others_write_to_stderr_while_jpegs_are_decoded_arrives_there(capfd: pytest.CaptureFixture[str]) -> None:
    """libjpeg's own chatter does not; and it is the damaged file that is refused, not the one after it."""
    with damage_heard() as damaged:
        os.write(2, b"somebody else\n")
        assert not damaged()
    hurt = damaged_jpeg(JPEG)
    reasons = decode([hurt, JPEG, hurt[:-2], JPEG], HEIGHT, WIDTH, 3)[1]
    assert reasons == ["image_damaged", None, "image_truncated", None]
    assert capfd.readouterr().err == "somebody else\n"


def test_padding_before_the_end_mark_is_no_damage() -> None:
    """A byte that a camera left there: decoded as the file without it."""
    padded = JPEG[:-2] + b"\0" + JPEG[-2:]
    images, reasons = decode([padded, JPEG], HEIGHT, WIDTH, 3)
    assert reasons == [None, None]
    assert (images[0] == images[1]).all()


@pytest.mark.timeout(60)
def test_no_mutation_of_a_file_raises_or_hangs() -> None:
    """Bytes changed, cut, put in or left out: an image of the declared form or a known reason, before the timeout."""
    random = np.random.default_rng(0)
    files = [blob for blob, _, _ in ODD.values()] + [PNG, JPEG]
    codes = {None, "image_truncated", "image_damaged", "image_unreadable", "image_too_large", "wrong_size"}
    for _ in range(1500):
        blob = bytearray(files[random.integers(len(files))])
        for _ in range(random.integers(1, 6)):
            place = int(random.integers(len(blob)))
            put_in = bytes(random.integers(0, 256, random.integers(0, 5), dtype=np.uint8))
            blob[place : place + int(random.integers(0, 5))] = put_in
            if random.random() < 0.1:
                blob = blob[: max(place, 1)]
        images, reasons = decode([bytes(blob)], HEIGHT, WIDTH, 3)
        assert reasons[0] in codes and len(images) == (reasons[0] is None)
        assert decode_masks([bytes(blob)], HEIGHT, WIDTH)[1][0] in codes | {"mask_not_indices"}


def test_a_bomb_is_refused_before_a_decoder_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The declared size alone refuses it."""
    monkeypatch.setattr(codec, "_by_pillow", None)
    monkeypatch.setattr(cv2, "imdecode", None)
    assert decode([declared(9000, 9000), jpeg_declaring(9000, 9000)], 8, 8, 3)[1] == ["image_too_large"] * 2


def over_white(image: Image.Image) -> NDArray[np.uint8]:
    """Pillow's own compositing."""
    rgba = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))


def half_clear() -> Image.Image:
    """A picture whose alpha rises from left to right."""
    image = picture("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))))
    return image


def clear_palette() -> Image.Image:
    """A palette picture of which some colours are clear."""
    return picture().quantize(32)


GREY16 = (np.mgrid[:HEIGHT, :WIDTH].sum(axis=0) * 1000).astype(np.uint16)
RGB = np.asarray(picture())
ODD: dict[str, tuple[bytes, NDArray[np.uint8], int]] = {
    "CMYK JPEG": (saved(picture("CMYK"), "JPEG", quality=98), RGB, 12),
    "palette": (saved(picture().quantize(64), "PNG"), np.asarray(picture().quantize(64).convert("RGB")), 0),
    "palette with a clear colour": (
        saved(clear_palette(), "PNG", transparency=3),
        over_white(Image.open(io.BytesIO(saved(clear_palette(), "PNG", transparency=3)))),
        0,
    ),
    "alpha": (saved(half_clear(), "PNG"), over_white(half_clear()), 1),
    "grey and alpha": (saved(half_clear().convert("LA"), "PNG"), over_white(half_clear().convert("LA")), 1),
    "16-bit grey": (
        saved(Image.fromarray(GREY16), "PNG"),
        np.repeat((GREY16 >> 8)[..., None], 3, 2).astype(np.uint8),
        0,
    ),
    "16-bit colour": (bytes(cv2.imencode(".png", RGB[..., ::-1].astype(np.uint16) * 257)[1]), RGB, 0),
    "one bit": (saved(picture("1"), "PNG"), np.asarray(picture("1").convert("RGB")), 0),
    "grey PNG": (saved(picture("L"), "PNG"), np.asarray(picture("L").convert("RGB")), 0),
    "grey JPEG": (saved(picture("L"), "JPEG", quality=98), np.asarray(picture("L").convert("RGB")), 8),
    "progressive JPEG": (saved(picture(), "JPEG", quality=98, progressive=True, subsampling=0), RGB, 12),
    "animated GIF": (
        saved(picture("P"), "GIF", save_all=True, append_images=[picture("P", 99)]),
        np.asarray(picture("P").convert("RGB")),
        0,
    ),
    "animated PNG": (saved(picture(), "PNG", save_all=True, append_images=[picture(seed=99)]), RGB, 0),
    "animated WebP": (saved(picture(), "WEBP", save_all=True, append_images=[picture(seed=9)], lossless=True), RGB, 0),
    "BMP": (saved(picture(), "BMP"), RGB, 0),
    "TIFF": (saved(picture(), "TIFF"), RGB, 0),
    "WebP": (saved(picture(), "WEBP", lossless=True), RGB, 0),
    "bytes after the end": (JPEG + b"trailer", np.asarray(Image.open(io.BytesIO(JPEG))), 3),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_gives_the_pixels_it_shows(name: str) -> None:
    """Within what lossy formats and colour conversion cost (levels)."""
    blob, shown, tolerance = ODD[name]
    images, reasons = decode([blob], HEIGHT, WIDTH, 3)
    assert reasons == [None]
    assert np.abs(images[0].astype(int) - shown).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_rotated_photograph_comes_upright(orientation: int, kind: str, channels: int) -> None:
    """All eight EXIF orientations, as Pillow turns them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    blob = saved(picture(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    upright = picture() if orientation == 1 else picture().transpose(Image.Transpose(turns[orientation]))
    images, reasons = decode([blob], upright.height, upright.width, channels)
    assert reasons == [None]
    shown = np.asarray(upright.convert("RGB" if channels == 3 else "L")).reshape(
        upright.height, upright.width, channels
    )
    assert np.abs(images[0].astype(int) - shown).mean() < 8


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (33, 65, 3), (200, 300, 3)])
def test_png_is_lossless_and_read_alike_by_others(shape: tuple[int, ...]) -> None:
    """What we write, Pillow reads as the same pixels; so do we."""
    images = np.random.default_rng(1).integers(0, 256, (3, *shape), dtype=np.uint8)
    blobs = encode(images)
    for image, blob in zip(images, blobs, strict=True):
        assert (np.asarray(Image.open(io.BytesIO(blob))).reshape(shape) == image).all()
    assert (decode(blobs, *shape)[0] == images).all()
    assert encode(images) == blobs


def test_jpeg_keeps_what_its_quality_keeps() -> None:
    """A smooth picture loses little; a wrong encoding is refused in words."""
    images = np.asarray(picture())[None]
    assert np.abs(decode(encode(images, "jpeg", 98), HEIGHT, WIDTH, 3)[0].astype(int) - images).mean() < 3
    with pytest.raises(ValueError, match="png or jpeg, not gif"):
        encode(images, "gif")


def test_without_a_declared_size_images_keep_theirs() -> None:
    """A list comes back, of whatever sizes."""
    images, reasons = decode([PNG, saved(picture().resize((5, 7)), "PNG"), b"x"], None, None, 1)
    assert [image.shape for image in images] == [(24, 32, 1), (7, 5, 1)] and reasons[2] == "image_unreadable"


@pytest.mark.parametrize("resize", ["stretch", "fit", "crop"])
@pytest.mark.parametrize("size", [(24, 32), (7, 90), (300, 200), (1, 1), (13, 13)])
def test_any_size_takes_the_declared_form(resize: str, size: tuple[int, int]) -> None:
    """Also sizes far off; a constant picture stays constant where it is."""
    image = np.full((*size, 3), 77, np.uint8)
    out = fit_image(image, (16, 20), resize)
    assert out.shape == (16, 20, 3)
    assert set(np.unique(out)) <= ({77} if resize != "fit" else {0, 77})


def test_fit_keeps_the_aspect_and_crop_the_middle() -> None:
    """A square in the middle of a wide picture: centred by both, square in both."""
    image = np.zeros((100, 200, 1), np.uint8)
    image[40:60, 90:110] = 255
    for resize, side in (("fit", 10), ("crop", 20)):
        out = fit_image(image, (100, 100), resize)[..., 0] > 127
        rows, columns = np.flatnonzero(out.any(1)), np.flatnonzero(out.any(0))
        assert (
            (len(rows), len(columns)) == (side, side) and abs(rows.mean() - 49.5) < 1 and abs(columns.mean() - 49.5) < 1
        )


@pytest.mark.parametrize("resize", ["stretch", "fit", "crop"])
def test_boxes_go_where_their_pixels_go(resize: str) -> None:
    """A filled box, resized with its picture: its box lies around the filled pixels."""
    image = np.zeros((60, 90, 1), np.uint8)
    image[18:42, 36:63] = 255
    boxes = BoxSet.of([[{"x0": 36, "y0": 18, "x1": 63, "y1": 42, "label": "a"}]])
    moved = fit_boxes(boxes, np.array([[60, 90]]), (40, 40), resize).corners[0]
    seen = fit_image(image, (40, 40), resize)[..., 0] > 127
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert np.abs(moved - [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).max() <= 1


def test_masks_are_class_indices_whatever_their_file() -> None:
    """Grey and palette PNG give the indices; a photograph is refused."""
    classes = np.random.default_rng(0).integers(0, 12, (HEIGHT, WIDTH)).astype(np.uint8)
    palette = Image.fromarray(classes).convert("P")
    palette.putpalette(bytes(range(255, -1, -1)) * 3)
    masks, reasons = decode_masks([encode_masks(classes[None])[0], saved(palette, "PNG"), PNG, None], HEIGHT, WIDTH)
    assert reasons == [None, None, "mask_not_indices", "image_missing"]
    assert (masks[0] == classes).all() and (masks[1] == classes).all()
    far = np.where(classes > 6, 11, 0).astype(np.uint8)
    for size in (10, 50):
        resized, _ = decode_masks(encode_masks(far[None]), size, size, "stretch")
        assert set(np.unique(resized)) == {0, 11}, "no class between two others"


def test_real_files_decode_as_pillow_decodes_them(data_dir: Path) -> None:
    """CIFAR JPEGs within JPEG's rounding, CamVid photographs and masks exactly."""
    jpegs = sorted((data_dir / "images" / "cifar10-jpg").rglob("*.jpg"))[:50]
    images, reasons = decode([path.read_bytes() for path in jpegs], 32, 32, 3)
    assert reasons == [None] * 50
    for path, image in zip(jpegs, images, strict=True):
        assert np.abs(np.asarray(Image.open(path)).astype(int) - image).max() <= 4
    names = sorted(path.name for path in (data_dir / "images" / "camvid" / "images").glob("*.png"))[:3]
    for folder, read in (("images", lambda b: decode(b, 360, 480, 3)), ("masks", lambda b: decode_masks(b, 360, 480))):
        paths = [data_dir / "images" / "camvid" / folder / name for name in names]
        _exact(read, paths)


def _exact(read: Callable[..., tuple[object, list[str | None]]], paths: list[Path]) -> None:
    """Read as Pillow reads them."""
    stack, reasons = read([path.read_bytes() for path in paths])
    assert reasons == [None] * len(paths)
    for path, image in zip(paths, stack, strict=True):  # type: ignore[call-overload]
        assert (np.asarray(Image.open(path)) == image).all()
