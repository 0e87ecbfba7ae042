"""CSV of every kind: what is good is read as it stands, what is bad is refused line by line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import zipfile

import numpy as np
import pytest

from conf.errors import RecipeError
from jobs.tabular import blocks, careful, csv_blocks
from jobs.tabular.dialect import Dialect
from tests.jobs.tabular.made import COLUMNS, line_of, people, read_all, reading

HEADER = "name,age,score,label"


def read(tmp_path, data, **keys):
    """A file of these bytes, read."""
    (tmp_path / "a.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_all(reading(tmp_path, "csv", path="a.csv", **keys))


def cells(rows):
    """Cells alone, as lists."""
    return [[row[name] for name in COLUMNS] for row in rows]


def reasons(bad):
    """Lines and reasons."""
    return [(line_of(record.position), record.reason) for record in bad]


def test_good_lines_are_kept_and_bad_ones_refused_with_line_and_reason(tmp_path):
    lines = [
        HEADER,
        "ann,31,1.5,yes",
        "bob,32,2.5",  # 3: ragged
        'cy,"33",2.5,no',
        'dee,34,"2.5,no',  # 5: never closed
        "eve,35,3.5,yes",
        "fay,36,3.5,yes,more",  # 7: ragged
        HEADER,  # 8
        'gus,"37",4.5,"no"',
        "",
        '"h, i\nj",38,"1""2",no',  # 11 and 12
        "kim,39,5.5,yes",
    ]
    good, bad = read(tmp_path, "\n".join(lines) + "\n")
    assert cells(good) == [
        ["ann", "31", "1.5", "yes"],
        ["cy", "33", "2.5", "no"],
        ["eve", "35", "3.5", "yes"],
        ["gus", "37", "4.5", "no"],
        ["h, i\nj", "38", '1"2', "no"],
        ["kim", "39", "5.5", "yes"],
    ]
    assert [line_of(row["position"]) for row in good] == [2, 4, 6, 9, 11, 13]
    assert reasons(bad) == [(3, "line_ragged"), (5, "line_quote_unclosed"), (7, "line_ragged"), (8, "line_is_header")]
    assert "line 3: 3 cells; 4 are wanted" in bad[0].detail


def test_bytes_that_are_no_utf8_cost_their_own_line(tmp_path):
    data = f"{HEADER}\nann,31,1.5,yes\n".encode() + b"b\xff\xfe,32,2.5,no\n" + "ćy,33,3.5,no\n".encode()
    good, bad = read(tmp_path, data)
    assert cells(good) == [["ann", "31", "1.5", "yes"], ["ćy", "33", "3.5", "no"]]
    assert reasons(bad) == [(3, "line_not_utf8")]
    assert "0xff" in bad[0].detail


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_line_ends_change_nothing(tmp_path, end, start):
    good, bad = read(tmp_path, start + end.join([HEADER, *people(5)]).encode())
    assert cells(good) == [line.split(",") for line in people(5)]
    assert not bad


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_and_blanks_may_stand_before_quotes(tmp_path, delimiter):
    lines = [line.replace(",", delimiter) for line in [HEADER, *people(3)]]
    good, _ = read(tmp_path, "\n".join(lines))
    assert cells(good) == [line.split(",") for line in people(3)]
    blank = [HEADER.replace(",", delimiter), delimiter.join(['"a"', ' "3{0}1"', ' "2"', ' "no"']).format(delimiter)]
    good, _ = read(tmp_path, "\n".join(blank))
    assert cells(good) == [["a", f"3{delimiter}1", "2", "no"]]


def test_what_is_declared_is_not_guessed(tmp_path):
    text = "ann:31:'1:5':yes\nbob:32:2:no\n"
    good, _ = read(tmp_path, text, delimiter=":", quote="'", header=False)
    assert cells(good) == [["ann", "31", "1:5", "yes"], ["bob", "32", "2", "no"]]
    good, _ = read(tmp_path, 'ann,31,"1,yes\n', quote=None, header=False)
    assert cells(good) == [["ann", "31", '"1', "yes"]]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "shift_jis"])
def test_encodings_are_read_as_declared(tmp_path, encoding):
    word = "名" if encoding == "shift_jis" else "né"
    text = f"{HEADER}\r\n{word},31,1.5,yes\r\n"
    good, bad = read(tmp_path, text.encode(encoding), encoding=encoding)
    assert cells(good) == [[word, "31", "1.5", "yes"]]
    assert not bad


def test_a_cell_of_a_hundred_megabytes_is_refused_in_bounded_memory(tmp_path):
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(f"{HEADER}\n{people(1)[0]}\nx".encode())
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(f",1,2,no\n{people(1, 1)[0]}\n".encode())
    task = reading(tmp_path, "csv", path="a.csv")
    good, bad = read_all(task)
    assert cells(good) == [line.split(",") for line in people(2)]
    assert reasons(bad) == [(3, "line_too_long")]
    from jobs.tabular import ingest

    assert max(piece["bytes"] for piece in ingest.pieces(task)) < 10 << 20


def test_a_header_that_is_missing_or_doubled_is_an_error_with_its_mend(tmp_path):
    with pytest.raises(RecipeError, match="say header: false"):
        read(tmp_path, "\n".join(people(3)))
    with pytest.raises(RecipeError, match="'age' twice in its header"):
        read(tmp_path, "name,age,age,label\n")
    with pytest.raises(RecipeError, match="3 cells in its first line, and the recipe declares 4"):
        read(tmp_path, "a,b,c\n", header=False)
    with pytest.raises(RecipeError, match="say encoding: utf-16"):
        read(tmp_path, HEADER.encode("utf-16"))
    with pytest.raises(RecipeError, match="no text"):
        read(tmp_path, b"PK\x03\x04 a spreadsheet")


def test_a_change_of_columns_is_refused_with_the_difference_and_merged_where_the_recipe_says_so(tmp_path):
    text = "name,Age (years),score,label,extra\nann,31,1.5,yes,1\n"
    with pytest.raises(RecipeError) as error:
        read(tmp_path, text)
    assert "Missing: age. Added: Age (years), extra." in str(error.value)
    good, _ = read(tmp_path, text, columns={"Age (years)": "age"}, drift="merge")
    assert cells(good) == [["ann", "31", "1.5", "yes"]]
    good, _ = read(tmp_path, text, drift="merge")
    assert "age" not in good[0]


def test_names_that_a_table_cannot_hold_are_mapped(tmp_path):
    (tmp_path / "a.csv").write_text("emp.var rate;1st;label\n1;2;no\n")
    task = reading(tmp_path, "csv", ("emp_var_rate", "_1st", "label"), path="a.csv")
    good, _ = read_all(task)
    assert {name: good[0][name] for name in ("emp_var_rate", "_1st")} == {"emp_var_rate": "1", "_1st": "2"}


def test_files_are_found_by_folder_pattern_archive_and_packed(tmp_path):
    for number, name in enumerate(("x1.csv", "x2.csv", "y.csv")):
        (tmp_path / name).write_text("\n".join([HEADER, *people(2, number * 10)]))
    (tmp_path / "_hidden.csv").write_text("nonsense")
    whole = "\n".join([HEADER, *people(3)]).encode()
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/a.csv.gz").write_bytes(gzip.compress(whole))
    (tmp_path / "packed/b.csv.bz2").write_bytes(bz2.compress(whole))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("in/side.csv", whole)
        archive.writestr("other.csv", "nonsense")
    for path, count in (("x*.csv", 4), ("packed", 6), ("all.zip/in/side.csv", 3)):
        good, bad = read_all(reading(tmp_path, "csv", path=path))
        assert (len(good), bad) == (count, []), path
    good, bad = read_all(reading(tmp_path, "csv", path="all.zip/in/none.csv"))
    assert (good, [record.reason for record in bad]) == ([], ["file_unreadable"])


def test_empty_and_broken_files_are_refused_by_themselves(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("\n".join([HEADER, *people(2)]))
    (tmp_path / "data/b.csv").write_text("\n \n")
    (tmp_path / "data/c.csv").write_text(HEADER)
    (tmp_path / "data/d.csv.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    good, bad = read_all(reading(tmp_path, "csv", path="data"))
    assert len(good) == 2
    assert sorted(record.reason for record in bad) == ["file_empty", "file_unreadable"]


def _oracle(text: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row]


def test_rows_and_lines_are_the_same_however_the_file_is_cut(tmp_path, monkeypatch):
    random = np.random.default_rng(3)
    words = ["plain", 'with "quotes"', "with, comma", "two\nlines", "", " blank ", "ünï", "x" * 300]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for number in range(2000):
        writer.writerow([words[random.integers(len(words))], number, number, words[random.integers(len(words))]])
    text = buffer.getvalue()
    wanted = _oracle(text)[1:]
    found = []
    for size in (1 << 23, 50_000, 3_000):
        monkeypatch.setattr("jobs.tabular.readers.csv.PIECE_BYTES", size)
        good, bad = read(tmp_path, text)
        assert not bad
        found.append(good)
        assert cells(good) == wanted
    assert found[0] == found[1] == found[2]


def test_the_quick_and_the_careful_way_read_the_same(tmp_path, monkeypatch):
    text = "\n".join([HEADER, *people(50), 'a,"1\n2", 3,no', '"a ""b""",2,3,no', "c,4,5", *people(50, 50)])
    quick = read(tmp_path, text)
    monkeypatch.setattr(csv_blocks, "_quick", lambda *_: None)
    careful = read(tmp_path, text)
    assert quick == careful
    assert len(quick[0]) == 102


QUOTES = careful.quotes_of(Dialect(",", '"', "utf-8", False, False, tuple(COLUMNS)))


def test_appended_lines_leave_earlier_pieces_as_they_were():
    data = "\n".join(people(5000)).encode() + b"\n"
    before = [(b.start, b.line) for b in blocks.blocks(io.BytesIO(data), 10_000, QUOTES)]
    after = [(b.start, b.line) for b in blocks.blocks(io.BytesIO(data + data), 10_000, QUOTES)]
    assert len(before) > 5
    assert after[: len(before)] == before


def test_swapped_columns_are_refused_before_anything_is_written_and_single_bad_cells_are_not(tmp_path):
    lines = [f"{20 + n},n{n},1,no" if n else "20,n,1,no" for n in range(40)]
    words = [line.replace("n", "x", 1) for line in ["word,ann,1,no"] * 40]
    with pytest.raises(
        RecipeError, match=r"age is declared integer, and none of its first 40 cells holds a digit: .*'axn'"
    ):
        read(tmp_path, "\n".join([HEADER, *words]) + "\n")
    good, _ = read(tmp_path, "\n".join([HEADER, *words[:30], *lines]) + "\n")
    assert len(good) == 70
    holes = [f"a,{token},1,no" for token in ("?", "NA", "unknown", "") * 10]
    good, _ = read(tmp_path, "\n".join([HEADER, *holes]) + "\n")
    assert len(good) == 40
