"""Conditions are a small language of their own: what it means, and that it is nothing else."""

from __future__ import annotations

import pytest

from conf.schema.where import Condition, parse


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("sex=Female,age>=60", [("sex", "=", ("Female",)), ("age", ">=", ("60",))]),
        (" sex = Female , age<= -1.5e3 ", [("sex", "=", ("Female",)), ("age", "<=", ("-1.5e3",))]),
        ("race!=Black|Other", [("race", "!=", ("Black", "Other"))]),
        ('job="a, ""b"" | c"', [("job", "=", ('a, "b" | c',))]),
        ("country=Outlying-US(Guam etc)", [("country", "=", ("Outlying-US(Guam etc)",))]),
        ('work=?|"?"', [("work", "=", (None, "?"))]),
        ("day>2020-01-31", [("day", ">", ("2020-01-31",))]),
        ('empty=""', [("empty", "=", ("",))]),
    ],
)
def test_conditions_mean_what_they_say(text: str, meant: list[tuple[str, str, tuple[str | None, ...]]]) -> None:
    assert parse(text) == tuple(Condition(*each) for each in meant)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a column with"),
        ("age", "a column with"),
        ("age=", "a value"),
        ("age>=60,", "a column with"),
        ("age==60", "a value"),
        ("age>=60 sex=Male", "a comma"),
        ('job="open', "a value"),
        ("age<1|2", "one value"),
        ("age<?", "one value"),
        ("1=1", "a column with"),
        ("age=1;drop", None),
        ("a=b" * 5000, "at most"),
    ],
)
def test_what_is_not_a_condition_is_refused_where_it_goes_wrong(text: str, told: str | None) -> None:
    if told is None:
        assert parse(text) == (Condition("age", "=", ("1;drop",)),)  # a word like any other: nothing runs it
        return
    with pytest.raises(ValueError, match=told):
        parse(text)


def test_code_in_a_value_stays_a_word_and_outside_is_refused() -> None:
    assert parse("job=reflect('java.lang.Runtime')")[0].values == ("reflect('java.lang.Runtime')",)
    with pytest.raises(ValueError, match="a column with"):
        parse("reflect('a')=1")


def test_a_long_text_that_is_no_condition_is_refused_in_no_time() -> None:
    with pytest.raises(ValueError, match="a value"):
        parse("a=" + " " * 9000)
    with pytest.raises(ValueError, match="a comma"):
        parse("a=" + "b " * 4000 + '"')
