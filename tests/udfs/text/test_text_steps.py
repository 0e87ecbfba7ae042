"""The contract that every step of texts keeps, found by walking the names; and what each does."""

from __future__ import annotations

import inspect
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs import names, records, text
from udfs.rng import RowRandom
from udfs.text import tagging, thesaurus
from udfs.text.english import FUNCTION_WORDS, article_for
from udfs.text.values import Texts
from udfs.text.words import WORD, Words, sentences

KINDS = {name: names.kind_of(getattr(text, name)) for name in text.__all__}
STEPS = [name for name, kind in KINDS.items() if kind in ("random", "mixing", "plain")]
RANDOM = [name for name in STEPS if KINDS[name] != "plain"]
BY_RULE = {  # they change what they are sure of, which few texts have: see test_text_voice and test_text_restructuring
    "active_voice", "adverb_moving", "clause_fronting", "conjunction_join", "conjunction_split", "contraction",
    "expansion", "passive_voice",
}  # fmt: skip
DRAWN = [name for name in RANDOM if name not in BY_RULE]
PLAIN_TEXTS: list[str] = [
    "The quick brown fox jumped over the lazy dogs. It was an amazing day! I don't believe it, because it rained.",
    "An old car has received a new engine, and its owner was happy about the result of the repair.",
    "This movie is a complete waste of time. The actors performed badly and the story makes no sense. Avoid it!",
    "She bought beautiful clothes for her children at the big store near London. They were very expensive, though.",
    "He gave up smoking after his doctor told him to stop. Which medicine is better? Nobody really knows yet.",
    "Your friend will receive the package tomorrow. There is their house, on the corner of the street.",
]
ODD_TEXTS: list[str] = [
    "", " ", "\n\n", "...", "?!", "\U0001f44d\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "שלום עולם, מה שלומך?", "مرحبا بالعالم.", "a\u200bb\u200c c\u200d", "\u200b", "\x00\x07 bell\x1b[0m\x7f", "x", "I",
    "ß ŉ İ ǰ", "é e\u0301", "don't", "\'\'\'\'", "a-b-c-", "1,234.56", "U.S.A.", "\uff11\uff12 \uff46\uff55", "Ⅷ ² ½",
    "\u65e5\u672c\u8a9e\u3002", "-\u2028-\x85-", "http://a.b/c?d=e", "\ud7ff\ue000\ufffd", "ALL CAPS HERE!",
    "tab\tand\r\nline\r", "’tis ‘quoted’ “text”", "won't can't 'em", "A",
]  # fmt: skip
LONG = "The dogs don't run. " * 10_000  # 200,000 characters
TEXTS: Texts = [*PLAIN_TEXTS, None, *ODD_TEXTS, None]


def ids_of(count: int) -> list[str]:
    """Row ids."""
    made_by = records.maker("test")
    return [made_by + records.which(i) for i in range(count)]


def run(name: str, texts: Texts, ids: list[str] | None = None, others: Texts | None = None, **options: Any) -> Texts:
    """One step by its name; partners are the texts in another order."""
    step, random = getattr(text, name), RowRandom(ids or ids_of(len(texts)), 5, name, 2)
    if KINDS[name] == "plain":
        return step(texts, **options)
    if KINDS[name] == "mixing":
        return step(random, texts, texts[1:] + texts[:1] if others is None else others, **options)[0]
    return step(random, texts, **options)


def words_of(line: str) -> list[str]:
    """Its words in small letters."""
    return [word.lower() for word in WORD.findall(line)]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_the_contract(name: str) -> None:
    """Same length; null for null; input unchanged; the same a second time; none but a repair empties a text."""
    before = list(TEXTS)
    made = run(name, TEXTS)
    assert before == TEXTS, "the input was changed"
    assert type(made) is list and len(made) == len(TEXTS)
    for old, new in zip(TEXTS, made, strict=True):
        assert (old is None) == (new is None)
        if old is not None:
            assert isinstance(new, str)
            assert name not in RANDOM or bool(new.strip()) >= bool(old.strip())
        (new or "").encode("utf-8")
    assert run(name, TEXTS) == made, "not the same a second time"
    assert run(name, [], others=[]) == []


@pytest.mark.parametrize("name", STEPS)
def test_a_row_is_the_same_in_any_slice_and_order(name: str) -> None:
    """Whatever lies beside it, and however many."""
    ids, others = ids_of(len(TEXTS)), TEXTS[1:] + TEXTS[:1]
    made = run(name, TEXTS, ids, others)
    for order in ([3], list(range(4, 9)), np.random.default_rng(1).permutation(len(TEXTS)).tolist()):
        some = run(name, [TEXTS[i] for i in order], [ids[i] for i in order], [others[i] for i in order])
        assert some == [made[i] for i in order]


@pytest.mark.parametrize("name", DRAWN)
def test_p_is_how_much_changes(name: str) -> None:
    """Nothing at 0; more at 1 than at a half."""
    texts: Texts = PLAIN_TEXTS * 20
    changed = {p: np.mean([a != b for a, b in zip(run(name, texts, p=p), texts, strict=True)]) for p in (0.0, 0.1, 1.0)}
    assert run(name, TEXTS, p=0.0) == TEXTS
    assert changed[0.0] == 0 < changed[0.1] <= changed[1.0] and changed[1.0] > 0.6


@pytest.mark.parametrize("name", DRAWN)
def test_ids_and_seeds_draw_apart(name: str) -> None:
    """Equal texts under other ids come out different, unless the step changes all that there is."""
    if name in ("stemming", "lemmatisation"):
        pytest.skip("draws only which words")
    assert len(set(run(name, [PLAIN_TEXTS[2]] * 24, others=[PLAIN_TEXTS[3]] * 24))) >= 3


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_the_shape_and_the_words_of_one(name: str) -> None:
    """Options are keyword-only, bounded and good as they are; random steps take `p`; the first line is a sentence."""
    step = getattr(text, name)
    parameters = inspect.signature(step).parameters
    assert ("p" in parameters) == ("random" in parameters)
    assert (inspect.getdoc(step) or "").split("\n")[0].endswith((".", ";"))
    for key, hint in inspect.get_annotations(step, eval_str=True).items():
        if parameters.get(key) and parameters[key].kind is inspect.Parameter.KEYWORD_ONLY:
            names.check_option(key, hint, parameters[key].default)


@pytest.mark.parametrize("name", STEPS)
def test_a_line_of_200_000_characters_is_one_text(name: str) -> None:
    """It takes no longer than as many short ones, and stays about as long."""
    made = run(name, [LONG], others=[PLAIN_TEXTS[0]])[0]
    assert made is not None and 0.1 * len(LONG) < len(made) < 2 * len(LONG)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=3), st.floats(0, 1))
def test_any_text_goes_through_any_step(some: list[str], p: float) -> None:
    """None raises, and none gives nothing for something."""
    for name in RANDOM:
        for old, new in zip(some, run(name, list(some), p=p), strict=True):
            assert isinstance(new, str) and bool(new.strip()) >= bool(old.strip())


def test_a_crop_is_a_run_of_the_words() -> None:
    """Of a share between the bounds."""
    for old, new in zip(PLAIN_TEXTS, run("random_crop", list(PLAIN_TEXTS), share=(0.4, 0.6)), strict=True):
        assert new in old
        assert 0.37 < len(words_of(new)) / len(words_of(old)) < 0.65


def test_deletion_drops_words_alone_and_about_p_of_them() -> None:
    """What stays is in its order."""
    texts = PLAIN_TEXTS * 40
    made = run("word_deletion", list(texts), p=0.2)
    kept = sum(len(words_of(new)) for new in made) / sum(len(words_of(old)) for old in texts)
    assert 0.77 < kept < 0.83
    for old, new in zip(texts, made, strict=True):
        rest = iter(words_of(old))
        assert all(word in rest for word in words_of(new))
        assert new[:1].isupper()
    assert len(words_of(run("word_deletion", ["One of three."], p=1.0)[0])) == 1


def test_a_swap_keeps_the_words_and_the_capital_at_the_head() -> None:
    """Marks stay where they were."""
    for old, new in zip(PLAIN_TEXTS, run("word_swap", list(PLAIN_TEXTS), p=1.0), strict=True):
        assert Counter(words_of(new)) == Counter(words_of(old)) and words_of(new) != words_of(old)
        assert Words.of(new).gaps == Words.of(old).gaps and new[0].isupper()
    assert run("word_swap", ["The dog barks"], p=1.0) == ["Dog the barks"]
    assert run("word_swap", ["London is big"], p=1.0) == ["Is London big"]
    assert run("word_swap", ["It costs 3.5"], p=1.0) == ["Costs it 3.5"]


def test_an_insertion_adds_words_and_drops_none() -> None:
    """About p of them; numbers stay whole."""
    texts = PLAIN_TEXTS * 40
    made = run("word_insertion", list(texts), p=0.2)
    grown = sum(len(words_of(new)) for new in made) / sum(len(words_of(old)) for old in texts)
    assert 1.12 < grown < 1.23
    for old, new in zip(texts, made, strict=True):
        rest = iter(words_of(new))
        assert all(word in rest for word in words_of(old))
    assert "3.50" in run("word_insertion", ["It costs 3.50 here"], p=1.0)[0]


def test_a_shuffle_reorders_sentences() -> None:
    """The same ones, never in the same order; a text of one stays; the last gets its full stop."""
    for old, new in zip(PLAIN_TEXTS, run("sentence_shuffle", list(PLAIN_TEXTS)), strict=True):
        before, after = ([part.strip() for part in sentences(each)] for each in (old, new))
        assert sorted(before) == sorted(after) and (before != after or len(before) == 1)
    assert run("sentence_shuffle", ["One is here. Two is not"]) == ["Two is not. One is here."]


@pytest.mark.parametrize("name", ["synonym_replacement"])
def test_a_synonym_shares_a_sense_and_the_form(name: str) -> None:
    """Every new word's lemma stands in the lexicon with the old one's; function words, names and numbers stay."""
    texts = PLAIN_TEXTS * 30
    for old, new in zip(texts, run(name, list(texts), p=1.0), strict=True):
        was, now = Words.of(old), Words.of(new)
        for at, (before, after) in enumerate(zip(was.words, now.words, strict=True)):
            tag = tagging.tags(was)[at]
            if before.lower() in FUNCTION_WORDS - {"a", "an"} or tag in ("NNP", "CD"):
                assert before == after
            elif before != after and before.lower() not in ("a", "an"):
                lemma, position = tagging.lemma(before, tag), {"N": "n", "V": "v", "J": "a", "R": "r"}[tag[0]]
                shared = {word for sense in thesaurus.synonyms(lemma, position) for word in sense}
                assert after.lower() in {tagging.inflected(word, tag) for word in shared}
                assert before[:1].isupper() == after[:1].isupper()


@pytest.mark.parametrize(
    ("old", "wanted"),
    [
        ("They purchased it.", {"They bought it."}),
        ("Two automobiles crashed.", {"cars"}),
        ("It was an old vehicle.", set()),
        ("HUGE dogs bark", {"IMMENSE"}),
        ("a large dog", {"a big dog"}),
        ("an automobile", {"a car"}),
    ],
)
def test_synonyms_fit_number_tense_case_and_article(old: str, wanted: set[str]) -> None:
    """Among the results of many draws is the one that fits, and none with the wrong article."""
    made = [each for each in run("synonym_replacement", [old] * 60, p=0.9) if each]
    assert all(any(word in each for each in made) for word in wanted)
    for each in made:
        found = words_of(each)
        for article, after in pairwise(found):
            assert article not in ("a", "an") or article == article_for(after)


@pytest.mark.parametrize("old", ["He gave up quickly", "I ate ice cream", "Dawn paid in Paris", "Look at it!"])
def test_fixed_phrases_and_names_stay(old: str) -> None:
    """`gave up` is not `yielded up`."""
    kept = {"gave up", "ice cream", "Dawn", "Paris", "Look at"}
    for made in run("synonym_replacement", [old] * 40, p=1.0):
        assert all(phrase in str(made) for phrase in kept if phrase in old)


def test_stems_and_lemmas_are_the_known_ones() -> None:
    """With the case and the marks of the text."""
    assert run("stemming", ["Running flies, happily!"]) == ["Run fli, happili!"]
    assert run("lemmatisation", ["The children were running home."]) == ["The child be run home."]
    assert run("lemmatisation", ["London has bigger buses."]) == ["London have big bus."]


def edits(old: str, new: str) -> int:
    """Places at which two texts of one length differ."""
    assert len(old) == len(new)
    return sum(a != b for a, b in zip(old, new, strict=True))


def test_typos_are_keys_that_touch() -> None:
    """About p of the letters, each replaced by one in its row or the next; case and all else stay."""
    rows = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"]
    where = {key: (y, x + (0, 0.5, 0.75, 1.25)[y]) for y, row in enumerate(rows) for x, key in enumerate(row)}
    texts, changed, letters = [*PLAIN_TEXTS, "abcdefghijklmnopqrstuvwxyz 0123456789"] * 40, 0, 0
    for old, new in zip(texts, run("keyboard_typos", list(texts), p=0.1), strict=True):
        changed, letters = changed + edits(old, new), letters + sum(each.isalnum() for each in old)
        for a, b in zip(old, new, strict=True):
            if a != b:
                (y, x), (v, u) = where[a.lower()], where[b.lower()]
                assert abs(y - v) <= 1 and abs(x - u) <= 1.3 and a.isupper() == b.isupper()
    assert 0.08 < changed / letters < 0.12


def test_transposition_keeps_a_word_s_letters_and_its_first() -> None:
    """And there are no others."""
    for old, new in zip(PLAIN_TEXTS, run("transposition", list(PLAIN_TEXTS), p=0.5), strict=True):
        for a, b in zip(words_of(old), words_of(new), strict=True):
            assert sorted(a) == sorted(b) and a[0] == b[0]


def test_ocr_mistakes_are_those_of_shapes() -> None:
    """At p of 1 every place is misread."""
    assert set(run("ocr_noise", ["rn"] * 20, p=1.0)) == {"m"}
    assert set(run("ocr_noise", ["cl"] * 20, p=1.0)) == {"d"}
    assert set(run("ocr_noise", ["0"] * 40, p=1.0)) == {"O", "o"}
    assert set(run("ocr_noise", ["modern"] * 60, p=1.0)) >= {"rn0clcm"}


def test_misspellings_are_of_known_words_in_their_case() -> None:
    """Other words stay."""
    assert run("misspellings", ["I RECEIVE Believe? xylophone"], p=1.0)[0] in (
        "I RECIEVE Beleive? xylophone",
        "I RECIEVE Belive? xylophone",
    )
    assert run("misspellings", ["Xylophone music"], p=1.0) == ["Xylophone music"]


def test_casing_changes_the_case_alone() -> None:
    """In the way that is asked for."""
    old = "The dog barks at Bob."
    assert run("casing_noise", [old], kind="lower", p=1.0) == [old.lower()]
    assert run("casing_noise", [old], kind="upper", p=1.0) == [old.upper()]
    assert run("casing_noise", [old], kind="title", p=1.0) == ["The Dog Barks At Bob."]
    made = {each for each in run("casing_noise", [old] * 60, p=1.0) if each}
    assert len(made) > 4 and {each.lower() for each in made} == {old.lower()}


def test_punctuation_noise_changes_marks_and_spaces_alone() -> None:
    """Every kind of it occurs; numbers stay."""
    made = {each for each in run("punctuation_noise", ["Well, don't pay 1,234.56!"] * 80, p=0.5) if each}
    assert {each.replace("'", "") and "".join(c for c in each if c.isalnum()) for each in made} == {"Welldontpay123456"}
    assert all("1,234.56" in each for each in made)
    for part in ("Well don", "Well,, ", "Well , ", "Well,d", "dont"):
        assert any(part in each for each in made)


@pytest.mark.parametrize(
    ("kind", "old", "wanted"),
    [
        ("agreement", "He goes home.", {"He go home."}),
        ("agreement", "They are here.", {"They is here."}),
        ("article", "I saw a dog.", {"I saw an dog.", "I saw the dog.", "I saw dog."}),
        ("preposition", "It is on Monday.", {"It is in Monday.", "It is at Monday."}),
        ("tense", "She has written it.", {"She has wrote it.", "She has write it."}),
        ("homophone", "Your late.", {"You're late."}),
        ("homophone", "It's here.", {"Its here."}),
        ("plural", "Two dogs bark.", {"Two dog bark."}),
    ],
)
def test_errors_of_grammar_are_of_the_kind_asked_for(kind: str, old: str, wanted: set[str]) -> None:
    """And `any` makes them too."""
    assert wanted <= set(run("grammar_errors", [old] * 60, kind=kind, p=0.9))
    assert wanted & set(run("grammar_errors", [old] * 400, p=0.5))


def test_a_mixed_text_has_the_partner_s_share_of_its_words() -> None:
    """Counted by words that only one of the two has; nothing where there is no partner."""
    own = "Aa ab ac. Ad ae af ag ah. Ai aj. Ak al am an."
    other = "Ba bb bc bd. Be bf. Bg bh bi. Bj bk."
    texts: Texts = [own] * 40 + ["Aa ab ac ad ae af"] * 40 + [None, own, "", "..."]
    others: Texts = [other] * 40 + ["Ba bb bc bd ba bb"] * 40 + [other, None, other, other]
    made, share = text.sentence_mix(RowRandom(ids_of(84), 5, "text.sentence_mix", 0), texts, others, p=0.8)
    assert share.dtype == np.float64 and share.shape == (84,)
    for old, new, part in zip(texts, made, share, strict=True):
        found = words_of(new or "")
        assert part == pytest.approx(sum(word[0] == "b" for word in found) / max(len(found), 1))
        assert (part == 0) == (old == new)
    assert (share[80:] == 0).all() and 0.6 < (share[:80] > 0).mean() < 0.95 and share.max() <= 0.8
    assert any(each and "Ad ae af ag ah. B" in each for each in made)
    assert all(
        kept == sorted(kept) for kept in ([w for w in words_of(each or "") if w[0] == "b"] for each in made[:40])
    )


def test_words_of_a_contraction_have_the_tag_of_its_first_part() -> None:
    """Tags are one for each word, and context decides where a word alone does not."""
    words = Words.of("I don't know what the well-known dogs' owners said. The run was good; they run, didn't they?")
    told = dict(zip(words.words, tagging.tags(words), strict=True))
    assert told["don't"] == "VBP" and told["didn't"] == "VBD" and told["well-known"] == "JJ" and told["owners"] == "NNS"
    runs = [tag for word, tag in zip(words.words, tagging.tags(words), strict=True) if word == "run"]
    assert runs == ["NN", "VB"] or runs == ["NN", "VBP"]


def test_lemmas_and_inflections_are_each_other_s_inverse() -> None:
    """For regular and irregular words; comparatives that are two words are none."""
    for lemma, tag, form in [
        ("write", "VBN", "written"), ("go", "VBD", "went"), ("child", "NNS", "children"), ("big", "JJR", "bigger"),
        ("be", "VBZ", "is"), ("have", "VBZ", "has"), ("stop", "VBG", "stopping"), ("googlify", "VBD", "googlified"),
    ]:  # fmt: skip
        assert tagging.inflected(lemma, tag) == form and tagging.lemma(form, tag) == lemma
    assert tagging.inflected("beautiful", "JJR") is None


@pytest.mark.parametrize(
    ("word", "article"),
    [("hour", "an"), ("user", "a"), ("unit", "a"), ("uninteresting", "an"), ("one", "a"), ("European", "a"),
     ("apple", "an"), ("HTML", "an"), ("8", "an"), ("dog", "a"), ("house", "a"), ("honest", "an"), ("umbrella", "an")],
)  # fmt: skip
def test_articles_go_by_sound(word: str, article: str) -> None:
    """Not by letter."""
    assert article_for(word) == article
