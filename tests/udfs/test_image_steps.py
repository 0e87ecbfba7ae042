"""The contract that every step and rule keeps, found by walking the names; and what each does, against oracles."""

from __future__ import annotations

import colorsys
import inspect
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from udfs import image, names, records
from udfs.image import colour, effects, geometry, maps, noise, values
from udfs.image.canvas import Canvas
from udfs.image.warp import Edge, Warp, compose, invert, warp_images
from udfs.rng import RowRandom

SHAPES = [(24, 30, 3), (24, 30, 1), (64, 80, 3)]
OPTIONS: dict[str, dict[str, Any]] = {
    "image.random_crop": {"height_px": 16, "width_px": 20},
    "image.centre_crop": {"height_px": 16, "width_px": 20},
    "image.resize": {"height_px": 12, "width_px": 50},
}
STEPS = [name for name in names.step_names("image") if names.kind_of(names.resolve(name)) != "reject"]
RULES = [name for name in names.step_names("image") if names.kind_of(names.resolve(name)) == "reject"]
RANDOM = [name for name in STEPS if names.kind_of(names.resolve(name)) in ("random", "mixing")]


def ids_of(count: int) -> list[str]:
    """Row ids."""
    made_by = records.maker("test")
    return [made_by + records.which(i) for i in range(count)]


def images_of(shape: tuple[int, ...], count: int = 9) -> NDArray[np.uint8]:
    """Smooth pictures with some texture, all different."""
    random = np.random.default_rng(3)
    small = random.integers(0, 256, (count, 5, 6, shape[2]), dtype=np.uint8)
    big = [cv2.resize(each, shape[1::-1], interpolation=cv2.INTER_CUBIC).reshape(shape) for each in small]
    return np.clip(np.stack(big) + random.normal(0, 4, (count, *shape)), 0, 255).astype(np.uint8)


def run(name: str, stack: NDArray[np.uint8], ids: list[str], **options: Any) -> NDArray[np.uint8]:
    """One step by its name; partners are the same images in another order."""
    function, random = names.resolve(name), RowRandom(ids, 5, name, 2)
    options = {**OPTIONS.get(name, {}), **options}
    kind = names.kind_of(function)
    if kind == "plain":
        return function(stack, **options)
    if kind == "mixing":
        return function(random, stack, 255 - stack, **options)[0]
    return function(random, stack, **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_the_contract(name: str, shape: tuple[int, int, int]) -> None:
    """Same length, dtype and channels; input unchanged; the same bytes again; a row does not depend on its batch."""
    stack, ids = images_of(shape), ids_of(9)
    before = stack.copy()
    out = run(name, stack, ids)
    assert (stack == before).all(), "the input was changed"
    assert out.dtype == np.uint8 and out.ndim == 4 and len(out) == 9 and out.shape[3] == shape[2]
    assert (run(name, stack, ids) == out).all(), "not the same a second time"
    order = [4, 0, 8, 3]
    assert (run(name, stack[order], [ids[i] for i in order]) == out[order]).all(), "depends on the order or the batch"
    for row in (0, 5):
        assert (run(name, stack[row : row + 1], ids[row : row + 1]) == out[row]).all(), "depends on the batch's size"
    assert run(name, stack[:0], []).shape == (0, *out.shape[1:]), "no rows in, none out"


@pytest.mark.parametrize("name", STEPS)
def test_a_large_batch_gives_what_single_rows_give(name: str) -> None:
    """Some steps take another way for many values at once: the bytes are the same."""
    stack = np.tile(images_of((64, 80, 3)), (6, 1, 1, 1))
    ids = ids_of(len(stack))
    out = run(name, stack, ids)
    for row in (0, 17, 53):
        assert (run(name, stack[row : row + 1], ids[row : row + 1]) == out[row]).all()


@pytest.mark.parametrize("name", RANDOM)
def test_p_is_the_share_of_rows_that_change(name: str) -> None:
    """None at 0, nearly all at 1, and in between the others stay as they are."""
    sized = {"image.random_crop": {"height_px": 24, "width_px": 30}}.get(name, {})  # a whole crop changes nothing
    stack, ids = np.tile(images_of((24, 30, 3)), (40, 1, 1, 1)), ids_of(360)
    changed = {p: (run(name, stack, ids, p=p, **sized) != stack).any(axis=(1, 2, 3)).mean() for p in (0.0, 0.5, 1.0)}
    assert changed[0.0] == 0
    if name != "image.random_crop":
        assert changed[1.0] > 0.9
        assert 0.38 < changed[0.5] < 0.62


@pytest.mark.parametrize("name", RANDOM)
def test_rows_and_seeds_draw_apart(name: str) -> None:
    """Equal pictures under different ids, or another seed, come out different."""
    if name in ("image.grayscale", "image.horizontal_flip", "image.vertical_flip"):
        pytest.skip("draws only whether it fires")
    stack = np.repeat(images_of((24, 30, 3), 1), 12, axis=0)
    out = run(name, stack, ids_of(12), p=1.0)
    assert len({each.tobytes() for each in out}) >= 6
    function = names.resolve(name)
    args = (stack, 255 - stack) if names.kind_of(function) == "mixing" else (stack,)
    options = {**OPTIONS.get(name, {}), "p": 1.0}
    other = function(RowRandom(ids_of(12), 6, name, 2), *args, **options)
    other = other[0] if isinstance(other, tuple) else other
    assert (other != out).any()


@pytest.mark.parametrize("name", [*STEPS, *RULES])
def test_a_step_has_the_shape_and_the_words_of_one(name: str) -> None:
    """Options are keyword-only and bounded; random steps take `p`; the docstring says it in one line."""
    function = names.resolve(name)
    signature = inspect.signature(function)
    options = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert len(options) + (
        3 if "others" in signature.parameters else 2 if "random" in signature.parameters else 1
    ) == len(signature.parameters)
    assert ("p" in signature.parameters) == ("random" in signature.parameters)
    assert (inspect.getdoc(function) or "").split("\n")[0].endswith((".", ";")), "its first line is a sentence"
    names.complete_options(name, OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", [name for name in STEPS if names.kind_of(names.resolve(name)) != "mixing"])
def test_a_waiting_canvas_gives_what_a_plain_stack_gives(name: str) -> None:
    """A step alone is the same, done at once or when settled."""
    stack, ids = images_of((24, 30, 3)), ids_of(9)
    function, options = names.resolve(name), OPTIONS.get(name, {})
    args = (RowRandom(ids, 5, name, 2),) if names.kind_of(function) == "random" else ()
    assert (function(*args, Canvas(stack), **options).settled().images == run(name, stack, ids)).all()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_gives_one_reason_or_null_per_image(name: str) -> None:
    """And the same for an image whatever lies beside it."""
    stack = np.concatenate(
        [images_of((24, 30, 3)), np.zeros((1, 24, 30, 3), np.uint8), np.full((1, 24, 30, 3), 255, np.uint8)]
    )
    rule: Callable[..., list[str | None]] = names.resolve(name)
    reasons = rule(stack)
    assert len(reasons) == 11 and set(reasons) <= {None, name.removeprefix("image.reject_")}
    assert [rule(stack[i : i + 1])[0] for i in range(11)] == reasons and rule(stack[:0]) == []


def test_rules_refuse_what_they_name() -> None:
    """Each rule on a picture made for it, and on a good one."""
    good = images_of((64, 64, 1), 1)
    dim, glare = (good // 64).astype(np.uint8), (250 + good // 64).astype(np.uint8)
    flat = (128 + good // 40).astype(np.uint8)
    soft = cv2.GaussianBlur(good[0], (0, 0), 8).reshape(good.shape)
    cases = [
        (image.reject_blank, np.full_like(good, 90), "blank"),
        (image.reject_too_dark, dim, "too_dark"),
        (image.reject_too_bright, glare, "too_bright"),
        (image.reject_low_contrast, flat, "low_contrast"),
        (image.reject_blurred, soft, "blurred"),
    ]
    for rule, bad, reason in cases:
        assert rule(np.concatenate([bad, good])) == [reason, None]
    sizes = [np.zeros((9, 40, 1), np.uint8), np.zeros((20, 20, 1), np.uint8)]
    assert image.reject_wrong_size(sizes, min_height_px=10) == ["wrong_size", None]
    assert image.reject_wrong_size(sizes, max_aspect=2.0) == ["wrong_size", None]


def test_blank_is_exact_at_its_threshold() -> None:
    """The standard deviation, as numpy has it."""
    stack = images_of((24, 30, 1), 4)
    for each in stack:
        std = float(each.std())
        assert image.reject_blank(each[None], min_std=std * (1 - 1e-9)) == [None]
        assert image.reject_blank(each[None], min_std=std * (1 + 1e-9)) == ["blank"]


# ---- geometry against scipy, and against itself ----


def through_scipy(picture: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """An affine map by scipy's linear interpolation, zeros outside (cut half a pixel off, as scipy does)."""
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
    yx = swap @ matrix @ swap
    return ndimage.affine_transform(picture.astype(float), yx[:2, :2], yx[:2, 2], order=1, mode="grid-constant", cval=0)


def test_affine_is_what_scipy_makes_of_the_same_matrix() -> None:
    """Within what OpenCV's fixed-point weights cost."""
    stack, random = images_of((40, 50, 1)), np.random.default_rng(0)
    drawn = {
        "degrees": random.uniform(-40, 40, 9),
        "scale": random.uniform(0.8, 1.4, 9),
        "shear_degrees": random.uniform(-20, 20, 9),
        "right_px": random.uniform(-6, 6, 9),
        "down_px": random.uniform(-6, 6, 9),
    }
    matrices = maps.affine_map(40, 50, **drawn)
    out = warp_images(stack, Warp((matrices,), (40, 50), Edge()))
    for row in range(9):
        difference = np.abs(out[row, ..., 0] - through_scipy(stack[row, ..., 0], matrices[row]))
        assert np.percentile(difference, 95) <= 2.5 and difference.max() <= 12


def test_a_turn_is_anticlockwise_as_pillow_turns() -> None:
    """By 20 degrees, all but the rim."""
    stack = images_of((41, 41, 1), 1)
    ours = geometry.rotate(RowRandom(ids_of(1), 0, "x"), stack, degrees=(20.0, 20.0))[0, ..., 0]
    theirs = np.asarray(Image.fromarray(stack[0, ..., 0]).rotate(20, Image.Resampling.BILINEAR))
    assert np.abs(ours[8:-8, 8:-8].astype(int) - theirs[8:-8, 8:-8]).mean() < 1.5


@pytest.mark.parametrize("name, shown", [("horizontal_flip", np.fliplr), ("vertical_flip", np.flipud)])
@pytest.mark.parametrize("shape", SHAPES)
def test_flips_are_exact(name: str, shown: Callable[[Any], Any], shape: tuple[int, int, int]) -> None:
    """Pixel for pixel, although they go through an interpolation."""
    stack = images_of(shape)
    out = run(f"image.{name}", stack, ids_of(9), p=1.0)
    assert all((after == shown(before)).all() for before, after in zip(stack, out, strict=True))


def test_whole_pixel_moves_pads_and_crops_are_exact() -> None:
    """Padded and cut back: nothing is lost."""
    stack = images_of((24, 30, 3))
    padded = image.pad(stack, px=5, fill=9)
    assert (padded == np.pad(stack, ((0, 0), (5, 5), (5, 5), (0, 0)), constant_values=9)).all()
    assert (image.centre_crop(padded, height_px=24, width_px=30) == stack).all()
    crops = run("image.random_crop", stack, ids_of(9))
    windows = np.lib.stride_tricks.sliding_window_view(stack, (16, 20), axis=(1, 2))
    for row, crop in enumerate(crops):
        assert (windows[row] == crop.transpose(2, 0, 1)).all(axis=(2, 3, 4)).any(), "a crop is a part of its picture"


@pytest.mark.parametrize("border, theirs", [("constant", "constant"), ("reflect", "reflect"), ("edge", "edge")])
def test_borders_are_what_numpy_calls_them(border: str, theirs: str) -> None:
    """Constant, reflect and edge padding."""
    stack = images_of((24, 30, 1))
    assert (image.pad(stack, px=6, border=border) == np.pad(stack, ((0, 0), (6, 6), (6, 6), (0, 0)), theirs)).all()


@pytest.mark.parametrize("times", [2, 3, 4])
def test_shrinking_averages_and_does_not_alias(times: int) -> None:
    """A fine checkerboard becomes even grey, as area averaging has it; linear sampling alone would show stripes."""
    board = np.indices((48, 48)).sum(axis=0) % 2 * 255
    stack = board.astype(np.uint8)[None, ..., None]
    out = image.resize(stack, height_px=48 // times, width_px=48 // times)[0, ..., 0]
    means = board.reshape(48 // times, times, 48 // times, times).mean(axis=(1, 3))
    assert np.abs(out - means).max() <= 2


def test_perspective_fetches_the_corners() -> None:
    """The homography carries the output's corners to the shifted ones; its inverse brings them back."""
    shifts = np.random.default_rng(1).uniform(-6, 6, (5, 4, 2))
    matrices = maps.corner_map(30, 40, corners=shifts)
    corners = np.array([[0, 0], [39, 0], [39, 29], [0, 29]], float)
    points = np.concatenate([corners, np.ones((4, 1))], axis=1)
    seen = np.einsum("nij,kj->nki", matrices, points)
    seen = seen[..., :2] / seen[..., 2:]
    assert np.allclose(seen, corners + shifts, atol=1e-9)
    same = compose(matrices, invert(matrices))
    assert np.allclose(same / same[:, 2:, 2:], np.eye(3), atol=1e-9)
    theirs = cv2.getPerspectiveTransform(corners.astype(np.float32), (corners + shifts[0]).astype(np.float32))
    assert np.allclose(matrices[0], theirs, atol=1e-5)


def test_elastic_shifts_have_the_stated_deviation_everywhere() -> None:
    """Measured over many rows: in the middle, at the rim, between controls."""
    ids = ids_of(3000)
    shifts = RowRandom(ids, 0, "x").normal(size=(2, 5, 5))
    field = maps.bend_field(28, 28, std_px=np.full(3000, 1.5), shifts=shifts).evaluate()
    deviation = field.std(axis=0)
    assert np.abs(deviation - 1.5).max() < 0.12
    neighbours = np.abs(np.diff(field, axis=3)).mean()
    assert neighbours < 0.35, "the field is smooth"


def test_elastic_is_what_scipy_makes_of_the_same_field() -> None:
    """Against map_coordinates."""
    stack, shifts = images_of((40, 50, 1), 3), np.random.default_rng(0).normal(size=(3, 2, 4, 4))
    field = maps.bend_field(40, 50, std_px=np.full(3, 2.0), shifts=shifts)
    out = warp_images(stack, Warp((field,), (40, 50), Edge("edge")))
    y, x = np.mgrid[:40, :50]
    for row, (dx, dy) in enumerate(field.evaluate()):
        theirs = ndimage.map_coordinates(stack[row, ..., 0].astype(float), [y + dy, x + dx], order=1, mode="nearest")
        assert np.abs(out[row, ..., 0] - theirs).max() <= 4


# ---- colours, effects and noise ----


def test_hue_and_saturation_follow_the_colour_circle() -> None:
    """Hue against colorsys, pixel by pixel; saturation 0 is the grey of the weights, 1 changes nothing."""
    stack = images_of((8, 8, 3), 1)
    turned = colour.adjust_hue(stack, shift_degrees=np.array([90.0]))[0].reshape(-1, 3)
    for before, after in zip(stack[0].reshape(-1, 3), turned, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(before / 255))
        expected = np.array(colorsys.hsv_to_rgb((h + 0.25) % 1, s, v)) * 255
        assert np.abs(after - expected).max() <= 9, "8 bits of hue, saturation and value cost some levels"
    grey = colour.adjust_saturation(stack, factor=np.zeros(1))
    assert np.abs(grey - (stack @ np.array([0.299, 0.587, 0.114]))[..., None]).max() <= 1
    assert (colour.adjust_saturation(stack, factor=np.ones(1)) == stack).all()


@pytest.mark.parametrize("name", ["hue", "saturation", "grayscale"])
def test_grey_pictures_have_no_colours_to_change(name: str) -> None:
    """One channel passes through."""
    stack = images_of((24, 30, 1))
    assert (run(f"image.{name}", stack, ids_of(9), p=1.0) == stack).all()


def test_tables_are_the_formulas_they_stand_for() -> None:
    """Brightness, contrast about the own mean, gamma: against float arithmetic on the pixels."""
    stack = images_of((24, 30, 1))
    x, mean = stack.astype(float), stack.mean(axis=(1, 2, 3), keepdims=True)
    factor = RowRandom(ids_of(9), 5, "image.contrast", 2)
    factor.bernoulli(1.0)
    factors = factor.uniform(0.5, 1.5)[:, None, None, None]
    out = run("image.contrast", stack, ids_of(9), max_change=0.5)
    assert np.abs(out - np.clip(mean + factors * (x - mean), 0, 255)).max() <= 1
    levels = np.arange(256.0)
    assert (colour.light_tables(change=np.array([0.2]))[0] == np.clip(levels + 51, 0, 255)).all()
    assert np.abs(colour.gamma_tables(gamma=np.array([2.0]))[0] - 255 * (levels / 255) ** 2).max() <= 0.5


@pytest.mark.parametrize("shape", SHAPES)
def test_mean_grey_is_exact(shape: tuple[int, int, int]) -> None:
    """Whole-number sums, the same for small and large pictures."""
    stack = images_of(shape)
    weights = np.array(values.GREY_WEIGHTS) / 1000 if shape[2] == 3 else np.ones(1)
    assert np.allclose(
        colour.grey_means(stack), (stack.astype(float).mean(axis=(1, 2)) * weights).sum(axis=1), atol=1e-9
    )


def test_noise_has_the_stated_deviation_and_no_pattern() -> None:
    """On mid grey: mean 0, the stated deviation, normal tails, neighbours and rows uncorrelated."""
    stack = np.full((200, 64, 64, 1), 128, np.uint8)
    out = image.gaussian_noise(RowRandom(ids_of(200), 0, "x"), stack, std=12.0).astype(float) - 128
    assert abs(out.mean()) < 0.1 and abs(out.std() - 12) < 0.1
    assert abs((np.abs(out) > 24).mean() - 0.0455) < 0.006
    assert abs(np.corrcoef(out[:, :, 1:].ravel(), out[:, :, :-1].ravel())[0, 1]) < 0.01
    flat = out.reshape(200, -1)
    between = np.corrcoef(flat)[np.triu_indices(200, 1)]
    assert np.percentile(np.abs(between), 99) < 0.08


def test_speckle_grows_with_the_level_and_salt_has_its_share() -> None:
    """Standard deviations of speckle in proportion to the level; fractions of white and black pixels as told."""
    levels = np.full((2, 100, 100, 1), 50, np.uint8)
    levels[1] = 150
    out = image.speckle(RowRandom(ids_of(2), 0, "x"), levels, std_fraction=0.1).astype(float)
    assert np.allclose(out.std(axis=(1, 2, 3)), [5, 15], rtol=0.1)
    grey = np.full((50, 64, 64, 3), 128, np.uint8)
    salted = image.salt_and_pepper(RowRandom(ids_of(50), 0, "x"), grey, fraction=0.1)
    assert abs((salted == 255).mean() - 0.05) < 0.004 and abs((salted == 0).mean() - 0.05) < 0.004
    assert (salted.min(axis=3) == salted.max(axis=3)).all(), "all channels of a pixel alike"


def test_both_ways_to_add_noise_give_the_same_bytes() -> None:
    """The saturating way for many values, and the float way for few."""
    stack = images_of((64, 80, 3), 20)
    random = RowRandom(ids_of(20), 0, "x")
    starts, std = noise.window_starts(random, stack[0].size), np.full(20, 9.3)
    assert stack.size >= noise._TABLE > stack[0].size
    whole = noise.add_noise(stack, std=std, starts=starts)
    parts = [noise.add_noise(stack[i : i + 1], std=std[i : i + 1], starts=starts[i : i + 1]) for i in range(20)]
    assert (whole == np.concatenate(parts)).all()


def test_occlusion_hides_the_share_it_says() -> None:
    """Cutout's squares, erase's area, grid mask's part: counted in pixels."""
    white = np.full((300, 50, 50, 1), 255, np.uint8)
    random = RowRandom(ids_of(300), 0, "x")
    erased = (image.erase(random, np.zeros_like(white), area=(0.2, 0.2), aspect=(1.0, 1.0), p=1.0) > 0).mean()
    assert abs(erased - 0.2 * 255 / 256) < 0.01
    masked = (image.grid_mask(random, white, period_fraction=(0.2, 0.2), kept_share=0.5) == 0).mean()
    assert abs(masked - 0.25) < 0.02
    cut = (image.cutout(random, white, count=1, size_fraction=(0.2, 0.2)) == 0).sum(axis=(1, 2, 3))
    assert cut.max() <= 110 and cut.min() >= 20 and np.median(cut) == 100


def test_night_is_darker_and_bluer_and_lamps_stay() -> None:
    """On a grey street with one lamp."""
    street = np.full((1, 80, 100, 3), 120, np.uint8)
    street[:, 20:22, 30:32] = 255
    dark = effects.night(street, strength=np.ones(1), starts=np.zeros((1, 6), np.int64)).astype(float)
    assert dark.mean() < 40 and dark[..., 2].mean() > dark[..., 0].mean() + 5
    assert dark[0, 20:22, 30:32].mean() > 200


def test_blur_and_sharpen_undo_each_other_in_kind() -> None:
    """A blur lowers the variance of the Laplacian, an unsharp mask raises it; JPEG of quality 100 changes hardly."""
    stack = images_of((64, 80, 1))

    def edges(images: NDArray[np.uint8]) -> float:
        return float(np.mean([cv2.Laplacian(each, cv2.CV_64F).var() for each in images]))

    assert edges(run("image.blur", stack, ids_of(9))) < edges(stack) < edges(run("image.sharpen", stack, ids_of(9)))
    assert np.abs(effects.through_jpeg(stack, quality=np.full(9, 100.0)).astype(int) - stack).max() <= 3


# ---- mixing ----


def test_mixing_shares_are_what_is_seen() -> None:
    """Black mixed with white: the mean level is the share."""
    black, white = np.zeros((60, 32, 32, 1), np.uint8), np.full((60, 32, 32, 1), 255, np.uint8)
    for step in (image.mixup, image.cutmix, image.interpolate):
        mixed, share = step(RowRandom(ids_of(60), 0, "x"), black, white, p=0.7)
        assert np.allclose(mixed.mean(axis=(1, 2, 3)) / 255, share, atol=0.003)
        assert ((share == 0) == (mixed == 0).all(axis=(1, 2, 3))).all() and 0.5 < (share > 0).mean() < 0.9
        assert share.max() <= 0.55


@pytest.mark.parametrize("name", [name for name in RANDOM if names.kind_of(names.resolve(name)) == "mixing"])
def test_a_mixing_step_draws_first_whether_it_fires(name: str) -> None:
    """Those who choose partners rely on it: only rows that fire get one."""
    stack = np.zeros((200, 16, 16, 1), np.uint8)
    _, share = names.resolve(name)(RowRandom(ids_of(200), 5, name, 2), stack, stack, p=0.4)
    assert ((share > 0) == RowRandom(ids_of(200), 5, name, 2).bernoulli(0.4)).all()


WANTED = {
    "geometry": "rotate translate scale shear affine horizontal_flip vertical_flip perspective elastic",
    "framing": "random_crop resized_crop pad",
    "levels": "brightness contrast gamma saturation hue colour_jitter grayscale",
    "damage": "blur sharpen gaussian_noise salt_and_pepper speckle jpeg_compression day_to_night",
    "occlusion": "cutout grid_mask erase",
    "mixing": "mixup cutmix interpolate",
    "rules": "reject_blank reject_too_dark reject_too_bright reject_low_contrast reject_blurred reject_wrong_size",
}


@pytest.mark.parametrize("group", WANTED)
def test_every_step_that_recipes_rely_on_is_there(group: str) -> None:
    """By its name, with a line of its own in the listing."""
    listed = dict(names.listing())
    for name in WANTED[group].split():
        assert len(listed[f"image.{name}"]) > 10
