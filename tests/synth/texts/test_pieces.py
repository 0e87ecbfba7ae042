"""Pieces of texts: any text comes back, and the vocabulary is made of the most frequent pairs, the same each time."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from synth.texts.pieces import BYTES, WORD, Pieces, measure
from tests.jobs.texts.made import texts

SOME = [text for text, _ in texts(40)]
PIECES = measure(SOME, 400)


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_is_written_and_comes_back(text: str) -> None:
    pieces = PIECES.encode(text)
    assert PIECES.decode(pieces) == text
    assert all(0 <= piece < len(PIECES) for piece in pieces)


def test_halves_of_a_pair_are_left_out() -> None:
    assert PIECES.decode(PIECES.encode("a\ud800b")) == "ab"


def test_texts_that_were_measured_take_few_pieces() -> None:
    assert sum(map(len, map(PIECES.encode, SOME))) < sum(map(len, SOME)) / 3


def test_the_vocabulary_is_measured_the_same_each_time_and_from_its_array() -> None:
    again = measure(list(reversed(SOME)), 400)
    assert again == PIECES == Pieces.from_array(PIECES.array())
    assert [again.encode(text) for text in SOME] == [PIECES.encode(text) for text in SOME]


def test_the_first_piece_is_the_most_frequent_pair_and_ties_go_by_their_order() -> None:
    words = [word.encode() for text in SOME for word in WORD.findall(text)]
    pairs = Counter(pair for word in words for pair in itertools.pairwise(word))
    assert PIECES.merges[0] == min(pairs, key=lambda pair: (-pairs[pair], pair))
    assert measure(["zy", "ab"] * 3, 258).merges[0] == (ord("a"), ord("b"))


def test_merging_step_by_step_is_counting_anew_after_each_merge() -> None:
    """An oracle without bookkeeping: recount all pairs before each merge."""
    words = [list(word.encode()) for text in SOME[:12] for word in WORD.findall(text)]
    merges = []
    for number in range(20):
        pairs = Counter(pair for word in words for pair in itertools.pairwise(word))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word in words:
            at = 0
            while at + 1 < len(word):
                if (word[at], word[at + 1]) == best:
                    word[at : at + 2] = [BYTES + number]
                at += 1
    assert measure(SOME[:12], BYTES + 20).merges == tuple(merges)


def test_no_piece_reaches_over_the_border_of_a_word() -> None:
    assert all(b" " not in written[1:] for written in PIECES.written[BYTES:])
