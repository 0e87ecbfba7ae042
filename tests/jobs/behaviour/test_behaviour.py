"""Events read, judged and gathered to users; users cleaned, split, augmented."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf import runs
from conf.errors import RecipeError
from conf.schema.behaviour import Attribute
from jobs import explain, report_behaviour
from jobs.behaviour.clean import value_of
from jobs.export_events import as_csv
from tests.jobs.behaviour.made import FORM, SOURCES, Event, events, people, recipe, write
from tests.jobs.made import run, table
from udfs.behaviour.values import as_written

BAD = [
    ("u0", "i00", "good", "1000001"),
    ("u0", "i00", "9", "1000002"),
    ("u0", "i01", "nan", "1000003"),
    ("u1", "i20", "3", "noon"),
    ("", "i00", "3", "1000004"),
    ("u1", "", "3", "1000005"),
    ("u2", "i05", "3", "-7"),
]


def test_ratings_are_written_with_the_fewest_digits_that_tell_them_apart() -> None:
    """No two float32 ratings are counted as one, and none shows the digits of its rounding."""
    close = np.nextafter(np.float32(0.1), np.float32(1))
    assert [as_written(float(each)) for each in np.array([4, 4.3, 0.1, close, 1e8], np.float32)] == [
        "4", "4.3", "0.1", "0.10000001", "100000000",
    ]  # fmt: skip


def test_ratings_are_exported_as_they_are_written(tmp_path: Path) -> None:
    """Not with the digits of float32; and a negative one is a number, not a formula to be quoted."""
    columns = {
        "row_id": ["r"], "user": ["u"], "age": [30], "sex": ["F"], "row_origin": ["real"], "row_split": ["train"],
        "items": [["a", "b", "c"]], "times": [[1, 2, 3]],
        "ratings": pa.array([[4.3, 4.0, -0.1]], pa.list_(pa.float32())),
    }  # fmt: skip
    list(as_csv(recipe(tmp_path), tmp_path, iter([pa.RecordBatch.from_pydict(columns)])))
    lines = (tmp_path / "train-events.csv").read_text("utf-8").splitlines()
    assert lines == ["user,item,rating,time,origin", "u,a,4.3,1,real", "u,b,4,2,real", "u,c,-0.1,3,real"]


def test_events_are_judged_one_by_one_and_users_gathered(spark: Any, tmp_path: Path) -> None:
    """Every record is kept, merged or refused with its reason; a user's events stand in the order of their times."""
    rows = events(40)
    doubled, differing = rows[0], (*rows[1][:2], "5" if rows[1][2] != "5" else "1", rows[1][3])
    short, unknown = [("u90", "i01", "3", "5"), ("u90", "i02", "3", "6")], [("u91", "i01", "3", "5")]
    known = [*people(40), ("u90", "33", "F"), ("u99", "20", "M"), ("u3", "23", "M"), ("u4", "99", "F")]
    known = [(user, "old" if user == "u5" else "500" if user == "u6" else age, sex) for user, age, sex in known]
    write(tmp_path, [*reversed(rows), *BAD, BAD[0], doubled, differing, *short, *unknown], known)
    names = ["item,title", *(f"i{number:02d},Film {number}" for number in range(40)), "i03,Film 3", ",Nameless"]
    (tmp_path / "films.csv").write_text("\n".join(names) + "\n", "utf-8")
    sources = [*SOURCES, {"name": "films", "reader": "csv", "path": "films.csv"}]
    form = {**FORM, "items": "films"}
    config = recipe(tmp_path, behaviour=form, sources=sources, split={"train": 20, "val": 5, "rest": "test"})
    ingest, clean = run(spark, config, "ingest"), run(spark, config, "clean")
    counts = ingest.counts["sources"]
    for source in counts.values():
        assert source["in"] == source["kept"] + sum(source["refused"].values()) + source["merged"] + source["left_out"]
    of_u4 = sum(user == "u4" for user, *_ in rows)
    assert counts["ratings"]["refused"] == {
        "rating_unreadable": 2, "rating_out_of_range": 1, "time_unreadable": 1, "user_missing": 1, "item_missing": 1,
        "time_out_of_range": 1, "rating_conflict": 2, "user_unknown": 1 + of_u4,
    }  # fmt: skip
    assert counts["ratings"]["merged"] == 2  # BAD[0] again, and `doubled`
    assert counts["people"]["refused"] == {"attributes_conflict": 2} and counts["people"]["merged"] == 1
    assert counts["people"]["left_out"] == 1  # u99 has no events
    assert counts["films"]["refused"] == {"item_missing": 1} and counts["films"]["merged"] == 1
    assert report_behaviour._titles({"ingest": ingest})["i07"] == "Film 7"
    assert ingest.counts["rows"] == clean.counts["in"] == 40
    assert clean.counts["refused"] == {"too_few_events": 1, "attribute_unreadable": 1, "attribute_out_of_range": 1}
    kept = {row["user"]: row for row in table(config, "clean")}
    mine = sorted(((int(time), item) for user, item, _, time in rows if user == "u7"))
    assert kept["u7"]["items"] == [item for _, item in mine] and kept["u7"]["times"] == [time for time, _ in mine]
    assert kept["u7"]["age"] == 27 and kept["u7"]["sex"] == "M" and "u4" not in kept
    told = Counter(row["row_reason"] for row in table(config, "quarantine"))
    assert told["too_few_events"] == 1 and told["user_unknown"] == 2 and told["rating_conflict"] == 2
    assert explain.explain(config, kept["u7"]["row_id"]).same


def dated(rows: list[Event]) -> list[Event]:
    """The same events, their seconds as moments in words."""
    return [(*row[:3], datetime.fromtimestamp(int(row[3]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")) for row in rows]


@pytest.mark.slow
def test_a_user_who_goes_on_keeps_row_and_split(spark: Any, tmp_path: Path) -> None:
    """New events change a user's row, not its id; unknown users stay where the recipe says so; times are ISO's, and
    events have no ratings.
    """
    form = {**FORM, "unknown_users": "keep", "ratings": None, "time": "iso"}
    sources = [{**SOURCES[0], "drift": "merge"}, SOURCES[1]]
    write(tmp_path, dated(events(40)), people(40))
    config = recipe(tmp_path, behaviour=form, sources=sources, split={"train": 20, "val": 5, "rest": "test"})
    run(spark, config, "ingest", "clean")
    before = {row["user"]: row for row in table(config, "clean")}
    stranger = [("u77", f"i{number:02d}", "4", str(number)) for number in range(5)]
    timeless = ("u1", "i38", "5", "12:30:00")  # which would be an event of today
    write(tmp_path, [*dated([*events(40), ("u1", "i39", "5", "99999999"), *stranger]), timeless], people(40))
    counts, _ = run(spark, config, "ingest").counts, run(spark, config, "clean")
    assert counts["sources"]["ratings"]["refused"] == {"time_unreadable": 1}
    after = {row["user"]: row for row in table(config, "clean")}
    assert {user: row["row_id"] for user, row in after.items() if user != "u77"} == {
        user: row["row_id"] for user, row in before.items()
    }
    assert all(after[user]["row_split"] == row["row_split"] for user, row in before.items())
    first = next(int(time) for user, _, _, time in events(40) if user == "u1")
    assert before["u1"]["times"][0] == first and set(before["u1"]["ratings"]) == {1.0}
    assert after["u1"]["items"][-1] == "i39" and after["u1"]["times"][-1] == 99_999_999 and after["u77"]["age"] is None
    assert [user for user in before if before[user]["row_hash"] != after[user]["row_hash"]] == ["u1"]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"behaviour": {**FORM, "events": "clicks"}}, "behaviour.events names the source clicks"),
        ({"behaviour": {**FORM, "users": None}}, "attributes come of a source of users"),
        ({"behaviour": {**FORM, "attributes": {}}}, "has no attributes"),
        ({"behaviour": {**FORM, "attributes": {"items": {"type": "integer"}}}}, "rows need themselves"),
        ({"behaviour": {**FORM, "attributes": {"fate": {"type": "category"}}}}, "rows need themselves"),
        ({"behaviour": None}, "needs behaviour:"),
        ({"behaviour": {**FORM, "ratings": [5, 1]}}, "the least rating first"),
        ({"labels": ["a", "b"]}, "labels does not go with behaviour"),
        ({"sources": [*SOURCES, {"name": "more", "reader": "csv", "path": "x"}]}, "neither behaviour.events nor"),
        ({"generate": [{"model": "sequence_ar", "rows": {"per_label": 5}}]}, "users have no labels"),
        ({"generate": [{"model": "sequence_ar", "rows": {"like": "train", "where": "job=x"}}]}, "asks for job"),
        ({"generate": [{"model": "text_lm", "rows": {"like": "train"}}]}, "text_lm is not for behaviour"),
        ({"augment": {"copies": {"a": 1}, "steps": ["behaviour.crop"]}}, "augment.copies"),
        ({"split": {"train": 0.5, "rest": "test", "stratify": "label"}}, "stratify"),
    ],
)
def test_a_mistake_is_answered_before_anything_starts(tmp_path: Path, parts: dict[str, Any], told: str) -> None:
    """In one sentence that names what is wrong."""
    with pytest.raises(RecipeError, match=told):
        recipe(tmp_path, **parts)


@pytest.mark.parametrize(
    ("cell", "said", "value"),
    [
        ("41", {"type": "integer"}, (41, None)),
        ("41.0", {"type": "integer"}, (41, None)),
        ("41.5", {"type": "integer"}, (None, "unreadable")),
        ("inf", {"type": "number"}, (None, "unreadable")),
        ("1e400", {"type": "number"}, (None, "unreadable")),
        ("-1", {"type": "integer", "range": [0, None]}, (None, "out_of_range")),
        ("X", {"type": "category", "values": ["F", "M"]}, (None, "unknown")),
        (None, {"type": "category"}, (None, None)),
    ],
)
def test_an_attribute_is_read_or_refused(cell: str | None, said: dict[str, Any], value: Any) -> None:
    """What cannot be read never becomes a value; what is missing stays missing."""
    assert value_of(cell, Attribute(**said)) == value


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    """The file, and how to say where it lies."""
    write(tmp_path, events(5), people(5))
    (tmp_path / "people.csv").unlink()
    with pytest.raises(RecipeError, match=r"people.csv is not there.*--set data=DIR"):
        runs.survey(recipe(tmp_path))
