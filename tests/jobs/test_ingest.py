"""Ingest on Spark: the table `raw` in step with its sources, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.errors import RecipeError, StageError
from tests.jobs.made import class_folders, picture, png, put, recipe, run, table, version

FOLDER = {"name": "folder", "reader": "image_folder", "path": "data"}


def balanced(counts: dict) -> bool:
    """In = kept + refused + left out, of every source."""
    return all(
        of["in"] == of["kept"] + sum(of["refused"].values()) + of["left_out"] for of in counts["sources"].values()
    )


def test_raw_follows_its_sources_and_an_unchanged_rerun_commits_nothing(spark, tmp_path):
    data = class_folders(tmp_path / "data", 5)
    config = recipe(tmp_path, [FOLDER])
    done = run(spark, config, "ingest")
    before = {row["row_source"].rpartition("data/")[2]: row for row in table(config, "raw")}
    assert done.counts == {"sources": {"folder": {"in": 10, "kept": 10, "refused": {}, "left_out": 0}}, "rows": 10}
    assert before["cat/000.png"]["image"] == (data / "cat/000.png").read_bytes()
    assert {(row["row_origin"], row["row_label_source"], row["row_split"]) for row in before.values()} == {
        ("real", "given", None)
    }

    was = version(config, "raw")
    again = run(spark, config, "ingest")
    assert (version(config, "raw"), again.outputs) == (was, done.outputs)

    put(data / "cat/new.png", png(picture(77)))
    (data / "cat/001.png").unlink()
    (data / "cat/002.png").rename(data / "dog/002-was-a-cat.png")
    (data / "cat/003.png").rename(data / "cat/renamed.png")
    put(data / "dog/004.png", png(picture(78)))
    changed = run(spark, config, "ingest")
    after = {row["row_source"].rpartition("data/")[2]: row for row in table(config, "raw")}
    ids = {row["row_id"] for row in before.values()}
    assert changed.outputs != done.outputs
    assert version(config, "raw") == was + 1
    assert before["cat/001.png"]["row_id"] not in {row["row_id"] for row in after.values()}
    assert after["cat/new.png"]["row_id"] not in ids
    relabelled = next(row for row in after.values() if row["row_id"] == before["cat/002.png"]["row_id"])
    assert relabelled["label"] == "dog"
    assert before["cat/003.png"]["row_id"] in {row["row_id"] for row in after.values()}
    assert before["dog/004.png"]["row_id"] not in {row["row_id"] for row in after.values()}
    assert len(after) == 10


def test_several_sources_are_mapped_weighed_and_split_as_the_recipe_says(spark, tmp_path):
    class_folders(tmp_path / "data", 10)
    blobs = [png(picture(number)) for number in range(500, 700)]
    (tmp_path / "table").mkdir()
    pq.write_table(pa.table({"image": blobs, "label": ["kitty", "hound"] * 100}), tmp_path / "table/a.parquet")
    put(tmp_path / "table/b.parquet", b"PAR1 and then nothing")
    delta = [png(picture(number)) for number in range(700, 704)]
    frame = spark.createDataFrame(pa.table({"image": delta, "label": ["cat", "dog", "cow", None]}))
    frame.write.format("delta").save(str(tmp_path / "delta"))
    mapping = {"kitty": "cat", "hound": "dog"}
    sources = [
        {**FOLDER, "split": "test"},
        {"name": "table", "reader": "parquet", "path": "table", "labels": mapping, "weight": 0.3},
        {"name": "delta", "reader": "delta", "path": "delta"},
    ]
    config = recipe(tmp_path, sources, label={})
    done = run(spark, config, "ingest")
    assert balanced(done.counts)
    of = done.counts["sources"]
    assert of["folder"] == {"in": 20, "kept": 20, "refused": {}, "left_out": 0}
    assert of["delta"] == {"in": 4, "kept": 3, "refused": {"label_unknown": 1}, "left_out": 0}
    assert (of["table"]["in"], of["table"]["refused"]) == (201, {"file_unreadable": 1})
    assert 35 <= of["table"]["kept"] <= 85, "about 0.3 of 200"
    rows = table(config, "raw")
    assert {row["row_split"] for row in rows if "/data/" in row["row_source"]} == {"test"}
    kept = {row["image"]: row["label"] for row in rows if row["row_source"].startswith(str(tmp_path / "table"))}
    assert kept == {blob: label for blob, label in zip(blobs, ["cat", "dog"] * 100, strict=True) if blob in kept}
    refused = {row["row_reason"]: row for row in table(config, "quarantine")}
    assert set(refused) == {"label_unknown", "file_unreadable"}
    assert refused["file_unreadable"]["row_source"].endswith("b.parquet")
    assert "'cow' is not among the recipe's labels" in refused["label_unknown"]["row_detail"]
    assert all(row["row_stage"] == "ingest" for row in refused.values())

    # The share is chosen by identity: another weight keeps those that a smaller one kept.
    sources[1]["weight"] = 0.6
    more = recipe(tmp_path, sources, label={})
    run(spark, more, "ingest")
    assert set(kept) < {row["image"] for row in table(more, "raw")}


def test_a_row_that_is_refused_no_longer_leaves_quarantine(spark, tmp_path):
    class_folders(tmp_path / "data", 3)
    put(tmp_path / "data/cow/x.png", png(picture(99)))
    config = recipe(tmp_path, [FOLDER])
    assert run(spark, config, "ingest").counts["sources"]["folder"]["refused"] == {"label_unknown": 1}
    (refused,) = table(config, "quarantine")
    mended = recipe(tmp_path, [{**FOLDER, "labels": {"cow": "cat"}}])
    run(spark, mended, "ingest")
    assert table(mended, "quarantine") == []
    assert refused["row_id"] in {row["row_id"] for row in table(mended, "raw")}


def test_equal_records_are_told_apart_and_rows_are_the_same_under_any_partitioning(spark, tmp_path, monkeypatch):
    same = png(picture(5))
    blobs = [same if number % 3 == 0 else png(picture(number)) for number in range(30)]
    for name, size in (("one", 30), ("many", 3)):
        (tmp_path / name / "table").mkdir(parents=True)
        pq.write_table(
            pa.table({"image": blobs, "label": ["cat", "dog"] * 15}),
            tmp_path / name / "table/a.parquet",
            row_group_size=size,
        )
    source = {"name": "table", "reader": "parquet", "path": "table", "weight": 0.7}
    monkeypatch.setattr("jobs.readers.parquet.PIECE_BYTES", 1)
    found = []
    for name in ("one", "many"):
        config = recipe(tmp_path / name, [source])
        done = run(spark, config, "ingest")
        assert balanced(done.counts)
        assert done.counts["sources"]["table"]["in"] == 30
        found.append({(row["row_id"], row["row_hash"], row["label"], row["image"]) for row in table(config, "raw")})
    assert found[0] == found[1]
    assert len({row_id for row_id, *_ in found[0]}) == len(found[0])
    assert done.counts["rows"] == len(found[0]) < 30


def test_missing_data_is_a_sentence_that_says_where_to_get_it(tmp_path):
    from conf import runs

    config = recipe(tmp_path, [{**FOLDER, "about": "The pictures come with the book."}])
    with pytest.raises(RecipeError) as error:
        runs.locate(config, "ingest")
    for part in (f"{tmp_path}/data is not there", "The pictures come with the book.", "--set data=DIR"):
        assert part in str(error.value)


def test_sources_without_one_usable_row_are_an_error_and_the_refused_rows_can_be_looked_at(spark, tmp_path):
    put(tmp_path / "data/cow/x.png", png(picture(99)))
    config = recipe(tmp_path, [FOLDER])
    with pytest.raises(StageError, match=r"gave no row that can be used.*label_unknown"):
        run(spark, config, "ingest")
    assert [row["row_reason"] for row in table(config, "quarantine")] == ["label_unknown"]


def test_mnist_is_read_whole(spark, tmp_path, data_dir):
    import conf

    config = conf.load("mnist-1000", "local", [f"data={data_dir / 'mnist'}"], str(tmp_path))
    done = run(spark, config, "ingest")
    assert {name: of["kept"] for name, of in done.counts["sources"].items()} == {"train": 60_000, "test": 10_000}
