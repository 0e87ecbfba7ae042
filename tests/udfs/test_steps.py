"""Lists of steps: the same bytes however rows are batched, fused close to unfused, told and refused in words."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from udfs import names, records, steps
from udfs.image import decode, encode, encode_masks, geometry
from udfs.image.canvas import Canvas
from udfs.rng import RowRandom
from udfs.steps import Form, StepError, compile_rules, compile_steps

REPOSITORY = Path(__file__).resolve().parents[2]
GREY, COLOUR = Form(28, 28, 1), Form(40, 48, 3)
DIGITS: list[Any] = [
    ("image.affine", {"rotate_degrees": [-12, 12], "scale": [0.9, 1.1], "translate_fraction": [-0.1, 0.1]}),
    ("image.elastic", {"std_px": 0.4, "grid": 4}),
    ("image.gaussian_noise", {"std": 8, "p": 0.5}),
    ("image.mixup", {"partners": "same_label", "p": 0.3}),
]
PHOTOGRAPHS: list[Any] = [
    ("image.resized_crop", {}),
    ("image.rotate", {"border": "reflect"}),
    ("image.horizontal_flip", {}),
    ("image.perspective", {"border": "reflect", "p": 0.5}),
    ("image.colour_jitter", {}),
    ("image.gamma", {}),
    ("image.gaussian_noise", {"std": [2, 9]}),
    ("image.blur", {"p": 0.3}),
    ("image.cutout", {"p": 0.5}),
    ("image.jpeg_compression", {"p": 0.2}),
]


def pictures(form: Form, count: int = 40, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth pictures of the form, all different."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 6, 7, form.channels), dtype=np.uint8)
    size = (form.width, form.height)
    big = [cv2.resize(each, size, interpolation=cv2.INTER_CUBIC).reshape(form.height, form.width, -1) for each in small]
    return np.stack(big)


def batch_of(form: Form, count: int = 40, nulls: tuple[int, ...] = ()) -> pa.RecordBatch:
    """Rows to be made, with a partner for all but two."""
    made_by, parent = records.maker("augmented", 1), records.maker("real", "a")
    parents = [parent + records.which(i) for i in range(count)]
    blobs: list[bytes | None] = list(encode(pictures(form, count)))
    others: list[bytes | None] = list(encode(pictures(form, count, 1)))
    for row in nulls:
        blobs[row] = None
    others[1] = others[2] = None
    return pa.RecordBatch.from_pydict(
        {
            "row_id": [records.child_id(made_by, [each]) for each in parents],
            "row_parents": [[each] for each in parents],
            "label": ["a" if i % 2 else "b" for i in range(count)],
            "weight": list(range(count)),
            "image": pa.array(blobs, pa.binary()),
            "partner_image": pa.array(others, pa.binary()),
            "partner_label": [None if i in (1, 2) else "a" for i in range(count)],
            "partner_id": [None if i in (1, 2) else parents[i - 1] for i in range(count)],
        }
    )


def joined(parts: list[pa.RecordBatch]) -> pa.Table:
    """Parts as one table."""
    return pa.Table.from_batches(parts).combine_chunks()


@pytest.mark.parametrize("form, listed", [(GREY, DIGITS), (COLOUR, PHOTOGRAPHS)])
def test_rows_are_the_same_in_any_batch_and_order(
    form: Form, listed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, in sevens, one by one, backwards, and in slices of another size."""
    compiled, batch = compile_steps(listed, form=form), batch_of(form)
    whole = joined([compiled(batch, seed=3)])
    for size in (7, 1):
        assert joined([compiled(batch.slice(i, size), seed=3) for i in range(0, batch.num_rows, size)]).equals(whole)
    back = pa.array(range(batch.num_rows - 1, -1, -1))
    assert joined([compiled(batch.take(back), seed=3)]).take(back).combine_chunks().equals(whole)
    monkeypatch.setattr(steps, "SLICE_BYTES", 3 * form.bytes_per_image)
    assert joined([compiled(batch, seed=3)]).equals(whole)
    assert not joined([compiled(batch, seed=4)]).equals(whole)


def test_rows_are_the_same_in_another_process() -> None:
    """A fresh interpreter, which has drawn and built nothing yet, makes the same bytes from the pickled steps."""
    compiled, batch = compile_steps(PHOTOGRAPHS, form=COLOUR), batch_of(COLOUR, 6)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    code = (
        "import sys, pickle, hashlib, pyarrow as pa\n"
        "compiled, rows = pickle.loads(sys.stdin.buffer.read())\n"
        "batch = pa.ipc.open_stream(rows).read_next_batch()\n"
        "print(hashlib.sha256(b''.join(compiled(batch, seed=3).column('image').to_pylist())).hexdigest())\n"
    )
    given = pickle.dumps((compiled, sink.getvalue().to_pybytes()))
    told = subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, check=True, cwd=REPOSITORY
    ).stdout.decode()
    assert told.strip() == hashlib.sha256(b"".join(compiled(batch, seed=3).column("image").to_pylist())).hexdigest()


def test_a_null_image_stays_null_and_harms_no_neighbour() -> None:
    """The other rows are as they are without it; an empty batch gives an empty batch of the same columns."""
    compiled = compile_steps(DIGITS, form=GREY)
    whole, holed = compiled(batch_of(GREY), seed=3), compiled(batch_of(GREY, nulls=(0, 7)), seed=3)
    assert holed.column("image").null_count == 2 and not holed.column("image")[7].is_valid
    others = [i for i in range(40) if i not in (0, 7)]
    assert holed.take(pa.array(others)).equals(whole.take(pa.array(others)))
    all_null = compiled(batch_of(GREY, 3, nulls=(0, 1, 2)), seed=3)
    assert all_null.column("image").null_count == 3 and all_null.schema == whole.schema
    assert compiled(batch_of(GREY).slice(0, 0), seed=3).schema == whole.schema


def test_a_parent_that_cannot_be_decoded_is_named() -> None:
    """Loudly: parents have been cleaned."""
    batch = batch_of(GREY, 3)
    broken = batch.set_column(batch.schema.get_field_index("image"), "image", pa.array([b"x"] * 3, pa.binary()))
    with pytest.raises(ValueError, match=f"row {batch.column('row_id')[0]}: its image .*image_unreadable"):
        compile_steps(DIGITS, form=GREY)(broken)


def test_mixing_tells_of_both_parents() -> None:
    """Ids, parents and labels, where it fired and where it did not; rows without a partner are not mixed."""
    batch = batch_of(GREY, 40)
    compiled = compile_steps([("image.mixup", {"partners": "any", "p": 0.5, "share": [0.2, 0.45]})], form=GREY)
    assert compiled.needs_partners == ["any"]
    made = compiled(batch, seed=1).to_pylist()
    mixed = 0
    for row, (before, after) in enumerate(zip(batch.to_pylist(), made, strict=True)):
        assert not set(after) & set(steps.PARTNER_COLUMNS) and after["weight"] == row
        if len(after["row_parents"]) == 1:
            assert after["row_id"] == before["row_id"] and after["soft_label"] is None
            assert (decode([after["image"]], 28, 28, 1)[0] == decode([before["image"]], 28, 28, 1)[0]).all()
            continue
        mixed += 1
        assert row not in (1, 2)
        assert after["row_parents"] == [before["row_parents"][0], before["partner_id"]]
        assert after["row_id"] == records.child_id(before["row_id"][:16], after["row_parents"])
        assert after["label"] == before["label"], "the larger share is its own"
        if before["label"] == before["partner_label"]:
            assert after["soft_label"] is None
        else:
            shares = dict(after["soft_label"])
            assert set(shares) == {"a", "b"} and abs(sum(shares.values()) - 1) < 1e-9 and 0.2 <= shares["a"] <= 0.45
    assert 10 < mixed < 30
    always = compile_steps([("image.mixup", {"p": 1.0})], form=GREY)(batch, seed=1).to_pylist()
    assert [i for i, row in enumerate(always) if len(row["row_parents"]) == 1] == [1, 2]


def test_a_partner_went_through_the_steps_before() -> None:
    """A brightening before the mix brightens the partner too."""
    form = Form(16, 16, 1)
    listed: list[Any] = [("image.gamma", {"gamma": [0.2, 0.2]}), ("image.cutmix", {"share": [0.3, 0.3], "p": 1.0})]
    compiled = compile_steps(listed, form=form)
    stack = np.full((5, 16, 16, 1), 10, np.uint8)
    made = compiled.apply(stack, batch_of(form, 5).column("row_id").to_pylist(), 0, others=stack + 30)
    assert set(np.unique(made.images)) == {round(255 * (10 / 255) ** 0.2), round(255 * (40 / 255) ** 0.2)}


def test_fused_steps_are_close_to_the_same_steps_one_by_one() -> None:
    """One interpolation for four: the middle of the picture differs by what three interpolations blur."""
    listed = [
        ("image.rotate", {}),
        ("image.scale", {}),
        ("image.horizontal_flip", {}),
        ("image.elastic", {"std_px": 0.5}),
    ]
    stack, ids = pictures(COLOUR, 12), batch_of(COLOUR, 12).column("row_id").to_pylist()
    fused = compile_steps(listed, form=COLOUR).apply(stack, ids, 5).images
    single = stack
    for place, (name, options) in enumerate(listed):
        full = names.complete_options(name, options)
        single = names.resolve(name)(RowRandom(ids, 5, name, place), single, **full)
    middle = (slice(None), slice(12, -12), slice(12, -12))
    assert np.abs(fused[middle].astype(int) - single[middle]).mean() < 4
    turned = compile_steps(
        [("image.rotate", {"degrees": [30, 30]}), ("image.rotate", {"degrees": [-30, -30]})], form=COLOUR
    )
    assert (turned.apply(stack, ids).images == stack).all(), "there and back is whole: nothing was cut off in between"


def test_fused_tables_are_the_same_as_one_by_one() -> None:
    """Tables after tables lose nothing."""
    listed = [("image.contrast", {}), ("image.gamma", {}), ("image.brightness", {})]
    stack, ids = pictures(COLOUR, 12), batch_of(COLOUR, 12).column("row_id").to_pylist()
    single = stack
    for place, (name, options) in enumerate(listed):
        full = names.complete_options(name, options)
        single = names.resolve(name)(RowRandom(ids, 5, name, place), single, **full)
    assert (compile_steps(listed, form=COLOUR).apply(stack, ids, 5).images == single).all()


def test_steps_keep_their_order_where_it_matters() -> None:
    """What moves in after a brightening is not brightened: geometry does not overtake a table that waits."""
    listed: list[Any] = [("image.brightness", {}), ("image.translate", {"fraction": [0.2, 0.2]})]
    stack, ids = pictures(COLOUR, 12), batch_of(COLOUR, 12).column("row_id").to_pylist()
    made = compile_steps(listed, form=COLOUR).apply(stack, ids, 5).images
    assert (made[:, :7] == 0).all() and (made[:, :, :9] == 0).all()
    assert (made[:, 8:, 10:] != stack[:, :-8, :-10]).any()


def test_a_run_of_geometry_is_one_interpolation(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of OpenCV per image for five steps; one table for two."""
    calls = {"warp": 0, "lut": 0}

    def counted(name: str, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return function(*args, **kwargs)

        return call

    compiled = compile_steps([*PHOTOGRAPHS[:4], ("image.contrast", {}), ("image.brightness", {})], form=Form(80, 80, 3))
    for name in ("warpAffine", "warpPerspective", "remap"):
        monkeypatch.setattr(cv2, name, counted("warp", getattr(cv2, name)))
    monkeypatch.setattr(cv2, "LUT", counted("lut", cv2.LUT))
    compiled.apply(pictures(Form(80, 80, 3), 10), batch_of(GREY, 10).column("row_id").to_pylist(), 5)
    assert calls == {"warp": 10, "lut": 10}


def test_explain_tells_what_was_drawn() -> None:
    """For each step whether it fired and with what; the drawn parameters make the same image again."""
    compiled, batch = compile_steps(DIGITS[:2], form=GREY), batch_of(GREY, 5, nulls=(2,))
    told = compiled.explain(batch, seed=3)
    assert [row["row_id"] for row in told] == [x for i, x in enumerate(batch.column("row_id").to_pylist()) if i != 2]
    first = told[0]["steps"][0]
    assert first["step"] == "image.affine" and first["fired"] and -12 <= first["parameters"]["degrees"] <= 12
    some = compile_steps(DIGITS, form=GREY).explain(batch_of(GREY), seed=3)
    fired = [row["steps"][2]["fired"] for row in some]
    assert 8 < sum(fired) < 32 and all(
        row["steps"][2]["parameters"] == {} for row, f in zip(some, fired, strict=True) if not f
    )
    drawn = {name: np.array([value]) for name, value in first["parameters"].items()}
    matrix = geometry.affine_map(28, 28, **drawn)
    again = cv2.warpAffine(pictures(GREY, 5)[0], matrix[0, :2], (28, 28), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    alone = compile_steps(DIGITS[:1], form=GREY)(batch.slice(0, 1), seed=3).column("image")[0].as_py()
    assert (decode([alone], 28, 28, 1)[0][0, ..., 0] == again).all()


def test_identity_covers_all_that_decides_the_bytes() -> None:
    """Options, defaults spelled out, order, form and revisions; plain JSON; not how the options were written."""
    plain = compile_steps([("image.rotate", {})], form=GREY).identity
    assert plain == compile_steps(["image.rotate"], form=GREY).identity
    assert plain == compile_steps([("image.rotate", {"degrees": (-15, 15.0)})], form=GREY).identity
    others: list[Any] = [
        compile_steps([("image.rotate", {"p": 0.9})], form=GREY),
        compile_steps([("image.shear", {})], form=GREY),
        compile_steps([("image.rotate", {})], form=Form(28, 28, 1, encoding="jpeg")),
        compile_steps([("image.rotate", {}), ("image.shear", {})], form=GREY),
        compile_steps([("image.shear", {}), ("image.rotate", {})], form=GREY),
    ]
    assert len({records.maker(each.identity) for each in others} | {records.maker(plain)}) == 6


# ---- masks and boxes ----


def test_masks_and_boxes_follow_on_camvid(data_dir: Path) -> None:
    """A class drawn into the photograph in a colour of its own lies after all steps where the mask says it lies."""
    folder = data_dir / "images" / "camvid"
    masks = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted((folder / "masks").glob("*.png"))[:6]]
    small = np.stack([mask[::3, ::3] for mask in masks])
    painted = np.repeat((small * 20)[..., None], 3, axis=3)
    boxes = [[_box_of(mask == 2, "buildings")] for mask in small]
    form = Form(120, 160, 3, masks=True, boxes=True)
    listed: list[Any] = [
        ("image.affine", {"rotate_degrees": [-20, 20], "shear_degrees": [-8, 8]}),
        ("image.horizontal_flip", {}),
        ("image.elastic", {"std_px": 2.0, "grid": 5}),
        ("image.perspective", {"max_shift_fraction": 0.05}),
        ("image.gaussian_noise", {"std": 2}),
        ("image.cutout", {"p": 0.0}),
    ]
    ids = [records.maker("m") + records.which(i) for i in range(len(small))]
    batch = pa.RecordBatch.from_pydict(
        {"row_id": ids, "boxes": pa.array(boxes, records.BOXES), "mask": encode_masks(small), "image": encode(painted)}
    )
    out = compile_steps(listed, form=form)(batch, seed=2)
    images = decode(out.column("image").to_pylist(), 120, 160, 3)[0]
    after = decode([*out.column("mask").to_pylist()], 120, 160, 1)[0][..., 0]
    assert set(np.unique(after)) <= set(np.unique(small)), "no class was invented between two others"
    seen = np.rint(images.astype(float).mean(axis=3) / 20)
    inner = np.stack(
        [cv2.erode((mask == cv2.dilate(mask, np.ones((5, 5)))).astype(np.uint8), np.ones((5, 5))) for mask in after]
    )
    agree = (np.abs(seen - after) <= 0.51)[inner.astype(bool)].mean()
    assert agree > 0.995, f"image and mask agree on {agree:.3f} of the pixels inside classes"
    for row, mask in enumerate(after):
        found = [box for box in out.column("boxes")[row].as_py() if box["label"] == "buildings"]
        truth = _box_of(mask == 2, "buildings")
        assert len(found) == 1
        for key, slack in (("x0", -1), ("y0", -1), ("x1", 1), ("y1", 1)):
            assert (found[0][key] - truth[key]) * slack >= -2, "the box holds all that the mask shows of it"


def _box_of(inside: NDArray[np.bool_], label: str) -> dict[str, Any]:
    """The box around marked pixels."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return dict(zip(("x0", "y0", "x1", "y1"), map(float, corners), strict=True)) | {"label": label}


def test_a_box_that_leaves_the_picture_is_cut_or_dropped() -> None:
    """Half out: cut at the edge. Out: gone. Under a turn by 90 degrees: width and height change places."""
    form = Form(40, 40, 1, boxes=True)
    boxes = [
        [
            {"x0": 0.0, "y0": 10.0, "x1": 10.0, "y1": 30.0, "label": "left"},
            {"x0": 30.0, "y0": 0.0, "x1": 40.0, "y1": 6.0, "label": "right"},
        ]
    ]
    ids = [records.maker("m") + records.which(0)]
    blank = encode(np.zeros((1, 40, 40, 1), np.uint8))
    batch = pa.RecordBatch.from_pydict({"row_id": ids, "boxes": pa.array(boxes, records.BOXES), "image": blank})

    def after(name: str, **options: Any) -> list[dict[str, Any]]:
        return compile_steps([(name, options)], form=form)(batch).column("boxes")[0].as_py()

    moved = after("image.translate", fraction=[-0.125, -0.125])  # 5 pixels left and up
    assert moved[0] == {"x0": 0.0, "y0": 5.0, "x1": 5.0, "y1": 25.0, "label": "left"}
    assert moved[1]["label"] == "right" and (moved[1]["y0"], moved[1]["y1"]) == (0.0, 1.0)
    assert after("image.translate", fraction=[-0.8, -0.8]) == []
    (turned, _) = after("image.rotate", degrees=[90, 90])
    assert [round(turned[k], 3) for k in ("x0", "y0", "x1", "y1")] == [10.0, 30.0, 30.0, 40.0]
    flipped = after("image.horizontal_flip", p=1.0)
    assert (flipped[0]["x0"], flipped[0]["x1"]) == (30.0, 40.0)


# ---- the long tail ----


def test_a_transform_of_albumentations_is_a_step_like_any_other() -> None:
    """Same bytes in any batch; options checked; masks and boxes follow."""
    listed: list[Any] = [
        ("albumentations.RandomFog", {"p": 1.0}),
        ("albumentations.HorizontalFlip", {"p": 0.5}),
        "image.blur",
    ]
    compiled, batch = compile_steps(listed, form=COLOUR), batch_of(COLOUR, 9)
    whole = joined([compiled(batch, seed=3)])
    assert joined([compiled(batch.slice(i, 2), seed=3) for i in range(0, 9, 2)]).equals(whole)
    assert not joined([compiled(batch, seed=4)]).equals(whole)
    stack = pictures(COLOUR, 6)
    ids = batch.column("row_id").to_pylist()[:6]
    flip = compile_steps([("albumentations.HorizontalFlip", {"p": 1.0})], form=COLOUR)
    mask = (stack[..., 0] > 100).astype(np.uint8)
    corners = [[{"x0": 1.0, "y0": 2.0, "x1": 11.0, "y1": 12.0, "label": "q"}], *[[]] * 5]
    made = flip.apply(stack, ids, masks=mask, boxes=steps.BoxSet.of(corners))
    assert (made.images == stack[:, :, ::-1]).all() and (made.masks == mask[:, :, ::-1]).all()
    assert made.boxes is not None
    assert np.allclose(made.boxes.corners, [[37, 2, 47, 12]], atol=1e-4) and made.boxes.owners.tolist() == [0]


# ---- mistakes, in words ----


MISTAKES: list[tuple[Any, str]] = [
    ("image.rotat", r"image.rotat is not a step. The nearest is image.rotate. 'seedbed list steps' shows all \d+."),
    ("rotate", "rotate is not a step. The nearest is image.rotate."),
    ("image.decode", "image.decode is not a step."),
    ("image.codec", "image.codec is not a step."),
    ("os.system", "os.system is not a step."),
    ("image.__import__", "is not a step"),
    (
        ("image.rotate", {"degree": [1, 2]}),
        "image.rotate has no option degree. The nearest is degrees; it has degrees,",
    ),
    (
        ("image.rotate", {"degrees": 15}),
        r"image.rotate: degrees needs \[low, high\] of -360 to 360; it has 15.*write \[-15, 15\]",
    ),
    (("image.rotate", {"degrees": [15, -15]}), r"needs \[low, high\]; it has \[15, -15\]. Turn them round."),
    (("image.rotate", {"degrees": [0, 999]}), r"of -360 to 360; it has 999"),
    (("image.rotate", {"degrees": [1, 2, 3]}), r"\[low, high\]"),
    (("image.rotate", {"degrees": ["a", "b"]}), r"\[low, high\]"),
    (("image.rotate", {"p": 1.5}), "p needs a number of 0 to 1; it has 1.5"),
    (("image.rotate", {"p": True}), "p needs a number of 0 to 1; it has True"),
    (("image.rotate", {"p": float("nan")}), "p needs a number of 0 to 1; it has nan"),
    (("image.rotate", {"border": "mirror"}), "border is one of constant, reflect, edge; it has 'mirror'"),
    (("image.gaussian_noise", {"std": "much"}), r"std needs a number or \[low, high\] of 0 to 255; it has 'much'"),
    (("image.cutout", {"count": 1.5}), "count needs a whole number"),
    (("image.random_crop", {"height_px": 8}), "image.random_crop needs the option width_px"),
    (("image.random_crop", {"height_px": 99, "width_px": 8}), "cuts 99x8 pixels out of 28x28: pad first, or cut less"),
    (("image.pad", {"px": 2}), "these steps give 32x32 pixels, the recipe declares 28x28: end with image.resize"),
    ("image.reject_blank", "belongs under clean.rules"),
    ("albumentations.RandomFogg", "not a transform of albumentations. The nearest is albumentations.RandomFog."),
    (("albumentations.RandomFog", {"fog": 1}), "albumentations.RandomFog has no option fog. The nearest is"),
    (("albumentations.GaussNoise", {"std_range": [5, 9]}), "albumentations.GaussNoise does not take these options"),
]


@pytest.mark.parametrize("step, words", MISTAKES, ids=[str(step) for step, _ in MISTAKES])
def test_a_mistake_is_told_in_words_and_by_its_place(step: Any, words: str) -> None:
    """Before anything runs."""
    with pytest.raises(StepError, match=words) as caught:
        compile_steps(["image.blur", step], form=GREY)
    assert caught.value.place == 1 or "these steps give" in words


def test_lists_that_do_not_go_together_are_refused() -> None:
    """Masks cannot be mixed; one list has one kind of partner; rules are no steps and steps no rules."""
    with pytest.raises(StepError, match="cannot mix masks or boxes"):
        compile_steps(["image.mixup"], form=Form(28, 28, 1, masks=True))
    with pytest.raises(StepError, match="any and same_label: choose one"):
        compile_steps(["image.mixup", ("image.cutmix", {"partners": "same_label"})], form=GREY)
    with pytest.raises(StepError, match=r"belongs under augment.steps"):
        compile_rules(["image.rotate"])
    with pytest.raises(StepError, match="severity is refuse or warn"):
        compile_rules([("image.reject_blank", {"severity": "maybe"})])


def test_the_first_rule_that_refuses_is_the_reason_and_warnings_are_flags() -> None:
    """In the order of the list; a rule of severity warn refuses nobody."""
    stack = np.concatenate([pictures(GREY, 2), np.zeros((1, 28, 28, 1), np.uint8)])
    rules = compile_rules(
        [("image.reject_too_dark", {"severity": "warn"}), ("image.reject_blank", {}), "image.reject_low_contrast"]
    )
    reasons, flags = pickle.loads(pickle.dumps(rules))(stack)
    assert reasons == [None, None, "blank"] and flags == [[], [], ["too_dark"]]
    assert rules(stack[:0]) == ([], [])


def test_a_canvas_settles_when_borders_differ() -> None:
    """Two warps that see different things outside the picture do not join."""
    stack, ids = pictures(COLOUR, 4), batch_of(COLOUR, 4).column("row_id").to_pylist()
    canvas = geometry.rotate(RowRandom(ids, 0, "a"), Canvas(stack), border="reflect")
    assert geometry.horizontal_flip(RowRandom(ids, 0, "b"), canvas).images is stack
    assert geometry.rotate(RowRandom(ids, 0, "b"), canvas, border="constant").images is not stack
