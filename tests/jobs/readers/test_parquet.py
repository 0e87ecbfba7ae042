"""Parquet with a binary column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.errors import RecipeError
from jobs import readers
from tests.jobs.made import picture, png, put, read_all, reading

BLOBS = [png(picture(number)) for number in range(6)]


def written(path: Path, columns: dict, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_rows_come_whatever_the_row_groups_and_pieces(tmp_path, monkeypatch):
    columns = {"image": BLOBS, "label": ["cat", "dog"] * 3, "split": ["train"] * 5 + ["test"], "who": list(range(6))}
    written(tmp_path / "data/a.parquet", columns, row_group_size=2)
    monkeypatch.setattr("jobs.readers.parquet.PIECE_BYTES", 1)
    task = reading(tmp_path, "parquet", path="data", group_column="who")
    assert len(readers.pieces(task)) == 3
    records = read_all(task)
    assert [record.image for record in records] == BLOBS
    assert [(r.label, r.split, r.group) for r in records][4:] == [("cat", "train", "4"), ("dog", "test", "5")]
    assert records[5].position.endswith("a.parquet#5")


def test_the_struct_of_hugging_face_reads_as_bytes_and_class_numbers_as_labels(tmp_path):
    written(tmp_path / "a.parquet", {"image": [{"bytes": blob, "path": "x"} for blob in BLOBS], "label": [0, 1] * 3})
    records = read_all(reading(tmp_path, "parquet", path="a.parquet"))
    assert [(r.image, r.label) for r in records][:2] == [(BLOBS[0], "0"), (BLOBS[1], "1")]


def test_a_damaged_file_is_refused_by_itself_and_the_others_are_read(tmp_path):
    written(tmp_path / "data/a.parquet", {"image": BLOBS, "label": ["cat"] * 6})
    whole = (tmp_path / "data/a.parquet").read_bytes()
    put(tmp_path / "data/b.parquet", whole[: len(whole) // 2])
    put(tmp_path / "data/c.parquet", b"these are words")
    put(tmp_path / "data/_SUCCESS", b"")
    records = read_all(reading(tmp_path, "parquet", path="data"))
    assert sum(record.reason is None for record in records) == 6
    bad = [record for record in records if record.reason]
    assert {(Path(r.position).name, r.reason) for r in bad} == {
        ("b.parquet", "file_unreadable"),
        ("c.parquet", "file_unreadable"),
    }
    assert all("not a whole Parquet file" in record.detail for record in bad)


def test_damage_within_a_file_refuses_the_rows_that_cannot_be_read(tmp_path):
    written(
        tmp_path / "a.parquet",
        {"image": BLOBS, "label": ["cat"] * 6},
        row_group_size=2,
        compression="zstd",
        use_dictionary=False,
    )
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    start = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(1).column(0).data_page_offset
    data[start : start + 200] = bytes(200)
    put(tmp_path / "a.parquet", bytes(data))
    records = read_all(reading(tmp_path, "parquet", path="a.parquet"))
    (bad,) = [record for record in records if record.reason]
    assert bad.reason == "file_unreadable"
    assert "cannot be read" in bad.detail


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"picture": BLOBS, "label": ["cat"] * 6}, "has no column image; it has picture, label"),
        ({"image": BLOBS}, "has no column label"),
        ({"image": ["text"] * 6, "label": ["cat"] * 6}, "the column image is string; binary is needed"),
        ({"image": BLOBS, "label": [0.5] * 6}, "the column label is double; text or whole numbers are needed"),
    ],
)
def test_another_schema_is_an_error_that_says_what_differs(tmp_path, columns, told):
    written(tmp_path / "data/a.parquet", {"image": BLOBS, "label": ["cat"] * 6})
    written(tmp_path / "data/b.parquet", columns)
    with pytest.raises(RecipeError, match=r"b\.parquet") as error:
        readers.pieces(reading(tmp_path, "parquet", path="data"))
    assert told in str(error.value)


def test_a_null_image_and_an_unknown_split_are_refused(tmp_path):
    written(tmp_path / "a.parquet", {"image": [None, BLOBS[1]], "label": ["cat", "dog"], "split": ["train", "holdout"]})
    assert [r.reason for r in read_all(reading(tmp_path, "parquet", path="a.parquet"))] == [
        "image_missing",
        "split_unknown",
    ]
