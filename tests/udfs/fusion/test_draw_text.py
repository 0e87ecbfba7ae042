"""Text onto images: where it lies, whether it can be read, what is left and flagged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from udfs import records
from udfs.fusion import contrast, draw_text, lettering, template
from udfs.fusion.compiled import CompiledFusion, FusionForm, compile_fusion_steps
from udfs.fusion.drawing import FLAGS, OTHER_SCRIPT, TOO_FAINT, TOO_LONG
from udfs.fusion.rows import Rows
from udfs.image import decode, encode
from udfs.image.form import Form
from udfs.names import StepError
from udfs.rng import RowRandom

HEIGHT, WIDTH = 48, 96


def ids(count: int) -> list[str]:
    return [records.real_id("made", str(number).encode()) for number in range(count)]


def rows(texts: list[str | None], grounds: np.ndarray | None = None, channels: int = 3, boxes: bool = True) -> Rows:
    """A row of each text on a ground of its own."""
    if grounds is None:
        grounds = np.random.default_rng(3).integers(0, 256, (len(texts), 6, 12, channels)).astype(np.uint8)
        grounds = np.kron(grounds, np.ones((1, 8, 8, 1), np.uint8))
    none: tuple[Any, ...] = ((),) * len(texts)
    return Rows(grounds, texts, ["x"] * len(texts), {}, none if boxes else None)


def drawn(some: Rows, **options: Any) -> Rows:
    return draw_text(RowRandom(ids(len(some)), 7, "fusion.draw_text"), some, **options)


@pytest.mark.parametrize("channels", [1, 3])
def test_ink_lies_in_its_box_and_nowhere_else(channels):
    """Pixels change within the box (and a plate's rim) alone; the string is the box's label."""
    before = rows([f"word {number}" for number in range(60)], channels=channels)
    after = drawn(before, rotate_degrees=(-20, 20), size_px=(9, 14))
    assert after.boxes is not None and not any(after.flags)
    for old, new, boxes, text in zip(before.images, after.images, after.boxes, before.texts, strict=True):
        (box,) = boxes
        assert box["label"] == text
        x0, y0, x1, y1 = (int(box[key]) for key in ("x0", "y0", "x1", "y1"))
        assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT
        changed = (old != new).any(axis=2)
        assert changed[y0:y1, x0:x1].any()
        rim = np.ones_like(changed)
        rim[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = False
        assert not changed[rim].any()


def test_text_has_contrast_to_what_lies_below():
    """Against the lightest and the darkest of the ground; a plate where no colour has it."""
    flat = np.repeat(np.linspace(0, 255, 40).astype(np.uint8), HEIGHT * WIDTH * 3).reshape(40, HEIGHT, WIDTH, 3)
    split = np.zeros((40, HEIGHT, WIDTH, 3), np.uint8)
    split[:, :, ::2] = 255  # half black, half white: no colour reaches 7 on both
    for grounds in (flat, split):
        before = rows(["HHH"] * 40, grounds)
        after = drawn(before, font="sans_bold", size_px=(14, 14), min_contrast=7)
        assert after.boxes is not None
        for picture, boxes in zip(after.images, after.boxes, strict=True):
            x0, y0, x1, y1 = (int(boxes[0][key]) for key in ("x0", "y0", "x1", "y1"))
            lit = contrast.luminance(picture[y0:y1, x0:x1].reshape(-1, 3))
            assert contrast.ratio(lit.max(), lit.min()) >= 6.9
    plain = drawn(rows(["HHH"] * 40, flat), font="sans_bold", size_px=(14, 14), plate="never")
    assert not any(plain.flags)  # on a ground of one level some colour always has 4.5
    left = drawn(rows(["HHH"] * 40, split), plate="never", min_contrast=7)
    assert all(flags == (TOO_FAINT,) for flags in left.flags) and (left.images == split).all()


def test_what_does_not_fit_is_wrapped_then_shrunk_then_left():
    """More lines before smaller letters; a text without end leaves the image as it was."""
    words = "one two three four five six"
    some = rows(["short", words, words * 2, "endless " * 80, "unbreakable" * 9])
    after = drawn(some, size_px=(14, 14), least_px=6, lines=4, font="sans", plate="when_needed")
    told = some.notes
    assert [note.get("lines") for note in told[:2]] == [1, 3] or told[1]["lines"] > 1
    assert told[0]["size_px"] == 14 and told[2]["size_px"] < 14
    assert after.flags[3:] == ((TOO_LONG,), (TOO_LONG,)) and (after.images[3:] == some.images[3:]).all()
    assert after.boxes is not None and [len(boxes) for boxes in after.boxes] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("text", ["שלום עולם", "مرحبا", "party 🎉", "नमस्ते", "漢字", "a\u200bb", "e\u0301\u0302x"])
def test_scripts_that_are_not_drawn_are_left_and_flagged(text):
    """Right to left, emoji, joined letters, letters that the fonts lack."""
    some = rows([text, "Größe Ωμέγα Привет €5 – “so”"])
    after = drawn(some, size_px=(7, 8), least_px=5)
    assert after.flags == ((OTHER_SCRIPT,), ()) and (after.images[0] == some.images[0]).all()


def test_every_font_is_there_and_letters_are_told_from_boxes():
    """The six fonts draw Latin, Greek and Cyrillic, and know what they lack."""
    for font in lettering.FONTS:
        assert lettering.can_be_drawn("Aä ñ Ω Ж 0!?", font) and not lettering.can_be_drawn("漢", font)


def test_a_row_is_drawn_alike_in_any_company():
    """Each row's pixels and box are functions of its own id."""
    some = rows([f"row {number}" for number in range(20)])
    whole = drawn(some)
    for place in (0, 7, 19):
        one = Rows(some.images[place : place + 1], [some.texts[place]], ["x"], {}, ((),))
        alone = draw_text(RowRandom([ids(20)[place]], 7, "fusion.draw_text"), one)
        assert (alone.images[0] == whole.images[place]).all()
        assert alone.boxes is not None and whole.boxes is not None and alone.boxes[0] == whole.boxes[place]


def test_templates_fill_in_what_rows_have():
    """Braces that hold no name are themselves; a missing value draws nothing."""
    values = {"label": "7", "size": 2.5, "seen": True}
    assert template.filled("no {label}, {size} cm {1} {", values) == "no 7, 2.5 cm {1} {"
    assert template.filled("{label} {size} {seen}", values) == "7 2.5 yes"
    assert template.filled("{label} {gone}", values) is None
    assert template.filled("{price}", {"price": 1234567.25}) == "1234567.25"
    assert template.filled("{price} {dose}", {"price": 20000000.0, "dose": 1e-7}) == "20000000 0.0000001"
    with pytest.raises(ValueError, match=r"rows have \{text\}"):
        template.check("{label.__class__} {colour}", ["text"])


def test_contrast_is_that_of_the_guideline():
    """Known ratios: black on white 21, #777 on white 4.48, white on itself 1."""
    white, black, grey = (np.full(3, level, np.uint8) for level in (255, 0, 0x77))
    known = [(black, 21.0), (grey, 4.48), (white, 1.0)]
    for colour, ratio in known:
        found = contrast.ratio(contrast.luminance(colour), contrast.luminance(white))
        assert abs(float(found) - ratio) < 0.01


# ---- lists of steps of several payloads ----

FORM = FusionForm(Form(HEIGHT, WIDTH, 3, boxes=True), True, None, None)
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("fusion.draw_text", {"size_px": (7, 9), "least_px": 5}),
    ("text.word_deletion", {"p": 0.5}),
    ("image.gaussian_noise", {"std": 5}),
    ("fusion.draw_text", {"template": "no {label}", "size_px": (8, 8), "least_px": 5}),
    ("image.horizontal_flip", {"p": 0.5}),
]


def batch(count: int) -> pa.RecordBatch:
    some = rows([f"the {number} little words of row number {number}" for number in range(count)])
    parents = ids(count)
    columns = {
        "row_id": [records.child_id(records.maker("t"), [parent]) for parent in parents],
        "row_parents": [[parent] for parent in parents],
        "row_flags": pa.nulls(count, pa.list_(pa.string())),
        "label": [str(number % 3) for number in range(count)],
        "boxes": pa.array([[]] * count, records.BOXES),
        "text": list(some.texts),
        "image": encode(some.images, "png"),
    }
    return pa.RecordBatch.from_pydict(columns)


def made(compiled: CompiledFusion, some: pa.RecordBatch) -> dict[str, Any]:
    return {row["row_id"]: row for row in compiled(some, 7).to_pylist()}


def test_a_list_of_several_payloads_makes_the_same_rows_in_any_batch():
    """Every byte, whatever the batch and the order of its rows."""
    compiled, whole = compile_fusion_steps(STEPS, FORM), batch(30)
    expected = made(compiled, whole)
    turned = whole.take(pa.array(list(range(29, -1, -1))))
    parts = {**made(compiled, turned.slice(0, 7)), **made(compiled, turned.slice(7))}
    assert parts == expected
    assert all(len(row["boxes"]) == 2 or row["row_flags"] for row in expected.values())


def test_steps_run_in_the_order_of_the_list_and_never_draw_alike():
    """Text that was drawn before words went has them all; two runs of one payload have draws of their own."""
    compiled, whole = compile_fusion_steps(STEPS, FORM), batch(30)
    assert [run.payload for run in compiled.runs] == ["fusion", "text", "image", "fusion", "image"]
    assert len({run.seed(7) for run in compiled.runs}) == 5
    before = dict(zip(whole.column("row_id").to_pylist(), whole.column("text").to_pylist(), strict=True))
    for row_id, row in made(compiled, whole).items():
        drawn_texts = {box["label"] for box in row["boxes"]}
        assert before[row_id] in drawn_texts and row["text"] != before[row_id]


def test_explain_tells_what_was_drawn():
    """One entry a step, in the order of the list."""
    told = compile_fusion_steps(STEPS, FORM).explain(batch(3), 7)
    assert [step["step"] for step in told[0]["steps"]] == [name for name, _ in STEPS]
    assert told[0]["steps"][0]["parameters"]["text"].startswith("the 0 little words")
    assert told[1]["steps"][3]["parameters"]["text"] == "no 1"


def test_mistakes_in_a_list_are_told_with_their_place():
    """A payload that rows do not have, two rows mixed, a template without such a column, an option out of bounds."""
    wrong = [
        ([("text.word_deletion", {}), ("series.jitter", {})], 1, "series.jitter is for series"),
        ([("text.word_deletion", {}), ("image.mixup", {"partners": "any"})], 1, "mixes two rows"),
        ([("fusion.draw_text", {"template": "{colour}"})], 0, "the template names {colour}"),
        ([("fusion.draw_text", {"min_contrast": 40})], 0, "min_contrast needs a number of 1 to 21"),
        ([("fusion.draw_text", {"template": ""})], 0, "needs a text of 1 to 1000 characters"),
    ]
    for steps, place, told in wrong:
        with pytest.raises(StepError) as caught:
            compile_fusion_steps(steps, FORM)
        assert told in str(caught.value) and caught.value.place == place


def test_jpeg_is_written_once():
    """Runs between the first and the last that touch images hand over lossless pictures."""
    form = FusionForm(Form(HEIGHT, WIDTH, 3, encoding="jpeg", boxes=True), True, None, None)
    compiled = compile_fusion_steps(STEPS, form)
    kinds = [run.compiled.form for run in compiled.runs if run.payload == "image"]
    assert [kind.encoding for kind in kinds if isinstance(kind, Form)] == ["png", "jpeg"]
    assert set(FLAGS) and decode(compiled(batch(2), 7).column("image").to_pylist(), HEIGHT, WIDTH, 3)[1] == [None, None]
