"""Folders, archives, manifests and their CSV."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from conf.errors import RecipeError
from jobs import readers
from jobs.readers import csv_lines, store
from jobs.readers.image_manifest import parsed_boxes
from tests.jobs.made import class_folders, picture, png, put, read_all, reading

SOME = png(picture(1))


def reasons(records) -> dict[str, str]:
    """Reason by the end of the position."""
    return {record.position.rpartition("/")[2]: record.reason for record in records if record.reason}


# ---- folders ----


def test_a_folder_a_class_gives_labels_and_bytes_as_they_were(tmp_path):
    class_folders(tmp_path / "data", 3)
    put(tmp_path / "data/cat/deep/er/x.png", SOME)
    records = read_all(reading(tmp_path, "image_folder", path="data"))
    assert sorted(record.label for record in records) == ["cat"] * 4 + ["dog"] * 3
    assert next(r for r in records if r.position.endswith("er/x.png")).image == SOME


def test_files_outside_class_folders_have_no_label_and_hidden_ones_do_not_count(tmp_path):
    put(tmp_path / "data/loose.png", SOME)
    for name in (".DS_Store", "cat/Thumbs.db", "__MACOSX/cat/x.png", ".git/config"):
        put(tmp_path / "data" / name, b"?")
    (record,) = read_all(reading(tmp_path, "image_folder", path="data"))
    assert record.label is None
    assert record.reason is None


def test_other_files_are_refused_not_lost(tmp_path):
    put(tmp_path / "data/cat/notes.txt", b"words")
    put(tmp_path / "data/cat/x.png", SOME)
    assert reasons(read_all(reading(tmp_path, "image_folder", path="data"))) == {"notes.txt": "file_not_image"}


def test_links_out_of_the_folder_are_refused_and_links_within_it_are_followed(tmp_path):
    put(tmp_path / "secret/x.png", SOME)
    put(tmp_path / "data/cat/real.png", SOME)
    (tmp_path / "data/cat/out.png").symlink_to(tmp_path / "secret/x.png")
    (tmp_path / "data/cat/in.png").symlink_to("real.png")
    (tmp_path / "data/dog").symlink_to(tmp_path / "secret")
    records = read_all(reading(tmp_path, "image_folder", path="data"))
    assert reasons(records) == {"data#cat/out.png".rpartition("/")[2]: "path_outside", "data#dog": "path_outside"}
    assert sorted(record.label for record in records if not record.reason) == ["cat", "cat"]


def test_an_empty_folder_is_an_error_in_a_sentence(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(RecipeError, match="holds no files"):
        readers.pieces(reading(tmp_path, "image_folder", path="data"))


def test_a_renamed_or_relabelled_file_keeps_its_identity(tmp_path):
    put(tmp_path / "one/cat/a.png", SOME)
    put(tmp_path / "two/dog/b.png", SOME)
    (one,), (two,) = (read_all(reading(tmp_path, "image_folder", path=path)) for path in ("one", "two"))
    assert one.content == two.content


def test_masks_come_with_their_images_and_a_missing_one_is_refused(tmp_path):
    put(tmp_path / "images/cat/a.png", SOME)
    put(tmp_path / "images/cat/b.png", png(picture(2)))
    put(tmp_path / "masks/cat/a.png", b"mask")
    records = read_all(reading(tmp_path, "image_folder", path="images", mask_path="masks", masks=True))
    assert records[0].mask == b"mask"
    assert reasons(records) == {"b.png": "mask_missing"}


# ---- archives ----


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["data.zip", "data.tar", "data.tar.gz", "data.tar.xz"])
def test_archives_read_as_folders_do(tmp_path, name):
    members = {"cat/a.png": SOME, "dog/b.png": png(picture(2)), "dog/deep/c.png": png(picture(3))}
    if name.endswith(".zip"):
        zipped(tmp_path / name, members)
    else:
        tarred(tmp_path / name, members, "w" + name.removeprefix("data.tar").replace(".", ":"))
    records = read_all(reading(tmp_path, "image_folder", path=name))
    assert [(r.position.rpartition("#")[2], r.label, r.image) for r in records] == [
        (member, member.split("/")[0], data) for member, data in members.items()
    ]


@pytest.mark.parametrize("name", ["data.zip", "data.tar"])
@pytest.mark.parametrize(
    "member", ["../cat/evil.png", "/etc/cat.png", "cat/../../x.png", "C:/cat/x.png", "cat\\..\\..\\x.png"]
)
def test_archive_members_that_lead_elsewhere_are_refused_and_nothing_is_written(tmp_path, name, member):
    before = sorted(tmp_path.parent.rglob("*.png"))
    members = {member: SOME, "cat/a.png": SOME}
    _ = zipped(tmp_path / name, members) if name.endswith(".zip") else tarred(tmp_path / name, members)
    records = read_all(reading(tmp_path, "image_folder", path=name))
    assert sorted((record.reason or "") for record in records) == ["", "path_outside"]
    assert sorted(tmp_path.parent.rglob("*.png")) == before


def test_links_in_archives_are_refused(tmp_path):
    link = tarfile.TarInfo("cat/link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tarred(tmp_path / "data.tar", {"cat/link.png": link, "cat/a.png": SOME})
    assert [r.reason for r in read_all(reading(tmp_path, "image_folder", path="data.tar"))] == [None, "archive_link"]
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        info = zipfile.ZipInfo("cat/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("cat/a.png", SOME)
    assert [r.reason for r in read_all(reading(tmp_path, "image_folder", path="data.zip"))] == [None, "archive_link"]


def test_members_that_would_unpack_to_hundreds_of_times_their_size_are_refused(tmp_path):
    bomb = b"\0" * (8 << 20)
    zipped(tmp_path / "data.zip", {"cat/bomb.png": bomb, "cat/a.png": SOME})
    assert [r.reason for r in read_all(reading(tmp_path, "image_folder", path="data.zip"))] == [None, "archive_ratio"]
    tarred(tmp_path / "data.tar.gz", {"cat/bomb.png": b"\0" * (64 << 20)}, "w:gz")
    with pytest.raises(RecipeError, match=r"unpacks to more than 200 times its size"):
        readers.pieces(reading(tmp_path, "image_folder", path="data.tar.gz"))


def test_a_damaged_member_is_refused_and_the_others_are_read(tmp_path):
    zipped(tmp_path / "data.zip", {"cat/a.png": SOME, "dog/b.png": os.urandom(4000)})
    data = bytearray((tmp_path / "data.zip").read_bytes())
    data[data.index(b"dog/b.png") + 1500] ^= 0xFF
    put(tmp_path / "data.zip", bytes(data))
    assert [r.reason for r in read_all(reading(tmp_path, "image_folder", path="data.zip"))] == [None, "archive_damaged"]


def test_an_archive_that_is_none_is_an_error_that_names_it(tmp_path):
    for name in ("data.zip", "data.tar.gz"):
        put(tmp_path / name, b"not an archive at all")
        with pytest.raises(RecipeError, match="is not an archive that can be read"):
            readers.pieces(reading(tmp_path, "image_folder", path=name))


def test_a_name_that_an_archive_holds_twice_is_read_once_and_refused_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("cat/a.png", SOME)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("cat/a.png", png(picture(9)))
    assert sorted((r.reason or "") for r in read_all(reading(tmp_path, "image_folder", path="data.zip"))) == [
        "",
        "archive_name_doubled",
    ]


# ---- manifests ----


def manifest(folder: Path, text: str | bytes, **keys):
    put(folder / "labels.csv", text.encode() if isinstance(text, str) else text)
    for number in range(1, 5):
        put(folder / f"images/{number}.png", png(picture(number)))
    return reading(folder, "image_manifest", path="images", manifest="labels.csv", **keys)


def labels(records) -> list[str | None]:
    return [record.label for record in records if record.reason is None]


def test_a_manifest_gives_files_their_labels_groups_and_splits(tmp_path):
    task = manifest(
        tmp_path, "file,label,who,split\n1.png,cat,ann,train\n2.png,dog,bob,test\n3.png,,,\n", group_column="who"
    )
    records = read_all(task)
    assert [(r.label, r.group, r.split) for r in records] == [
        ("cat", "ann", "train"),
        ("dog", "bob", "test"),
        (None, None, None),
    ]
    assert records[0].position == f"{tmp_path}/images/1.png#2"


@pytest.mark.parametrize(
    "text",
    [
        "\ufefffile,label\r\n1.png,cat\r\n2.png,dog\r\n",
        "file;label\n1.png;cat\n2.png;dog\n",
        "file\tlabel\n1.png\tcat\n2.png\tdog",
        '"file","label"\n"1.png","cat"\n"2.png", "dog"\n\n\n',
        "label,file\ncat,./1.png\ndog,2.png\n",
    ],
    ids=["bom-crlf", "semicolons", "tabs", "quotes", "order"],
)
def test_manifests_of_all_makes_read_alike(tmp_path, text):
    assert labels(read_all(manifest(tmp_path, text))) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2.png,dog,more", "line_ragged"),
        (b"2.png", "line_ragged"),
        (b'2.png,"dog', "line_quote_unclosed"),
        (b"2.png,d\xff\xfeg", "line_not_utf8"),
        (b"file,label", "line_is_header"),
        (b"2.png," + b"x" * (2 << 20), "line_too_long"),
        (b"../2.png,dog", "path_outside"),
        (b"/etc/passwd,dog", "path_outside"),
        (b"cat/../../2.png,dog", "path_outside"),
        (b"C:\\2.png,dog", "path_outside"),
        (b"https://example.org/2.png,dog", "path_outside"),
        (b",dog", "path_outside"),
        (b"9.png,dog", "file_missing"),
    ],
)
def test_a_bad_line_is_refused_by_itself_with_its_number(tmp_path, line, reason):
    records = read_all(manifest(tmp_path, b"file,label\n1.png,cat\n" + line + b"\n3.png,dog\n4.png,cat\n"))
    assert labels(records) == ["cat", "dog", "cat"]
    (bad,) = [record for record in records if record.reason]
    assert bad.reason == reason
    assert bad.position.endswith("#3")
    assert reason in ("file_missing",) or "line 3" in bad.detail


def test_a_cell_of_a_hundred_megabytes_is_refused_without_being_held(tmp_path):
    import tracemalloc

    put(tmp_path / "labels.csv", b"file,label\n1.png,cat\n2.png," + b"x" * (100 << 20) + b"\n3.png,dog\n")
    tracemalloc.start()
    with (tmp_path / "labels.csv").open("rb") as stream:
        rows = list(csv_lines.rows(stream, ["file", "label"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.reason for row in rows] == [None, "line_too_long", None]
    assert peak < 16 << 20


def test_quoted_cells_may_hold_delimiters_quotes_and_line_breaks(tmp_path):
    put(tmp_path / "a.csv", b'file,note\n1.png,"a, ""b""\nc"\n2.png,a "quote" inside\n')
    with (tmp_path / "a.csv").open("rb") as stream:
        rows = list(csv_lines.rows(stream, ["file"]))
    assert [(row.line, row.cells["note"]) for row in rows] == [(2, 'a, "b"\nc'), (4, 'a "quote" inside')]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.png,cat\n2.png,dog\n", "needs a header with the columns file, label; its first line is '1.png,cat'"),
        ("", "is empty"),
        ("file,file,label\n1.png,1.png,cat\n", "has the column file twice"),
        ("file,label\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
    ],
)
def test_a_manifest_without_a_usable_header_is_an_error_that_names_it(tmp_path, text, told):
    with pytest.raises(RecipeError, match=r"labels\.csv") as error:
        readers.pieces(manifest(tmp_path, text))
    assert told in str(error.value)


def test_a_file_named_twice_gives_two_records_of_one_content(tmp_path):
    first, second = read_all(manifest(tmp_path, "file,label\n1.png,cat\n1.png,dog\n"))
    assert first.content == second.content
    assert (first.label, second.label) == ("cat", "dog")
    assert first.position != second.position


def test_an_unknown_split_or_unreadable_boxes_are_refused(tmp_path):
    boxes = '"[{""x0"":1,""y0"":2,""x1"":3,""y1"":4,""label"":""eye""}]"'
    text = f'file,label,split,boxes\n1.png,cat,trian,\n2.png,dog,,"[{{""x0"": 1}}]"\n3.png,cat,,{boxes}\n'
    records = read_all(manifest(tmp_path, text, boxes=True))
    assert [record.reason for record in records] == ["split_unknown", "boxes_unreadable", None]
    assert records[2].boxes == [{"x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0, "label": "eye"}]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '[{"x0":1,"x0":9,"y0":2,"x1":3,"y1":4}]',
        '[{"x0":NaN,"y0":2,"x1":3,"y1":4}]',
        '[{"x0":1,"y0":2,"x1":1e999,"y1":4}]',
        f'[{{"x0":{"9" * 400},"y0":2,"x1":3,"y1":4}}]',
        "[[1,2,3,4]]",
        '{"x0":1}',
        "7",
        "null",
        "",
    ],
    ids=["deep", "doubled key", "nan", "infinite", "overflow", "lists", "no list", "number", "null", "empty"],
)
def test_boxes_that_are_none_are_refused_whatever_is_wrong_with_them(text):
    assert parsed_boxes(text) is None


def test_safe_names_stay_below_their_folder():
    assert store.safe_name("a\\b/./c.png") == "a/b/c.png"
    for name in ("", " ", ".", "..", "../a", "a/../../b", "/a", "\\a", "C:a", "s3://a/b", "a\0b"):
        assert store.safe_name(name) is None, name
