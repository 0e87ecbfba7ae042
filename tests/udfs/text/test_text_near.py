"""Near duplicates: exact likeness by plain sets, signatures that estimate it, bands that find what is alike."""

from __future__ import annotations

import hashlib
import random
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.text import near
from udfs.text.values import Texts

VOCABULARY = [f"word{number}" for number in range(4000)]
ODD: Texts = [None, "", " \n", "a", "😀", "\ud800", "!!!", "ok then", "\u200f", "x" * 3000, "e\u0301", "\u0301" * 2000]


def sentences(count: int, words: int, seed: int = 1) -> list[str]:
    """Texts of words drawn from a vocabulary."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(VOCABULARY, k=words)) for _ in range(count)]


def edited(text: str, changes: int, rng: random.Random) -> str:
    """The text with other words at so many places."""
    words = text.split()
    for place in rng.sample(range(len(words)), changes):
        words[place] = rng.choice(VOCABULARY)
    return " ".join(words)


def plain_set(text: str, size: int) -> set[object]:
    """Shingles of an ASCII text in lower case as tuples, without any hash."""
    words = text.split()
    if len(words) >= 2 * size:
        return set(zip(*(words[start:] for start in range(size)), strict=False))
    return {f"  {text}  "[at : at + 5] for at in range(len(text))} if text else set()


@given(st.lists(st.text("ab ", max_size=30), min_size=2, max_size=2), st.integers(1, 4))
def test_likeness_is_that_of_plain_sets(pair: list[str], size: int) -> None:
    """Of words in a row, or of characters in a row where words are few."""
    one, other = (" ".join(text.split()) for text in pair)
    a, b = plain_set(one, size), plain_set(other, size)
    wanted = len(a & b) / len(a | b) if a | b else 0.0
    assert near.jaccard(near.shingles(one, size), near.shingles(other, size)) == wanted
    assert near.likenesses([one], [other], size=size).tolist() == [wanted]


def test_likenesses_of_many_pairs_are_those_of_each() -> None:
    """Batches do not show, nor do odd texts among others."""
    rng = random.Random(2)
    some: Texts = [*sentences(300, 12), *ODD, *sentences(50, 3)]
    others: Texts = [edited(text, rng.randint(1, 2), rng) if text and " " in text.strip() else text for text in some]
    each = [near.jaccard(near.shingles(a), near.shingles(b)) for a, b in zip(some, others, strict=True)]
    assert near.likenesses(some, others).tolist() == each
    assert 0 < np.mean(each) < 1
    assert near.likenesses([None, "a b", None], ["a b", None, None]).tolist() == [0, 0, 0]
    assert near.likenesses([], []).tolist() == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The cat, sat!", "the  CAT sat"),
        ("ﬁne ＯＮＥ", "fine one"),
        ("e\u0301te", "\xe9te"),
        ("straße", "STRASSE"),
        ("a_b", "A b"),
    ],
)
def test_what_only_looks_different_is_the_same(one: str, other: str) -> None:
    """Case, punctuation, space and Unicode form."""
    assert near.normal_form(one) == near.normal_form(other)
    assert near.likenesses([one], [other]).tolist() == [1.0]


def test_texts_without_words_are_told_by_their_signs() -> None:
    """Only null and white space have no shingle."""
    assert [len(near.shingles(text)) > 0 for text in (None, "", " \n", "a", "😀", "!", "\ud800")] == [False] * 3 + [
        True
    ] * 4
    assert near.likenesses(["😀"], ["😡"])[0] < 0.5


def test_signatures_do_not_depend_on_the_batch() -> None:
    """Nor on its order; a text without shingles has a mark everywhere."""
    texts: Texts = [*sentences(40, 15), *ODD, *sentences(40, 2)]
    whole = near.signatures(texts, permutations=32)
    assert whole.dtype == np.uint32 and whole.shape == (len(texts), 32)
    assert (near.signatures(texts[::-1], permutations=32)[::-1] == whole).all()
    assert (np.concatenate([near.signatures([text], permutations=32) for text in texts]) == whole).all()
    assert (whole[40:43] == near.NO_SHINGLE).all() and not (whole[43] == near.NO_SHINGLE).any()
    assert (near.signatures(texts, permutations=32, seed=1) != whole)[:40].mean() > 0.99
    assert near.signatures([]).shape == (0, 128)


def test_signatures_are_the_same_everywhere() -> None:
    """A digest that was noted: other platforms and versions must give it too."""
    raw = (
        near.signatures(["The quick brown fox jumps over the lazy dog", "short", None], seed=7).astype("<u4").tobytes()
    )
    assert hashlib.sha256(raw).hexdigest()[:16] == "4199f2911b246315"


def test_a_text_of_many_shingles_is_taken_in_pieces_that_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were in one."""
    texts: Texts = ["a b c d e f g", *sentences(2, 500), "x", *sentences(1, 90)]
    whole, likeness = near.signatures(texts), near.likenesses(texts, texts[::-1])
    monkeypatch.setattr(near, "_BLOCK", 40)
    monkeypatch.setattr(near, "_BATCH_CHARACTERS", 3000)
    assert (near.signatures(texts) == whole).all()
    assert (near.likenesses(texts, texts[::-1]) == likeness).all()
    bands = near.band_keys(whole, 25, 5)
    monkeypatch.setattr(near, "_BLOCK", 2)
    assert (near.band_keys(whole, 25, 5) == bands).all()


def test_signatures_agree_as_often_as_sets_are_alike() -> None:
    """The share of equal places is the likeness, but for chance (standard error under 0.001 here)."""
    rng = random.Random(3)
    some = sentences(3000, 20)
    for changes in (1, 3, 6):
        others = [edited(text, changes, rng) for text in some]
        alike = near.likenesses([*some], [*others])
        agreed = (near.signatures([*some]) == near.signatures([*others])).mean(axis=1)
        assert abs((agreed - alike).mean()) < 0.004
        spread = np.sqrt(alike * (1 - alike) / 128)
        assert 0.9 < (agreed - alike).std() / np.sqrt((spread**2).mean()) < 1.1


@pytest.mark.parametrize("threshold", [0.6, 0.7])
@pytest.mark.parametrize("size", [2, 3])
def test_planted_near_duplicates_are_found(threshold: float, size: int) -> None:
    """One to three words of twenty changed: of pairs as alike as the threshold, 98 of 100 share a key."""
    rng = random.Random(4)
    some = sentences(3000, 20)
    others = [edited(text, rng.randint(1, 3), rng) for text in some]
    bands, rows = near.bands_for(threshold)
    keys = [near.band_keys(near.signatures([*texts], size=size), bands, rows) for texts in (some, others)]
    shares_key, alike = (keys[0] == keys[1]).any(axis=1), near.likenesses([*some], [*others], size=size) >= threshold
    assert alike.sum() > 800 and shares_key[alike].mean() >= 0.98
    strangers = (keys[0] == np.roll(keys[0], 1, axis=0)).any(axis=1)
    assert strangers.mean() < 0.001


def test_keys_tell_their_band() -> None:
    """The same places in another band are another key; too few permutations are refused."""
    signed = np.tile(np.arange(4, dtype=np.uint32), (1, 8))
    keys = near.band_keys(signed, 8, 4)
    assert keys.shape == (1, 8) and len(set(keys[0].tolist())) == 8
    other = signed.copy()
    other[0, 5] = 9
    assert (near.band_keys(other, 8, 4) != keys).tolist() == [[False, True, *[False] * 6]]
    with pytest.raises(ValueError, match="need 33 permutations"):
        near.band_keys(signed, 11, 3)


@given(st.floats(0.05, 1), st.integers(1, 256))
def test_bands_are_as_long_as_recall_allows(threshold: float, permutations: int) -> None:
    """They fit, reach 98 of 100 where any do, and longer ones would not."""
    bands, rows = near.bands_for(threshold, permutations)

    def recall(rows: int) -> float:
        return 1 - (1 - threshold**rows) ** (permutations // rows)

    assert bands * rows <= permutations
    assert recall(rows) >= 0.98 or rows == 1
    assert all(recall(longer) < 0.98 for longer in range(rows + 1, permutations + 1))


def test_many_rows_need_little_memory_and_long_ones_little_time() -> None:
    """Beside what is given back; 15,000 short texts a second are the aim, a tenth of it must do."""
    texts: Texts = [*sentences(500, 20)] * 40
    began = time.process_time()
    near.signatures(texts)
    assert time.process_time() - began < len(texts) / 1500
    tracemalloc.start()
    signed = near.signatures(texts[:10_000])
    beside = tracemalloc.get_traced_memory()[1] - signed.nbytes
    tracemalloc.stop()
    assert beside < 60e6
    began = time.process_time()
    near.signatures(["one two three " * 300_000])
    assert time.process_time() - began < 3
