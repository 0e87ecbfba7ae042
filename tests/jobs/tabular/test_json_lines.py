"""JSON lines: digits as they are written, bad lines refused one by one."""

from __future__ import annotations

import pytest

from conf.errors import RecipeError
from tests.jobs.tabular.made import COLUMNS, line_of, read_all, reading


def read(tmp_path, lines, **keys):
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return read_all(reading(tmp_path, "json_lines", path="a.jsonl", **keys))


GOOD = '{"name": "ann", "age": 31, "score": 1.50, "label": "yes"}'


def test_cells_keep_their_digits_and_nulls(tmp_path):
    lines = [
        GOOD,
        '{"name": null, "age": 12345678901234567890, "score": 1e400, "label": true}',
        "",
        '{"label": "no", "score": NaN, "age": -0, "name": "\\u00e9"}',
        '{"label": "no"}',
    ]
    good, bad = read(tmp_path, lines)
    assert not bad
    assert [[row[name] for name in COLUMNS] for row in good] == [
        ["ann", "31", "1.50", "yes"],
        [None, "12345678901234567890", "1e400", "true"],
        ["é", "-0", "NaN", "no"],
        [None, None, None, "no"],
    ]
    assert [line_of(row["position"]) for row in good] == [1, 2, 4, 5]


def test_bad_lines_are_refused_one_by_one(tmp_path):
    lines = [
        GOOD,
        '{"name": "ann", "age": 31',
        "[" * 100_000,
        '{"name": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
        '{"name": "a", "name": "b"}',
        '{"name": ["a"], "label": "no"}',
        "12",
        b'{"name": "\xff"}',
        '{"name": "\\ud800", "label": "no"}',
        '{"name": "a", "new": 1}',
        GOOD,
    ]
    good, bad = read(tmp_path, lines)
    assert [line_of(row["position"]) for row in good] == [1, 11]
    assert [(line_of(record.position), record.reason) for record in bad] == [
        (2, "json_unreadable"),
        (3, "json_too_deep"),
        (4, "json_too_deep"),
        (5, "json_key_doubled"),
        (6, "cell_nested"),
        (7, "json_no_object"),
        (8, "line_not_utf8"),
        (9, "line_not_utf8"),
        (10, "column_added"),
    ]


def test_a_change_of_columns_is_refused_with_the_difference(tmp_path):
    with pytest.raises(RecipeError, match=r"Missing: name\. Added: nom\. If renamed, say columns: \{\"nom\": name\}"):
        read(tmp_path, ['{"nom": "ann", "age": 1, "score": 2, "label": "no"}'])
    good, bad = read(
        tmp_path,
        ['{"nom": "ann", "age": 1, "score": 2, "label": "no", "x": 1}'],
        columns={"nom": "name"},
        drift="merge",
    )
    assert (good[0]["name"], bad) == ("ann", [])


def test_rows_are_the_same_however_the_file_is_cut(tmp_path, monkeypatch):
    lines = [f'{{"name": "n{number}", "age": {number}, "score": 0, "label": "no"}}' for number in range(500)]
    whole = read(tmp_path, lines)
    monkeypatch.setattr("jobs.tabular.readers.json_lines.PIECE_BYTES", 2000)
    assert read(tmp_path, lines) == whole
    assert len(whole[0]) == 500
