"""Which texts a row is set against: drawn by identity, other captions of the same picture left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf.schema import Pairs
from jobs.fusion.pairs import Choosing
from udfs import records
from udfs.text.near import normal_form

COLOURS = ("red", "green", "blue")


def rows(count: int) -> list[dict[str, Any]]:
    """Rows of one split; every fifth has the text of the one before, five in a row are a group."""
    found = []
    for number in range(count):
        text = number - (number % 5 == 4)
        told = {"row_id": records.real_id("made", str(number).encode()), "row_class": COLOURS[number % 3]}
        told |= {"row_group": f"g{number // 5}", "row_split": "train", "cell": 0}
        found.append(
            told | {"text": f"{COLOURS[text % 3]} thing of {text} pieces, seen {text * 3} times on day {text}"}
        )
    return found


def chosen(some: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    return Choosing(Pairs(**options), 7)(pa.Table.from_pylist(some)).to_pylist()


@pytest.mark.parametrize("options", [{}, {"hard": 1.0}, {"hard": 1.0, "by": "class", "same": "colour"}])
def test_no_text_is_the_rows_own_nor_of_its_group_nor_taken_twice(options):
    """Three negatives of each row, all different, none a true caption."""
    some = rows(70)
    known = {row["row_id"]: row for row in some}
    pairs = chosen(some, negatives=3, **options)
    assert len(pairs) == 210 and len({pair["row_new_id"] for pair in pairs}) == 210
    for row_id in known:
        mine = [known[pair["row_other"]] for pair in pairs if pair["row_id"] == row_id]
        texts = [normal_form(other["text"]) for other in mine]
        assert len({*texts, normal_form(known[row_id]["text"])}) == 4
        assert all(other["row_group"] != known[row_id]["row_group"] for other in mine)


def test_pairs_do_not_depend_on_the_order_and_a_row_more_changes_few():
    """By identity: sorted otherwise they are the same; one row more changes about one pair in each ring."""
    some = rows(60)
    random = np.random.default_rng(0)
    turned = [some[place] for place in random.permutation(60)]
    pairs = {(pair["row_id"], pair["row_place"]): pair["row_other"] for pair in chosen(some, negatives=2)}
    again = {(pair["row_id"], pair["row_place"]): pair["row_other"] for pair in chosen(turned, negatives=2)}
    assert pairs == again
    more = {(pair["row_id"], pair["row_place"]): pair["row_other"] for pair in chosen(rows(61), negatives=2)}
    assert sum(more[key] != other for key, other in pairs.items()) <= 8


def test_hard_texts_are_of_the_class_or_share_most_words():
    """Against the ones drawn without asking."""
    some = rows(90)
    known = {row["row_id"]: row for row in some}

    def shared(pairs: list[dict[str, Any]]) -> float:
        words = [(set(known[p["row_id"]]["text"].split()), set(known[p["row_other"]]["text"].split())) for p in pairs]
        return float(np.mean([len(one & two) / len(one | two) for one, two in words]))

    easy, hard = chosen(some), chosen(some, hard=1.0)
    assert all(pair["row_is_hard"] for pair in hard) and not any(pair["row_is_hard"] for pair in easy)
    assert shared(hard) > shared(easy) + 0.05
    classes = chosen(some, hard=1.0, by="class", same="colour")
    assert all(known[pair["row_id"]]["row_class"] == known[pair["row_other"]]["row_class"] for pair in classes)
    half = chosen(some, hard=0.5)
    assert 30 < sum(pair["row_is_hard"] for pair in half) < 60


def test_a_row_without_others_gets_no_pair():
    """One row, or rows of one text alone: fewer pairs, no error."""
    assert chosen(rows(1)) == [] and chosen([{**row, "text": "the same"} for row in rows(5)]) == []


@pytest.mark.parametrize("options", [{"negatives": 3}, {"hard": 1.0}, {"hard": 1.0, "by": "class", "same": "colour"}])
def test_a_caption_that_the_rows_own_picture_has_too_is_no_mismatch(options):
    """Whoever else has it: a strange picture with a caption of one's own group is passed by."""
    some = rows(30)
    for row in some[5:15]:  # other pictures, captioned as those of g0 are
        row["text"] = some[int(row["row_group"][1:]) % 2]["text"]
    known = {row["row_id"]: row for row in some}
    own = {group: {row["text"] for row in some if row["row_group"] == group} for group in ("g0", "g1", "g2")}
    for pair in chosen(some, **options):
        group = known[pair["row_id"]]["row_group"]
        assert known[pair["row_other"]]["text"] not in own.get(group, ())
