"""Texts on Spark: read from files of any form, repaired and refused, near copies in one split, children by identity."""

from __future__ import annotations

import csv
import zipfile

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from conf import runs
from conf.errors import RecipeError
from jobs import check
from jobs.export import export
from jobs.texts.again import child_batch
from jobs.texts.near import near_pairs
from tests.jobs.made import run, table
from tests.jobs.texts.made import recipe, texts, write
from udfs import records
from udfs.text.compiled import compile_text_steps

RULES = ["text.fix_encoding", "text.strip_html", "text.strip_control", "text.collapse_whitespace", "text.reject_empty"]


ODD = {
    "the cafÃ© was open": "the café was open",
    "<p>come &amp; <b>see</b></p> the house": "come & see the house",
    "a\u0000 zero\u200b width\u0007 joke of mine": "a zero width joke of mine",
    "שלום עולם, a greeting": "שלום עולם, a greeting",
    "party 🎉🎉 at nine": "party 🎉🎉 at nine",
}
GONE = {"": "empty", "   \t ": "empty", "<br/>": "empty", "x" * 3000: "too_long"}
PLAIN = texts(80)


@pytest.fixture(scope="module")
def cleaned(spark, tmp_path_factory):
    """Plain texts, odd ones, copies and near copies, cleaned at once: the recipe, and what was counted."""
    folder = tmp_path_factory.mktemp("notes")
    near = [(text.replace("number", "numeral"), label) for text, label in PLAIN[:30]]
    copies = [(f"  {text.upper()}!", label) for text, label in PLAIN[30:40]]
    conflict = [(PLAIN[40][0], "good" if PLAIN[40][1] == "bad" else "bad")]
    odd = [*((text, "good") for text in (*ODD, *GONE)), ("of no class", "ugly")]
    write(folder, [*PLAIN, *near, *copies, *conflict, *odd])
    split = {"train": 0.5, "val": 0.2, "rest": "test"}
    config = recipe(folder, text={"max_characters": 2000}, clean={"rules": RULES}, split=split)
    return config, run(spark, config, "ingest", "clean").counts


def test_odd_texts_are_repaired_or_refused_with_their_reason(cleaned):
    config, counts = cleaned
    assert counts["in"] == counts["kept"] + sum(counts["refused"].values()) + counts["merged"] + counts["left_out"]
    assert counts["refused"] == {"empty": 3, "too_long": 1, "label_unknown": 1, "label_conflict": 2}
    assert counts["changed"]["text.strip_html"] == 2 and counts["changed"]["text.fix_encoding"] == 1
    kept = {row["text"] for row in table(config, "clean")}
    assert set(ODD.values()) <= kept
    refused = {row["text"]: row for row in table(config, "quarantine")}
    for text, reason in GONE.items():
        if text.strip():
            assert refused[text]["row_reason"] == reason and refused[text]["label"] == "good"
    assert "'ugly'" in refused["of no class"]["row_detail"]


def test_copies_are_merged_and_near_copies_stay_in_one_split(cleaned):
    config, counts = cleaned
    assert counts["merged"] == 10
    split = {row["text"]: row["row_split"] for row in table(config, "clean")}
    pairs = [(text, text.replace("number", "numeral")) for text, _ in PLAIN[:30]]
    assert all(split[text] == split[other] for text, other in pairs)
    assert len({split[text] for text, _ in pairs}) > 1


def test_near_pairs_are_found_whatever_the_partitions(spark, tmp_path):
    plain = [text for text, _ in texts(200)]
    nodes = [(f"{place:04d}", text) for place, text in enumerate(plain)]
    nodes += [(f"{place + 1000:04d}", text.replace("number", "numeral")) for place, text in enumerate(plain)]
    frame = spark.createDataFrame(nodes, "node string, text string")
    found = [
        {tuple(row) for row in near_pairs(spark, frame.repartition(parts), 0.6, str(tmp_path / str(parts))).collect()}
        for parts in (1, 3)
    ]
    assert found[0] == found[1]
    pairs = {(first, second) for first, second, _ in found[0]}
    planted = {(f"{place:04d}", f"{place + 1000:04d}") for place in range(200)}
    assert len(planted & pairs) >= 0.95 * len(planted)
    assert all(int(second) - int(first) == 1000 for first, second in pairs)


def test_texts_are_read_from_files_of_any_form(spark, tmp_path):
    some = texts(40)
    folder = tmp_path / "zipped"
    folder.mkdir()
    with zipfile.ZipFile(folder / "notes.zip", "w") as archive:
        for place, (text, label) in enumerate(some):
            archive.writestr(f"corpus/{label}/{place}.txt", text.encode("utf-16" if place == 0 else "utf-8"))
        archive.writestr("corpus/README", "no text")
    tabs = tmp_path / "tabs"
    tabs.mkdir()
    (tabs / "notes.tsv").write_text("".join(f'{label}\t"{text}\n' for text, label in some), "utf-8")
    lines = tmp_path / "lines"
    lines.mkdir()
    write(lines, [(text, label) for text, label in some])
    sources = {
        folder: {"name": "notes", "reader": "text_folder", "path": "notes.zip"},
        tabs: {
            "name": "notes", "reader": "csv", "path": "notes.tsv",
            "header": ["label", "text"], "delimiter": "\t", "quote": None,
        },
        lines: {"name": "notes", "reader": "json_lines", "path": "texts.jsonl"},
    }  # fmt: skip
    for place, source in sources.items():
        config = recipe(place, sources=[source])
        assert run(spark, config, "ingest").counts["sources"]["notes"]["kept"] == 40
        found = {(row["text"].lstrip('"'), row["label"]) for row in table(config, "raw")}
        assert found == set(some)
    assert [row["row_reason"] for row in table(recipe(folder, sources=[sources[folder]]), "quarantine")] == [
        "file_not_text"
    ]


def test_children_are_the_same_under_any_partitioning_and_can_be_explained(spark, tmp_path):
    write(tmp_path, texts(60))
    steps = [
        {"text.synonym_replacement": {"p": 0.5}},
        {"text.word_deletion": {"p": 0.2}},
        {"text.sentence_mix": {"p": 0.5}},
    ]
    config = recipe(tmp_path, augment={"copies": 3, "steps": steps})
    done = run(spark, config, "ingest", "clean", "normalize", "augment")
    assert done.counts["staged"] == 60
    rows = spark.read.parquet(f"{done.folder}/rows").collect()
    train = {row["row_id"]: row for row in table(config, "clean") if row["row_split"] == "train"}
    compiled = compile_text_steps(config.recipe.augment.steps)
    own = [row for row in rows if len(row["row_parents"]) == 1]
    parents = [train[row["row_parents"][0]] for row in own]
    ids = [row["row_id"] for row in own]
    made, _ = compiled.apply([each["text"] for each in parents], ids, 7, others=[""] * len(own))
    assert made == [row["text"] for row in own]
    assert {row["label"] for row in rows} == {"good", "bad"}
    mixed = next(row for row in rows if len(row["row_parents"]) == 2)
    assert {train[parent]["label"] for parent in mixed["row_parents"]} == {mixed["label"]}
    for row in (own[0], mixed):
        again = pa.Table.from_batches([compiled(child_batch(config.recipe, row.asDict(), train), 7)])
        schema = records.row_schema(config.recipe)
        again = records.with_hashes(records.conform(again, schema))
        assert again.column("row_hash")[0].as_py() == row["row_hash"]
        assert again.column("row_id")[0].as_py() == row["row_id"]


def test_a_dataset_of_texts_is_exported_as_csv(tmp_path):
    write(tmp_path, texts(40))
    config = recipe(tmp_path)
    names = [name for name in records.text_schema().names if name != "soft_label"]
    cells = {name: ["x"] for name in names if records.text_schema().field(name).type == pa.string()}
    row = pa.table({**cells, "row_split": ["train"], "text": ['=cmd() said, "hello"']})
    write_deltalake(f"{runs.home(config)}/dataset", records.conform(row, records.text_schema()))
    assert export(config, None, tmp_path / "out", []) == {"train": 1}
    (line,) = csv.DictReader((tmp_path / "out" / "train.csv").open(encoding="utf-8"))
    assert line["text"] == '\'=cmd() said, "hello"' and line["label"] == "x"


def test_mistakes_are_answered_before_anything_starts(tmp_path):
    write(tmp_path, texts(40))
    for parts, told in (
        ({"labels": ["good"]}, "needs labels: of two"),
        ({"columns": {"text": {"type": "category"}}}, "does not go with texts"),
        ({"generate": [{"model": "table_ar", "rows": {"like": "train"}}]}, "is not for texts"),
        ({"evaluate": {"judges": ["cnn"]}}, "cnn is not for texts, which have words, characters, bag"),
    ):
        with pytest.raises(RecipeError, match=told):
            recipe(tmp_path, **parts)
    for parts, told in (
        ({"clean": {"rules": ["text.word_swap"]}}, "belongs under augment.steps"),
        ({"augment": {"steps": ["text.reject_empty"]}}, "belongs under clean.rules"),
        ({"augment": {"steps": ["image.rotate"]}}, "is for images and these are texts"),
    ):
        with pytest.raises(RecipeError, match=told):
            check.check_recipe(recipe(tmp_path, **parts))


def test_lines_that_are_no_texts_are_refused_one_by_one(spark, tmp_path):
    """Ten megabytes, bytes of no encoding, a cell too many; the texts between them stay."""
    some = texts(40)
    lines = [f"{label}\t{text}".encode() for text, label in some]
    lines[5:5] = [b"good\t" + b"x" * (10 << 20), b"bad\tcaf\xe9 au lait", b"good\tone\ttoo many"]
    (tmp_path / "notes.tsv").write_bytes(b"\n".join(lines) + b"\n")
    source = {"name": "notes", "reader": "csv", "path": "notes.tsv", "header": ["label", "text"], "delimiter": "\t"}
    config = recipe(tmp_path, sources=[{**source, "quote": None}])
    counts = run(spark, config, "ingest").counts["sources"]["notes"]
    assert counts["in"] == 43 and counts["kept"] == 40
    assert counts["refused"] == {"line_too_long": 1, "line_not_utf8": 1, "line_ragged": 1}
    assert {row["row_reason"] for row in table(config, "quarantine")} == set(counts["refused"])
    assert {row["text"] for row in table(config, "raw")} == {text for text, _ in some}


@pytest.mark.slow
def test_the_same_texts_again_with_one_more_line_keep_their_ids_and_splits(spark, tmp_path):
    """A line appended, one corrected, one taken out: every other row stays as it is."""
    some = texts(60)
    write(tmp_path, some)
    config = recipe(tmp_path, split={"train": 0.5, "val": 0.2, "rest": "test"})
    run(spark, config, "ingest", "clean")
    before = {row["text"]: (row["row_id"], row["row_split"], row["row_hash"]) for row in table(config, "clean")}
    changed = [*some[:10], (some[10][0], "good" if some[10][1] == "bad" else "bad"), *some[12:], *texts(1, first=500)]
    write(tmp_path, changed)
    config = recipe(tmp_path, split={"train": 0.5, "val": 0.2, "rest": "test"})
    run(spark, config, "ingest", "clean")
    after = {row["text"]: (row["row_id"], row["row_split"], row["row_hash"]) for row in table(config, "clean")}
    assert set(after) == {text for text, _ in changed}
    same = {text for text, _ in some} - {some[10][0], some[11][0]}
    assert all(before[text] == after[text] for text in same)
    assert before[some[10][0]][0] == after[some[10][0]][0]  # a corrected label is another hash, and the same row
    assert before[some[10][0]][2] != after[some[10][0]][2]
