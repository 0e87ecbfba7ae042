"""Clean on Spark: what is refused and why, copies, splits that stick, and nothing lost."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from conf.errors import StageError
from jobs import duplicates
from tests.jobs.made import class_folders, jpeg, picture, png, put, recipe, run, table, version
from udfs import records

FOLDER = {"name": "folder", "reader": "image_folder", "path": "data"}
TEST = {"name": "official", "reader": "image_folder", "path": "test", "split": "test"}


def balanced(counts: dict) -> bool:
    return counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]


def by_name(config, name: str) -> dict[str, dict]:
    """Rows of a table by their file's name."""
    return {Path(row["row_source"]).name: row for row in table(config, name)}


def reasons(config) -> dict[str, str]:
    return {
        name: row["row_reason"] for name, row in by_name(config, "quarantine").items() if row["row_stage"] == "clean"
    }


def bomb() -> bytes:
    """A PNG of few bytes that declares 100 megapixels."""
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
        + chunk(b"IEND", b"")
    )


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_every_bad_image_is_refused_with_its_reason_and_odd_ones_are_brought_into_form(spark, tmp_path):
    data = class_folders(tmp_path / "data", 20)
    grey = Image.fromarray(picture(900))
    colour = Image.fromarray(picture(901, 16, 3))
    whole = jpeg(picture(902, 16))
    bad = {
        "truncated.jpg": (whole[: len(whole) // 2], "image_truncated"),
        "cut.png": (png(picture(903))[:-30], "image_truncated"),
        "garbage.png": (b"garbage" * 20, "image_unreadable"),
        "empty.png": (b"", "image_unreadable"),
        "large.png": (png(picture(904, 20)), "wrong_size"),
        "bomb.png": (bomb(), "image_too_large"),
        "blank.png": (png(np.full((16, 16), 7, np.uint8)), "blank"),
    }
    odd = {
        "jpeg-named.png": jpeg(picture(905)),
        "cmyk.jpg": saved(colour.convert("CMYK"), "JPEG"),
        "palette.png": saved(colour.convert("P"), "PNG"),
        "alpha.png": saved(Image.merge("LA", (grey, grey.point(lambda x: 255 - x))), "PNG"),
        "deep.png": saved(Image.fromarray(picture(906).astype(np.uint16) * 257), "PNG"),
        "moving.gif": saved(grey, "GIF", save_all=True, append_images=[Image.fromarray(picture(907))]),
    }
    for name, blob in {**{name: blob for name, (blob, _) in bad.items()}, **odd}.items():
        put(data / "cat" / name, blob)
    clean = {
        "rules": [
            {"image.reject_blank": {"min_std": 1.0}},
            {"image.reject_too_bright": {"max_mean": 120, "severity": "warn"}},
        ]
    }
    config = recipe(tmp_path, [FOLDER], clean={**clean, "duplicates": {"near": "keep"}})
    done = run(spark, config, "ingest", "clean")
    assert reasons(config) == {name: reason for name, (_, reason) in bad.items()}
    assert balanced(done.counts)
    assert done.counts["refused"] == dict(Counter(reason for _, reason in bad.values()))
    rows = by_name(config, "clean")
    assert set(odd) < set(rows)
    for row in rows.values():
        image = cv2.imdecode(np.frombuffer(row["image"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert (image.shape, image.dtype) == ((16, 16), np.uint8)
        assert row["row_flags"] == (["too_bright"] if image.mean() > 120 else [])
    refused = by_name(config, "quarantine")["truncated.jpg"]
    assert refused["image"] == bad["truncated.jpg"][0], "the bytes as they came, to be looked at"


def test_handed_over_rows_are_those_of_the_table_by_split_with_right_hashes(spark, tmp_path):
    class_folders(tmp_path / "data", 20)
    config = recipe(tmp_path, [FOLDER])
    done = run(spark, config, "ingest", "clean")
    rows = table(config, "clean")
    for split, labels in done.counts["splits"].items():
        handed = pq.read_table(f"{done.folder}/rows/row_split={split}", partitioning=None).to_pylist()
        assert sorted(row["row_id"] for row in handed) == sorted(r["row_id"] for r in rows if r["row_split"] == split)
        assert {row["row_split"] for row in handed} == {split}
        assert dict(Counter(row["label"] for row in handed)) == labels
    import pyarrow as pa

    whole = pa.Table.from_pylist(rows, schema=records.image_schema())
    assert records.row_hashes(whole).to_pylist() == [row["row_hash"] for row in rows]
    assert done.counts["splits"] == {
        "train": {"cat": 12, "dog": 12},
        "val": {"cat": 4, "dog": 4},
        "test": {"cat": 4, "dog": 4},
    }
    was = version(config, "clean")
    again = run(spark, config, "clean")
    assert (again.outputs, version(config, "clean")) == (done.outputs, was)


def test_copies_are_merged_conflicts_refused_and_copies_of_given_test_rows_never_train(spark, tmp_path):
    data = class_folders(tmp_path / "data", 15)
    class_folders(tmp_path / "test", 5, first=5000)
    put(data / "cat/copy-1.png", png(picture(0)))
    put(data / "cat/copy-2.bmp", cv2.imencode(".bmp", picture(0))[1].tobytes())  # other bytes, the same pixels
    put(data / "cat/two-minds.png", png(picture(600)))
    put(data / "dog/two-minds.bmp", cv2.imencode(".bmp", picture(600))[1].tobytes())
    put(data / "dog/seen.png", png(picture(5001)))
    put(data / "cat/seen-as-cat.png", png(picture(15_002)))
    config = recipe(tmp_path, [FOLDER, TEST], split={"val": 0.2, "test": "given", "rest": "train"})
    done = run(spark, config, "ingest", "clean")
    assert reasons(config) == {
        "two-minds.png": "label_conflict",
        "two-minds.bmp": "label_conflict",
        "seen.png": "copy_of_test",
        "seen-as-cat.png": "copy_of_test",
    }
    assert done.counts["merged"] == 2
    assert balanced(done.counts)
    assert done.counts["splits"]["test"] == {"cat": 5, "dog": 5}
    assert (
        sum(
            Path(name).stem in ("000", "copy-1", "copy-2") and row["label"] == "cat"
            for name, row in by_name(config, "clean").items()
        )
        == 1
    )


def test_rows_without_labels_are_refused_or_wait_for_the_label_stage(spark, tmp_path):
    class_folders(tmp_path / "data", 10)
    class_folders(tmp_path / "test", 3, first=5000)
    put(tmp_path / "data/loose.png", png(picture(801)))
    put(tmp_path / "test/loose-test.png", png(picture(802)))
    put(tmp_path / "data/copy.png", png(picture(0)))
    split = {"train": 8, "val": 4, "test": "given", "rest": "ignore"}
    config = recipe(tmp_path, [FOLDER, TEST], split=split)
    done = run(spark, config, "ingest", "clean")
    assert reasons(config) == {"loose.png": "label_missing", "loose-test.png": "label_missing"}
    assert (done.counts["merged"], done.counts["left_out"]) == (1, 8)
    assert balanced(done.counts)

    config = recipe(tmp_path, [FOLDER, TEST], split={**split, "rest": "unlabelled"}, label={})
    done = run(spark, config, "ingest", "clean")
    assert reasons(config) == {"loose-test.png": "label_missing"}
    assert done.counts["splits"]["unlabelled"] == {"": 9}
    hidden = [row for row in table(config, "clean") if row["row_split"] == "unlabelled"]
    assert {(row["label"], row["row_label_source"]) for row in hidden} == {(None, None)}


def near_set(folder: Path, count: int = 30) -> None:
    """`count` pictures a class; every third has re-encoded copies."""
    for place, label in enumerate(("cat", "dog")):
        for number in range(count):
            image = picture(place * 10_000 + number, 48)
            put(folder / label / f"{label}{number:03d}.png", png(image))
            for quality in (90, 80) if number % 3 == 0 else ():
                put(folder / label / f"{label}{number:03d}-q{quality}.jpg", jpeg(image, quality))


NEAR = {
    "image": {"height": 48, "width": 48, "channels": 1},
    "clean": {"duplicates": {"near": "group", "max_distance_bits": 4}},
}


def test_near_copies_never_lie_on_two_sides_and_rows_are_the_same_under_any_partitioning(spark, tmp_path, monkeypatch):
    near_set(tmp_path / "data")
    config = recipe(tmp_path, [FOLDER], **NEAR)
    done = run(spark, config, "ingest", "clean")
    rows = by_name(config, "clean")
    assert balanced(done.counts)
    assert len(rows) == 100
    for name, row in rows.items():
        if "-q" in name:
            original = rows[f"{name[:6]}.png"]
            assert (row["row_split"], row["row_group"]) == (original["row_split"], original["row_group"])
    alone = [row for name, row in rows.items() if int(name[3:6]) % 3]
    assert {row["row_group"] for row in alone} == {None}

    shutil.rmtree(tmp_path / "root")
    monkeypatch.setattr("jobs.readers.image_folder.chunks", lambda items, **_: (([name], size) for name, size in items))
    monkeypatch.setattr(duplicates, "MAX_PAIRS_ON_DRIVER", 1)  # stars made in rounds on the workers
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        again = run(spark, config, "ingest", "clean")
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "2")
    assert again.outputs == done.outputs
    assert {n: (r["row_group"], r["row_hash"]) for n, r in by_name(config, "clean").items()} == {
        n: (r["row_group"], r["row_hash"]) for n, r in rows.items()
    }


def test_near_copies_may_be_dropped(spark, tmp_path):
    near_set(tmp_path / "data", 12)
    dropping = {**NEAR, "clean": {"duplicates": {"near": "drop", "max_distance_bits": 4}}}
    done = run(spark, recipe(tmp_path, [FOLDER], **dropping), "ingest", "clean")
    assert (done.counts["in"], done.counts["kept"], done.counts["merged"]) == (40, 24, 16)


def test_splits_stick_newcomers_join_their_copies_and_bridges_are_refused(spark, tmp_path):
    data = tmp_path / "data"
    near_set(data)
    config = recipe(tmp_path, [FOLDER], **NEAR)
    run(spark, config, "ingest", "clean")
    before = {row["row_id"]: row["row_split"] for row in table(config, "clean")}

    for place, label in enumerate(("cat", "dog")):
        for number in range(100, 140):
            put(data / label / f"{label}{number:03d}.png", png(picture(place * 10_000 + number, 48)))
        for number in (1, 2, 4, 5, 7, 8):
            put(data / label / f"{label}{number:03d}-late.jpg", jpeg(picture(place * 10_000 + number, 48), 85))
    done = run(spark, config, "ingest", "clean")
    after = {row["row_id"]: row["row_split"] for row in table(config, "clean")}
    assert balanced(done.counts)
    assert len(after) == len(before) + 92
    assert {row_id: after[row_id] for row_id in before} == before
    rows = by_name(config, "clean")
    for name in [name for name in rows if "-late" in name]:
        original = rows[f"{name[:6]}.png"]
        assert rows[name]["row_split"] == original["row_split"]
    counts = Counter(after.values())
    assert all(abs(counts[split] - 0.2 * len(after)) < 1 for split in ("val", "test")), "the shares hold for all rows"


def test_a_row_between_two_splits_is_refused_as_a_bridge(spark, tmp_path):
    """Two pictures just too far apart to be near, once assigned to two splits; then one in the middle arrives."""
    base = [picture(number, 48).astype(np.float32) for number in range(40)]
    data = tmp_path / "data"
    for number, image in enumerate(base):
        other = picture(10_000 + number, 48).astype(np.float32)
        for name, share in (("left", 0.0), ("right", 0.155)):
            put(data / "cat" / f"{number:03d}-{name}.png", png((image * (1 - share) + other * share).astype(np.uint8)))
        put(data / "dog" / f"{number:03d}.png", png(picture(20_000 + number, 48)))
    near = {**NEAR, "clean": {"duplicates": {"near": "group", "max_distance_bits": 16}}}
    config = recipe(tmp_path, [FOLDER], **near)
    run(spark, config, "ingest", "clean")
    rows = by_name(config, "clean")
    parted = [
        number
        for number in range(40)
        if rows[f"{number:03d}-left.png"]["row_split"] != rows[f"{number:03d}-right.png"]["row_split"]
    ]
    assert parted, "some pair lies in two splits, as they are no near copies"
    for number in range(40):
        other = picture(10_000 + number, 48).astype(np.float32)
        put(data / "cat" / f"{number:03d}-middle.png", png((base[number] * 0.915 + other * 0.085).astype(np.uint8)))
    done = run(spark, config, "ingest", "clean")
    assert balanced(done.counts)
    assert done.counts["refused"]["bridges_splits"] > 0
    bridges = {int(name[:3]) for name, reason in reasons(config).items() if reason == "bridges_splits"}
    assert bridges <= set(parted)
    after = by_name(config, "clean")
    assert {name: row["row_split"] for name, row in rows.items()} == {name: after[name]["row_split"] for name in rows}
    sides = {"train": "train", "val": "val", "test": "test"}
    for number in set(range(40)) - bridges:
        middle = after[f"{number:03d}-middle.png"]
        for end in ("left", "right"):
            if after[f"{number:03d}-{end}.png"]["row_group"] == middle["row_group"] is not None:
                assert sides[after[f"{number:03d}-{end}.png"]["row_split"]] == sides[middle["row_split"]]


def test_groups_are_kept_together(spark, tmp_path):
    lines = ["file,label,who"]
    for place, label in enumerate(("cat", "dog")):
        for number in range(60):
            put(tmp_path / f"images/{label}-{number}.png", png(picture(place * 10_000 + number)))
            lines.append(f"{label}-{number}.png,{label},person {number % 20}")
    put(tmp_path / "labels.csv", "\n".join(lines).encode())
    source = {
        "name": "people",
        "reader": "image_manifest",
        "path": "images",
        "manifest": "labels.csv",
        "group_column": "who",
    }
    config = recipe(
        tmp_path, [source], split={"val": 0.2, "test": 0.2, "rest": "train", "group": True, "stratify": None}
    )
    done = run(spark, config, "ingest", "clean")
    splits: dict[str, set[str]] = {}
    for row in table(config, "clean"):
        splits.setdefault(row["row_group"], set()).add(row["row_split"])
    assert len(splits) == 20
    assert all(len(of) == 1 for of in splits.values())
    assert {split: sum(of.values()) for split, of in done.counts["splits"].items()} == {
        "train": 72,
        "val": 24,
        "test": 24,
    }


def test_outliers_are_refused_among_train_rows_and_flagged_elsewhere(spark, tmp_path):
    random = np.random.default_rng(0)
    base = {label: picture(place * 10_000).astype(np.int16) for place, label in enumerate(("cat", "dog"))}
    for label, image in base.items():
        for number in range(100):
            noise = random.normal(0, 12, image.shape)
            put(tmp_path / f"data/{label}/{number:03d}.png", png((image + noise).clip(0, 255).astype(np.uint8)))
    for number in range(20):
        put(tmp_path / f"data/cat/far-{number}.png", png(picture(5000 + number)))
    outliers = {"method": "robust_z", "threshold": 8, "action": "quarantine"}
    clean = {"duplicates": {"near": "keep"}, "outliers": outliers}
    config = recipe(tmp_path, [FOLDER], clean=clean)
    done = run(spark, config, "ingest", "clean")
    assert balanced(done.counts)
    assert set(reasons(config).values()) == {"outlier"}
    rows = by_name(config, "clean")
    far = {name: row for name, row in rows.items() if name.startswith("far")}
    assert not [name for name, row in far.items() if row["row_split"] == "train"]
    assert {tuple(row["row_flags"]) for row in far.values()} == {("outlier",)}
    assert {tuple(row["row_flags"]) for name, row in rows.items() if not name.startswith("far")} == {()}
    assert all(name.startswith("far") for name in reasons(config))

    config = recipe(tmp_path, [FOLDER], clean={**clean, "outliers": {**outliers, "action": "flag"}})
    done = run(spark, config, "clean")
    assert done.counts["refused"] == {}
    assert sum("outlier" in row["row_flags"] for row in table(config, "clean")) == 20


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ({"train": 100, "val": 4, "rest": "test"}, "split asks for 104 rows (train 100, val 4) and 21 are there"),
        (
            {"val": 4, "test": 4, "rest": "train"},
            "class 'dog' has 1 row once the rows are cleaned, and the split needs",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused_in_a_sentence(spark, tmp_path, split, told):
    for number in range(20):
        put(tmp_path / f"data/cat/{number}.png", png(picture(number)))
    put(tmp_path / "data/dog/only.png", png(picture(999)))
    config = recipe(tmp_path, [FOLDER], split=split)
    with pytest.raises(StageError) as error:
        run(spark, config, "ingest", "clean")
    assert told in str(error.value)


def test_masks_and_boxes_take_the_declared_form_and_follow_into_the_children(spark, tmp_path, data_dir):
    camvid = data_dir / "images/camvid"
    names = sorted(path.name for path in (camvid / "images").iterdir())
    box = '"[{""x0"":0,""y0"":0,""x1"":240,""y1"":180,""label"":""sky""}]"'
    lines = ["file,label,boxes", *(f"{name},{'cat' if place % 2 else 'dog'},{box}" for place, name in enumerate(names))]
    put(tmp_path / "labels.csv", "\n".join(lines).encode())
    source = {
        "name": "camvid",
        "reader": "image_manifest",
        "path": str(camvid / "images"),
        "mask_path": str(camvid / "masks"),
        "manifest": "labels.csv",
    }
    ignored = 11  # CamVid's class of what has none
    image = {"height": 90, "width": 130, "channels": 3, "resize": "fit", "masks": True, "boxes": True}
    config = recipe(
        tmp_path,
        [source],
        image=image | {"mask_fill": ignored},
        augment={"copies": 1, "steps": [{"image.rotate": {"degrees": [30, 30]}}]},
    )
    done = run(spark, config, "ingest", "clean")
    assert done.counts["kept"] == len(names) == 20
    for row in table(config, "clean"):
        mask = cv2.imdecode(np.frombuffer(row["mask"], np.uint8), cv2.IMREAD_UNCHANGED)
        whole = cv2.imread(str(camvid / "masks" / Path(row["row_source"]).name.partition("#")[0]), cv2.IMREAD_UNCHANGED)
        assert mask.shape == (90, 130)
        assert (mask[:, :5] == ignored).all() and (mask[:, 125:] == ignored).all(), "bars are of the class to ignore"
        assert set(np.unique(mask[:, 5:125])) <= set(np.unique(whole)), "classes stay whole"
        assert (mask[:, 5:125] == whole[2::4, 2::4]).mean() > 0.9
        (found,) = row["boxes"]
        assert (found["x0"], found["x1"], found["y1"], found["label"]) == (5.0, 65.0, 45.0, "sky")
    done = run(spark, config, "augment")
    children = pq.read_table(f"{done.folder}/rows").to_pylist()
    assert len(children) == done.counts["staged"] > 10
    for row in children:
        picture_, mask = (
            cv2.imdecode(np.frombuffer(row[name], np.uint8), cv2.IMREAD_UNCHANGED) for name in ("image", "mask")
        )
        corner = np.zeros((90, 130), bool)
        corner[:10, -3:] = corner[-10:, :3] = True  # what a turn by 30 degrees uncovers
        assert (picture_[corner] == 0).all() and (mask[corner] == ignored).all()
        uncovered = (picture_ == 0).all(axis=2)
        assert (mask[uncovered] == ignored).mean() > 0.9, "the mask went where its picture went"
        assert all(box["label"] == "sky" and box["x1"] <= 130 and box["y1"] <= 90 for box in row["boxes"])


def test_digits_are_split_exactly_as_their_recipe_says(spark, config_for):
    config = config_for("digits")
    done = run(spark, config, "ingest", "clean")
    sizes = {split: sum(of.values()) for split, of in done.counts["splits"].items()}
    assert (sizes["val"], sizes["reserve"]) == (300, 600)
    assert sizes["train"] + done.counts["refused"].get("outlier", 0) == 100
    assert balanced(done.counts)
    assert done.counts["in"] == 1797
