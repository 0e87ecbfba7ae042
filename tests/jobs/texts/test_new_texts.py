"""A recipe for a person's own texts: found among a table's columns, and fit to run as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

import conf
from jobs import check
from jobs.tabular.profiling import profile_of
from jobs.texts import new
from tests.jobs.texts.made import texts


def written(folder: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> conf.Config:
    """The recipe that `seedbed new` writes for a file of these lines."""
    monkeypatch.chdir(folder)
    (folder / "notes.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    profile = profile_of(Path("notes.tsv"), None)
    text = new.text_of(profile)
    assert text is not None
    Path("mine.yaml").write_text(new.write("mine", profile, text, Path("mine.yaml")), "utf-8")
    return conf.load("./mine.yaml", "local", [], str(folder / "root"))


def test_texts_are_found_among_other_columns_and_read_back(spark, tmp_path, monkeypatch):
    some = texts(80)
    lines = ["id\tbody\tkind", *(f"{place}\t{text}\t{label}" for place, (text, label) in enumerate(some))]
    config = written(tmp_path, lines, monkeypatch)
    assert config.recipe.modality == "text" and config.recipe.labels == ["bad", "good"]
    (source,) = config.recipe.sources
    assert source.columns == {"body": "text", "kind": "label"} and source.drift == "merge"
    check.check_recipe(config)


def test_a_file_without_a_header_and_with_loose_quotes_is_told_as_it_is(spark, tmp_path, monkeypatch):
    lines = [
        f'{label}\t"{text}' if place % 9 == 0 else f"{label}\t{text}" for place, (text, label) in enumerate(texts(60))
    ]
    config = written(tmp_path, lines, monkeypatch)
    (source,) = config.recipe.sources
    assert source.header == ["label", "text"] and source.quote is None and source.delimiter == "\t"


def test_a_table_of_short_words_is_no_table_of_texts(spark, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{place % 7},town {place % 5} north,{('no', 'yes')[place % 2]}" for place in range(60)]
    Path("plain.csv").write_text("\n".join(["age,town,label", *rows]) + "\n", "utf-8")
    assert new.text_of(profile_of(Path("plain.csv"), "label")) is None
