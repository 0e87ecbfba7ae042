"""Rules that refuse texts: what each refuses, what passes, and what no rule judges."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.text import rejects
from udfs.text.values import Reasons, Texts

RULES: list[Callable[[Texts], Reasons]] = [
    rejects.reject_empty,
    lambda texts: rejects.reject_length(texts, min_words=2, max_characters=20),
    rejects.reject_repetition,
    rejects.reject_symbols,
    rejects.reject_few_stopwords,
    rejects.reject_language,
]
CODES = {"empty", "too_short", "too_long", "repetitive", "many_symbols", "few_stopwords", "other_language", None}
SENTENCES = [
    "The film is long, but the actors make it worth your time and money.",
    "Stocks ended higher on Friday after oil prices fell to their lowest level in a month.",
    "I don't think we can come tonight because the car is still at the garage.",
    "Scientists have found water on a small moon of Saturn, the agency said on Monday.",
    "OK so I'm going 2 the shop now, do u want anything from there?",
]
FOREIGN = {
    "de": "Der Film ist lang, aber die Schauspieler machen ihn sehenswert und das Ende ist gut.",
    "fr": "Les prix du pétrole ont encore baissé vendredi, selon les chiffres publiés par la banque.",
    "es": "No creo que podamos venir esta noche porque el coche sigue en el taller.",
    "ru": "Учёные нашли воду на небольшом спутнике Сатурна, сообщили в понедельник.",
    "zh": "科学家在土星的一颗小卫星上发现了水，该机构周一表示。",
    "ar": "عثر العلماء على الماء في قمر صغير من أقمار زحل، بحسب ما أعلنت الوكالة يوم الاثنين.",
}


@pytest.mark.parametrize("rule", RULES)
@given(texts=st.lists(st.none() | st.text(st.characters()), max_size=5))
def test_a_rule_gives_a_code_or_null_by_one_row_alone(rule: Callable[[Texts], Reasons], texts: Texts) -> None:
    """Any text, lone surrogates too."""
    out = rule(texts)
    assert len(out) == len(texts) and set(out) <= CODES
    assert out == [rule([text])[0] for text in texts]


def test_a_row_without_a_text_is_refused_by_one_rule_alone() -> None:
    """And so is white space of any kind."""
    assert rejects.reject_empty([None, "", " \t\n\u2003\xa0", "x", "."]) == ["empty", "empty", "empty", None, None]
    assert [rule([None]) for rule in RULES[1:]] == [[None]] * 5


@pytest.mark.parametrize("rule", RULES)
def test_sentences_pass(rule: Callable[[Texts], Reasons]) -> None:
    """Also with emoji, and in capitals."""
    texts: Texts = [
        *SENTENCES,
        *(text.upper() for text in SENTENCES),
        *(text + " \U0001f469\u200d\U0001f4bb" for text in SENTENCES),
    ]
    if rule is not RULES[1]:
        assert rule(texts) == [None] * 15


def test_length_counts_words_and_characters() -> None:
    """Bounds included; a word keeps its apostrophe and hyphen."""
    texts: Texts = ["", "one", "don't well-known", "one two three", None]
    assert rejects.reject_length(texts) == [None] * 5
    assert rejects.reject_length(texts, min_words=2, max_words=2) == ["too_short", "too_short", None, "too_long", None]
    assert rejects.reject_length(texts, min_characters=3, max_characters=13) == [
        "too_short", None, "too_long", None, None,
    ]  # fmt: skip


def test_repetition_is_the_share_of_what_stood_before() -> None:
    """Of three words in a row, whatever their case and punctuation; or of lines."""
    spam = "Buy now and save. BUY NOW, and save! buy now and save? Buy: now and save"
    assert rejects.reject_repetition([spam, "no no no no", "so so so so so so so so so so"]) == [
        "repetitive",
        None,
        "repetitive",
    ]
    lines = "a first line of words\nmenu\nanother one of them\nmenu\n\nmenu\nlast one of all"
    assert rejects.reject_repetition([lines], max_line_share=0.3) == ["repetitive"]
    assert rejects.reject_repetition([lines], max_line_share=0.4) == [None]
    words = "abcdefabcghi"  # one of ten runs stood before
    assert rejects.reject_repetition([" ".join(words)], max_ngram_share=0.1) == [None]
    assert rejects.reject_repetition([" ".join(words)], max_ngram_share=0.09) == ["repetitive"]
    assert rejects.repeated_share([]) == 0


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("ab..", 0.5),
        ("a b", 0),
        ("", 0),
        (" \n", 0),
        ("___a", 0.75),
        ("e\u0301", 0),
        ("हिन्दी", 0),
        ("😀😀", 1),
        ("שָׁלוֹם", 0),
        ("٣", 0),
    ],
)
def test_symbols_are_what_is_no_letter_digit_or_space(text: str, share: float) -> None:
    """Marks on letters are none; emoji are."""
    assert rejects.symbol_share(text) == share
    assert rejects.reject_symbols([text], max_share=0.5) == ["many_symbols" if share > 0.5 else None]


def test_lists_of_keywords_have_few_stopwords() -> None:
    """A text must have enough words to be judged."""
    words = "cheap phones laptops tablets cameras watches speakers headphones cables chargers"
    assert rejects.reject_few_stopwords([words, words.rsplit(" ", 1)[0]]) == ["few_stopwords", None]
    assert rejects.reject_few_stopwords([words + " and more"]) == [None]


@pytest.mark.parametrize("language", FOREIGN)
def test_other_languages_are_refused_but_those_named(language: str) -> None:
    """Where the text has enough words."""
    text = FOREIGN[language]
    assert rejects.language_of(text)[0] == language
    assert rejects.reject_language([text]) == ["other_language"]
    assert rejects.reject_language([text], languages=("en", language)) == [None]
    assert rejects.reject_language([text], min_confidence=1.0, languages=("en",)) == [None]
    assert rejects.reject_language([text], min_words=50) == [None]


def test_short_english_that_is_written_in_haste_passes() -> None:
    """It is taken for no pidgin."""
    texts: Texts = [
        "Ok i go change also...",
        "Both :) i shoot big loads so get ready!",
        "Ok. I only ask abt e movie. U wan ktv oso?",
    ]
    assert rejects.reject_language(texts) == [None] * 3


def test_a_language_that_cannot_be_told_is_refused() -> None:
    """By name."""
    with pytest.raises(ValueError, match="english is no language"):
        rejects.reject_language(["x"], languages=("english",))


@pytest.mark.parametrize("rule", RULES)
def test_a_long_line_is_soon_judged(rule: Callable[[Texts], Reasons]) -> None:
    """Two million characters without a line end, and as many without a space."""
    began = time.process_time()
    rule([" ".join(SENTENCES) * 5000, "x" * 2_000_000, "\u0301" * 1_000_000, "don't-" * 300_000])
    assert time.process_time() - began < 6
