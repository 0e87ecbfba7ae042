"""Rows of several payloads on Spark: read from captions files, Parquet and joined sources; refused with their reason;
copies by all payloads together; children by identity; pairs that never cross a split.
"""

from __future__ import annotations

import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from conf import runs
from conf.errors import RecipeError
from jobs import check
from jobs.export import export
from tests.jobs.fusion.made import COLUMNS, captions, images, recipe, row
from tests.jobs.made import picture, png, put, run, table
from udfs.text.near import normal_form

STEPS = [
    {"text.word_deletion": {"p": 0.3}},
    {"image.rotate": {"degrees": [-8, 8]}},
    {"table.gaussian_jitter": {"std": 0.1}},
    {"fusion.draw_text": {"template": "{colour}", "size_px": [6, 7], "least_px": 5}},
    {"image.gaussian_noise": {"std": 4}},
]


def law(counts):
    return counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]


def test_what_is_wrong_in_a_folder_of_captions_is_refused_with_its_reason(spark, tmp_path):
    """A missing image, an image without a caption, an unreadable one, an empty caption, a cell out of range."""
    images(tmp_path, range(30))
    put(tmp_path / "images" / "lonely.png", png(picture(900, 16)))
    put(tmp_path / "images" / "broken.png", png(picture(901, 16))[:60])
    odd = [
        row(40, file="gone.png"),
        row(41, file="broken.png"),
        row(0, text="   "),
        row(1, weight="heavy"),
        row(2, weight="400"),
        row(3, label="bird"),
        row(4, file="../../etc/passwd.png"),
    ]
    captions(tmp_path, [*(row(number) for number in range(5, 30)), *odd], "captions.jsonl")
    source = {"name": "pets", "reader": "captions", "path": "images", "manifest": "captions.jsonl"}
    config = recipe(tmp_path, sources=[source], split={"train": 10, "val": 5, "rest": "test"})
    done = run(spark, config, "ingest")
    assert done.counts["sources"]["pets"]["refused"] == {"image_missing": 1, "caption_missing": 2, "path_outside": 1}
    counts = run(spark, config, "clean").counts
    assert law(counts) and counts["kept"] == 25
    reasons = {"image_truncated": 1, "empty": 1, "not_a_number": 1, "out_of_range": 1, "label_unknown": 1}
    assert sum(counts["refused"].values()) == 5 and set(counts["refused"]) - set(reasons) <= {"image_unreadable"}
    refused = {each["row_reason"]: each for each in table(config, "quarantine")}
    assert "gone.png" in refused["image_missing"]["row_detail"]
    kept = table(config, "clean")
    assert {type(each["weight"]) for each in kept} == {float} and all(each["text"] and each["image"] for each in kept)


def test_a_line_more_touches_no_other_row(spark, tmp_path):
    """Identity is by content: rows stay what they are when lines are added, and a corrected label keeps its row."""
    images(tmp_path, range(31))
    captions(tmp_path, [row(number) for number in range(30)])
    config = recipe(tmp_path)
    run(spark, config, "ingest")
    before = {each["text"]: each["row_id"] for each in table(config, "raw")}
    captions(tmp_path, [row(30), *(row(n, **({"label": "dog"} if n == 0 else {})) for n in range(30))])
    run(spark, config, "ingest")
    after = {each["text"]: each["row_id"] for each in table(config, "raw")}
    assert {text: after[text] for text in before} == before and len(after) == 31


def test_copies_agree_in_all_payloads_and_near_images_stay_in_one_split(spark, tmp_path):
    """The same image with another caption is no copy, but stays in the split of its twin."""
    images(tmp_path, range(60))
    twice = [row(n) for n in range(10)]
    others = [row(n, text=f"another word on number {n * 17}, and nothing else {n}") for n in range(10, 30)]
    captions(tmp_path, [*(row(n) for n in range(60)), *twice, *others])
    config = recipe(tmp_path, split={"train": 0.5, "val": 0.2, "rest": "test"})
    counts = run(spark, config, "ingest", "clean").counts
    assert law(counts) and counts["merged"] == 10 and counts["kept"] == 80
    splits: dict[bytes, set[str]] = {}
    for each in table(config, "clean"):
        splits.setdefault(each["image"], set()).add(each["row_split"])
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "val", "test"}


def test_children_are_the_same_under_any_partitioning_and_none_is_lost(spark, tmp_path):
    """Steps of four payloads in one list; every byte is by the row's id."""
    from jobs import augment
    from jobs.ways import way_of

    images(tmp_path, range(30))
    captions(tmp_path, [row(number) for number in range(30)])
    boxes = {"height": 16, "width": 16, "channels": 1, "boxes": True}
    config = recipe(tmp_path, image=boxes, augment={"copies": 3, "steps": STEPS})
    check.check_recipe(config)
    counts = run(spark, config, "ingest", "clean", "normalize", "augment").counts
    assert counts["planned"] == counts["staged"] == 60
    place = runs.locate(config, "augment")
    whole = pq.ParquetDataset(f"{place.folder}/rows").read().to_pylist()
    first = {each["row_id"]: each for each in whole}
    assert len(first) == 60 and sum(bool(each["boxes"]) for each in whole) + sum(counts["flags"].values()) == 60
    texts = {each["text"] for each in table(config, "clean")}
    assert sum(each["text"] not in texts for each in whole) > 40
    from udfs import records

    way, schema = way_of(config.recipe, "augment"), records.row_schema(config.recipe)
    real = spark.read.parquet(f"{runs.real_in(place).folder}/rows/row_split=train").repartition(5)
    made = augment.children(
        real, config.recipe.augment, augment.compiled(config, config.recipe.augment), way, schema, 7, 60
    )
    again = {each["row_id"]: each for each in made.toArrow().to_pylist()}
    assert again == first


def test_parquet_with_images_text_and_cells_is_read(spark, tmp_path):
    """Bytes as they are, or in a struct as Hugging Face writes them; a null image is refused."""
    rows = [row(number) for number in range(30)]
    blobs = [png(picture(number, 16)) for number in range(30)]
    frame = {name: [each[name] for each in rows] for name in ("text", "label", "colour")}
    frame |= {"weight": [float(each["weight"]) for each in rows]}
    frame |= {"image": [{"bytes": blob if n else None, "path": None} for n, blob in enumerate(blobs)]}
    pq.write_table(pa.table(frame), tmp_path / "pets.parquet")
    source = {"name": "pets", "reader": "parquet", "path": "pets.parquet"}
    config = recipe(tmp_path, sources=[source], split={"train": 10, "val": 5, "rest": "test"})
    counts = run(spark, config, "ingest", "clean").counts
    assert law(counts) and counts["refused"] == {"image_missing": 1} and counts["kept"] == 29


def joined_by_key(folder, **parts):
    """Images of 30 keys beside lines of 30 keys."""
    columns = list(parts.get("columns", COLUMNS))
    sources = [
        {"name": "photos", "reader": "captions", "path": "images", "manifest": "photos.csv", "gives": ["image"]},
        {"name": "notes", "reader": "csv", "path": "notes.csv", "gives": ["label", "text", *columns]},
    ]
    return recipe(folder, sources=sources, join={"by": "key", "column": "tag"}, **parts)


def test_sources_are_joined_by_key_and_what_has_no_partner_is_refused(spark, tmp_path):
    """Missing, doubled and empty keys on either side; in = kept + joined + refused for each source."""
    images(tmp_path, range(30))
    photos = [{"file": f"{n:03d}.png", "tag": f"t{n}"} for n in range(26)]
    photos += [{"file": "026.png", "tag": "t5"}, {"file": "027.png", "tag": ""}, {"file": "028.png", "tag": "only"}]
    photos += [{"file": "029.png", "tag": "t30"}]
    captions(tmp_path, photos, "photos.csv")
    notes = [{"tag": f"t{n}", **{k: v for k, v in row(n, others=f"o{n}").items() if k != "file"}} for n in range(28)]
    notes += [
        {**notes[7], "text": "the key of seven once more"},
        {**notes[8], "tag": "t30", "text": "the thirtieth of them"},
    ]
    captions(tmp_path, notes, "notes.csv")
    columns = {**COLUMNS, "others": {"type": "category"}}  # a name that the join might want for itself
    config = joined_by_key(tmp_path, columns=columns, split={"train": 10, "val": 5, "rest": "test"})
    counts = run(spark, config, "ingest").counts
    told = counts["sources"]
    assert told["photos"]["refused"] == {"key_doubled": 2, "key_missing": 1, "partner_doubled": 1, "unmatched": 1}
    assert told["notes"]["refused"] == {"key_doubled": 2, "unmatched": 3}
    for each in told.values():
        assert each["in"] == each["kept"] + each["joined"] + sum(each["refused"].values()) + each["left_out"]
    assert counts["rows"] == told["photos"]["kept"] == told["notes"]["joined"] == 25
    rows = {each["text"]: each for each in table(config, "raw")}
    expected = picture(9, 16)
    found = rows[row(9)["text"]]
    assert found["others"] == "o9"
    assert (pd.Series(list(Image.open(io.BytesIO(found["image"])).get_flattened_data())) == expected.ravel()).all()
    assert " + " in found["row_source"] and len({each["row_id"] for each in rows.values()}) == 25
    again = run(spark, config, "ingest").counts
    assert again["rows"] == 25


def test_sources_are_joined_by_the_nearest_time_within_the_tolerance(spark, tmp_path):
    """The nearest, of two as near the earlier; beyond the tolerance none; each once."""
    images(tmp_path, range(24))
    photos = [{"file": f"{n:03d}.png", "time": f"{n:.1f}"} for n in range(24)]
    photos[23]["time"] = "12:30:00"  # of which day?
    captions(tmp_path, photos, "photos.csv")
    notes = [{"time": f"{n + 0.04:.2f}", **{k: v for k, v in row(n).items() if k != "file"}} for n in range(20)]
    notes[3]["time"] = "3.3"  # beyond the tolerance
    notes[7]["time"] = "7.2"  # at it, to the microsecond: 7.2 - 7.0 is a little more as numbers are held
    notes[5]["time"] = "4.9"  # as near as 4.9 is to 5, and nearer than 5.04 was
    notes += [{**notes[6], "time": "6.01", "text": "nearer to six than the other"}]
    captions(tmp_path, notes, "notes.csv")
    sources = [
        {"name": "photos", "reader": "captions", "path": "images", "manifest": "photos.csv", "gives": ["image"]},
        {"name": "notes", "reader": "csv", "path": "notes.csv", "gives": ["label", "text", "weight", "colour"]},
    ]
    join = {"by": "nearest_time", "column": "time", "tolerance_s": 0.2}
    config = recipe(tmp_path, sources=sources, join=join, split={"train": 8, "val": 4, "rest": "test"})
    told = run(spark, config, "ingest").counts["sources"]
    assert told["photos"]["refused"] == {"time_unreadable": 1, "unmatched": 4}
    assert told["notes"]["refused"] == {"unmatched": 2}
    texts = {each["text"] for each in table(config, "raw")}
    assert "nearer to six than the other" in texts and row(6)["text"] not in texts and row(3)["text"] not in texts


def pairs_recipe(folder, **told):
    """Pairs of 120 captioned images, two captions of some of them."""
    images(folder, range(120))
    lines = [row(n) for n in range(120)] + [row(n, text=f"the {n}th of them, of {n * 19} grams") for n in range(20)]
    captions(folder, [{key: value for key, value in each.items() if key != "label"} for each in lines])
    pairs = {"negatives": 2, **told}
    split = {"train": 0.5, "val": 0.2, "rest": "test"}
    return recipe(folder, labels=["mismatch", "match"], pairs=pairs, split=split)


def test_negatives_never_cross_a_split_and_are_no_captions_of_the_same_image(spark, tmp_path):
    """Each row gets two texts of other images of its own split; in = kept still adds up."""
    config = pairs_recipe(tmp_path, hard=0.5, by="class", same="colour")
    counts = run(spark, config, "ingest", "clean").counts
    assert law(counts) and counts["made"] == 280 and counts["kept"] == 420 and 100 < counts["hard"] < 180
    rows = table(config, "clean")
    known = {each["row_id"]: each for each in rows if each["label"] == "match"}
    captions_of: dict[bytes, set[str]] = {}
    for each in known.values():
        captions_of.setdefault(each["image"], set()).add(normal_form(each["text"]))
    made = [each for each in rows if each["label"] == "mismatch"]
    for each in made:
        image, text = (known[parent] for parent in each["row_parents"])
        assert each["row_split"] == image["row_split"] == text["row_split"]
        assert each["image"] == image["image"] and each["text"] == text["text"]
        assert normal_form(each["text"]) not in captions_of[each["image"]]
    splits: dict[bytes, set[str]] = {}
    for each in rows:
        splits.setdefault(each["image"], set()).add(each["row_split"])
    assert all(len(found) == 1 for found in splits.values())


def test_what_a_person_gets_wrong_is_answered_before_an_engine_starts(tmp_path):
    """One sentence each: what it has, what it needs."""
    captions(tmp_path, [row(0)])
    images(tmp_path, range(1))
    wrong = [
        ({"text": None, "columns": None}, "two payloads or more"),
        ({"evaluate": {"judges": ["series.rocket"]}}, "series.rocket is not for these payloads"),
        ({"join": {"by": "key", "column": "tag"}}, "join needs two sources"),
        ({"pairs": {}}, "labels must be"),
        ({"columns": {"text": {"type": "category"}}}, "the name of another part"),
        ({"image": {"height": 16, "width": 16, "channels": 1, "masks": True}}, "image.masks is for images alone"),
    ]
    for parts, told in wrong:
        with pytest.raises(RecipeError, match=told):
            recipe(tmp_path, **parts)
    steps = [
        ({"series.jitter": {}}, "is for series"),
        ({"image.mixup": {"partners": "any"}}, "mixes two rows"),
        ({"fusion.draw_text": {"template": "{size}"}}, "the template names {size}"),
    ]
    for step, told in steps:
        with pytest.raises(RecipeError, match=told):
            check.check_recipe(recipe(tmp_path, augment={"steps": [step]}))
    with pytest.raises(RecipeError, match="is a rule for series"):
        check.check_recipe(recipe(tmp_path, clean={"rules": ["series.reject_flat"]}))


def test_what_is_exported_can_be_read_in_again(spark, tmp_path):
    """Images, and a captions file beside them."""
    images(tmp_path, range(30))
    captions(tmp_path, [row(number) for number in range(30)])
    config = recipe(tmp_path)
    run(spark, config, "ingest", "clean", "normalize", "merge")
    assert sum(export(config, "csv", tmp_path / "out", []).values()) == 30
    lines = pd.read_csv(tmp_path / "out" / "rows.csv")
    assert {"file", "label", "text", "weight", "colour"} <= set(lines.columns) and len(lines) == 30
    assert all((tmp_path / "out" / name).is_file() for name in lines["file"])
    assert json.loads(pd.Series(lines["weight"]).to_json(orient="values"))
