"""Ingest of tables on Spark: `raw` in step with its sources, ids that stay, several readers onto one schema."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from conf.errors import RecipeError
from tests.jobs.made import run, table, version
from tests.jobs.tabular.made import COLUMNS, people, recipe

HEADER = "name,age,score,label"
SOURCE = {"name": "csv", "reader": "csv", "path": "data/*.csv"}


def put(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def ids(config):
    """Cells of raw by id."""
    return {row["row_id"]: tuple(row[name] for name in COLUMNS) for row in table(config, "raw")}


def test_raw_follows_its_sources_and_every_other_row_keeps_its_id(spark, tmp_path):
    put(tmp_path / "data/a.csv", people(20))
    put(tmp_path / "data/b.csv", people(10, 100))
    config = recipe(tmp_path, [SOURCE])
    done = run(spark, config, "ingest")
    assert done.counts == {"sources": {"csv": {"in": 30, "kept": 30, "refused": {}, "left_out": 0}}, "rows": 30}
    before = ids(config)
    assert len(before) == 30
    was = version(config, "raw")
    assert run(spark, config, "ingest").outputs == done.outputs
    assert version(config, "raw") == was

    lines = people(20)
    lines[3] = "corrected,1,2,no"
    lines[5] = lines[5].replace("yes", "no")  # a label corrected
    del lines[7]
    put(tmp_path / "data/a.csv", [*lines, "appended,5,6,no"])
    put(tmp_path / "data/new.csv", ["new,1,1,yes"])
    (tmp_path / "data/b.csv").rename(tmp_path / "data/renamed.csv")
    run(spark, config, "ingest")
    after = ids(config)
    gone, came = before.keys() - after.keys(), after.keys() - before.keys()
    assert sorted(before[each][2] for each in gone) == ["3.5", "7.5"]
    assert sorted(after[each][0] for each in came) == ["appended", "corrected", "new"]
    changed = {each for each in before.keys() & after.keys() if before[each] != after[each]}
    assert [(before[each][3], after[each][3]) for each in changed] == [("yes", "no")]


def test_equal_records_are_told_apart_by_their_line(spark, tmp_path):
    put(tmp_path / "data/a.csv", ["same,1,1,no"] * 12)
    config = recipe(tmp_path, [SOURCE])
    run(spark, config, "ingest")
    before = {row["row_id"]: row["row_source"] for row in table(config, "raw")}
    assert len(before) == 12
    put(tmp_path / "data/a.csv", ["same,1,1,no"] * 12 + ["same,1,1,yes"])
    run(spark, config, "ingest")
    after = {row["row_id"]: row for row in table(config, "raw")}
    assert before.items() <= {row_id: row["row_source"] for row_id, row in after.items()}.items()
    (new,) = after.keys() - before.keys()
    assert after[new]["label"] == "yes"


def test_bad_lines_stand_in_quarantine_with_line_and_reason(spark, tmp_path):
    put(tmp_path / "data/a.csv", [*people(5), "ragged,1", "ragged,1", *people(5, 50)])
    config = recipe(tmp_path, [SOURCE])
    done = run(spark, config, "ingest")
    assert done.counts["sources"]["csv"] == {"in": 12, "kept": 10, "refused": {"line_ragged": 2}, "left_out": 0}
    refused = table(config, "quarantine")
    assert sorted(row["row_source"].rpartition("#")[2] for row in refused) == ["7", "8"]
    assert len({row["row_id"] for row in refused}) == 2
    assert all("line" in row["row_detail"] and row["row_stage"] == "ingest" and row["age"] is None for row in refused)


def test_readers_with_other_names_are_mapped_onto_one_schema(spark, tmp_path):
    typed = pa.table(
        {
            "Name": ["p", "q"],
            "years": pa.array([30, None], pa.int32()),
            "score": pa.array([0.1, 1e300], pa.float64()),
            "label": pa.array(["no", "yes"]).dictionary_encode(),
        }
    )
    for folder in ("parquet", "orc"):
        (tmp_path / folder).mkdir()
    pq.write_table(typed, tmp_path / "parquet/a.parquet")
    (tmp_path / "parquet/b.parquet").write_bytes(b"PAR1 and then nothing")
    plain = typed.set_column(3, "label", typed.column("label").cast(pa.string()))
    orc.write_table(plain, tmp_path / "orc/a.orc")
    frame = spark.createDataFrame(plain)
    frame.write.format("delta").save(str(tmp_path / "delta"))
    (tmp_path / "lines.jsonl").write_text('{"Name": "j", "years": 5, "score": 1.50, "label": "kitten"}\n')
    names = {"Name": "name", "years": "age"}
    sources = [
        {"name": "p", "reader": "parquet", "path": "parquet", "columns": names},
        {"name": "o", "reader": "orc", "path": "orc", "columns": names, "split": "test"},
        {"name": "d", "reader": "delta", "path": "delta", "columns": names},
        {"name": "j", "reader": "json_lines", "path": "lines.jsonl", "columns": names, "labels": {"kitten": "no"}},
    ]
    config = recipe(tmp_path, sources)
    done = run(spark, config, "ingest")
    assert {name: of["kept"] for name, of in done.counts["sources"].items()} == {"p": 2, "o": 2, "d": 2, "j": 1}
    assert done.counts["sources"]["p"]["refused"] == {"file_unreadable": 1}
    cells = [tuple(row[name] for name in COLUMNS) for row in table(config, "raw")]
    assert sorted(cells, key=str) == sorted(
        [("p", "30", "0.1", "no"), ("q", None, "1e+300", "yes")] * 3 + [("j", "5", "1.50", "no")], key=str
    )
    assert sum(row["row_split"] == "test" for row in table(config, "raw")) == 2


def test_a_retyped_column_is_refused_before_anything_is_written(spark, tmp_path):
    pq.write_table(pa.table({"name": ["a"], "age": [True], "score": [1.0], "label": ["no"]}), tmp_path / "a.parquet")
    config = recipe(tmp_path, [{"name": "p", "reader": "parquet", "path": "a.parquet"}])
    with pytest.raises(RecipeError, match="age is bool, declared integer"):
        run(spark, config, "ingest")
    assert table(config, "raw") == []


def test_a_share_of_a_source_is_chosen_by_identity(spark, tmp_path):
    put(tmp_path / "data/a.csv", people(300))
    small = recipe(tmp_path, [{**SOURCE, "weight": 0.3}])
    run(spark, small, "ingest")
    few = set(ids(small))
    large = recipe(tmp_path, [{**SOURCE, "weight": 0.6}])
    run(spark, large, "ingest")
    assert 60 < len(few) < 120 < len(ids(large)) < 240
    assert few < set(ids(large))
