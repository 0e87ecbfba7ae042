"""Clauses and adverbs moved, sentences split and joined, contractions made and written out."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.text.test_text_voice import ODD, PAIRS, VOCABULARY, random_of
from udfs.text.contractions import contraction, expansion
from udfs.text.restructuring import (
    adverb_moving,
    clause_fronting,
    conjunction_join,
    conjunction_split,
    front_clause,
    join_sentences,
    move_adverb,
    split_conjunction,
)
from udfs.text.values import Texts

STEPS = [clause_fronting, adverb_moving, conjunction_split, conjunction_join, contraction, expansion]
CLAUSES = [
    ("She stayed at home because it was raining.", "Because it was raining, she stayed at home."),
    ("The dog barks loudly when the postman arrives.", "When the postman arrives, the dog barks loudly."),
    ("I will call you if the train is late.", "If the train is late, I will call you."),
    ("Mary left the party after she heard the news.", "After she heard the news, Mary left the party."),
    ("The shop sells bread, although it is closed today.", "Although it is closed today, the shop sells bread."),
    ("They lived in Paris before they moved to Rome.", "Before they moved to Rome, they lived in Paris."),
    ("He read a book while she was cooking dinner.", "While she was cooking dinner, he read a book."),
]
ADVERBS = [
    ("The police found the car yesterday.", "Yesterday, the police found the car."),
    ("We visited the museum last week.", "Last week, we visited the museum."),
    ("He closed the door quietly.", "Quietly, he closed the door."),
    ("They built the bridge in 1932.", "In 1932, they built the bridge."),
    ("My parents sold the house two years ago.", "Two years ago, my parents sold the house."),
]
SPLITS = [
    ("The rain stopped, and the sun came out.", "The rain stopped. The sun came out."),
    ("She wrote the letter, and I posted it.", "She wrote the letter. I posted it."),
    ("It was late, and Mary was tired.", "It was late. Mary was tired."),
]
SHORT = [
    ("I do not know.", "I don't know."),
    ("I am not sure.", "I'm not sure."),
    ("They are coming, and she is not.", "They're coming, and she isn't."),
    ("She has been ill, but we have seen her.", "She's been ill, but we've seen her."),
    ("You cannot do that.", "You can't do that."),
    ("Do not go.", "Don't go."),
    ("He would like tea; they will not.", "He'd like tea; they won't."),
    ("I had better go.", "I'd better go."),
]


@pytest.mark.parametrize(("plain", "fronted"), CLAUSES)
def test_a_clause_moves_to_the_front_and_back(plain: str, fronted: str) -> None:
    """With a comma behind it at the front; a name that a pronoun stands for is not put behind it."""
    assert front_clause(plain) == fronted
    refers = fronted.split(", ")[1].split()[0] in ("they", "she", "he") and not fronted.split()[1].islower()
    back = front_clause(fronted)
    assert refers or back in (plain, plain.replace(", although", " although"), None)


def test_a_fronted_clause_moves_back() -> None:
    """Where no pronoun would stand before its noun."""
    for fronted, plain in (
        ("Because it was raining, she stayed at home.", "She stayed at home because it was raining."),
        ("If you need help, the nurse will come.", "The nurse will come if you need help."),
        ("While I was reading, Mary cooked dinner.", "Mary cooked dinner while I was reading."),
    ):
        assert front_clause(fronted) == plain
    assert front_clause("When the dog came in, it barked.") is None


@pytest.mark.parametrize(
    "text",
    [
        "I wonder if he is right.",
        "She remembers when he came.",
        "He did not leave because he was ill.",
        "He left shortly after she came.",
        "She left after the meeting.",
        "It looks as if it is raining.",
        "Is he ill because he ate it?",
        "He said she left because she was tired.",
        "He wanted to leave before she came.",
        "I stayed and he left because it was late.",
        "The cat ran and the dog barked loudly because it was late.",
        "We hope it works because the dog is ill.",
    ],
)
def test_a_clause_that_may_belong_elsewhere_stays(text: str) -> None:
    """Objects of asking, negated reasons, measured times, prepositions, questions, several clauses."""
    assert front_clause(text) is None


@pytest.mark.parametrize(("last", "first"), ADVERBS)
def test_adverbs_move_to_either_end(last: str, first: str) -> None:
    """Times and manners."""
    assert move_adverb(last) == first and move_adverb(first) == last


@pytest.mark.parametrize(
    "text",
    [
        "Unfortunately, he lost the key.",
        "Amazingly, he was right.",
        "The shop closes for the next 40 minutes.",
        "He spoke very quickly.",
        "He did not speak quickly.",
        "He promised to come quickly.",
        "She is friendly.",
        "The company sells ten cars a day.",
        "He read the news of last week.",
        "Did he close the door quietly?",
    ],
)
def test_adverbs_that_are_bound_stay(text: str) -> None:
    """Adverbs of sentences, with a degree, below a negation or an infinitive, adjectives, rates."""
    assert move_adverb(text) is None


@pytest.mark.parametrize(("joined", "split"), SPLITS)
def test_sentences_split_and_join(joined: str, split: str) -> None:
    """Each undoes the other."""
    assert split_conjunction(joined) == split
    assert conjunction_join(random_of(1), [split], mark="and") == [joined]
    assert conjunction_join(random_of(1), [split], mark="semicolon") == [joined.replace(", and", ";")]


def test_only_whole_short_sentences_are_split_and_joined() -> None:
    """No lists, no parts of clauses, no questions, no sentences over the limit, no lines."""
    for text in ("He bought bread, milk, and tea.", "He sat down, and smiled.", "If he comes, and she goes, I stay."):
        assert split_conjunction(text) is None
    for first, second in (("Who is he? ", "I left."), ("He left.\n", "I stayed."), ("Not now. ", "I left.")):
        assert join_sentences(first, second, "and", 12) is None
    assert join_sentences("He left. ", "I stayed at home.", "and", 3) is None
    text = "He left the house. I stayed at home. She came back."
    assert conjunction_join(random_of(1), [text], mark="and") == [
        "He left the house, and I stayed at home. She came back."
    ]


@pytest.mark.parametrize(("long", "short"), SHORT)
def test_contraction_and_expansion_undo_each_other(long: str, short: str) -> None:
    """Where both are sure."""
    assert contraction(random_of(1), [long]) == [short]
    assert expansion(random_of(1), [short]) == [long]


@pytest.mark.parametrize(
    "text",
    ["He's left.", "Isn't it?", "Don't you know?", "Why didn't they come?", "Tom's car.", "I'd put it.", "ain't"],
)
def test_contractions_that_may_be_two_things_stay(text: str) -> None:
    """Is or has, had or would, questions, possessives."""
    assert expansion(random_of(1), [text]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Yes, I am.",
        "I have a dog.",
        "Not only he is not only ill.",
        "Is it not so?",
        "I do NOT know.",
        "I know what they are now.",
    ],
)
def test_auxiliaries_that_bear_weight_stay(text: str) -> None:
    """At the end, as main verbs, in capitals, in questions."""
    assert contraction(random_of(1), [text]) == [text]


def test_case_is_kept() -> None:
    """Capitals of sentences and of shouting, and `I`."""
    assert expansion(random_of(1), ["DON'T! It’s a cat; i'm not I'm."]) == ["DO NOT! It is a cat; I am not I am."]


@pytest.mark.parametrize("step", STEPS)
def test_rows_do_not_depend_on_their_batch(step: Callable[..., Texts]) -> None:
    """Nulls stay, rows keep their place, slices of the batch give the same rows, and the draws decide."""
    all_of = [each for pairs in (CLAUSES, ADVERBS, SPLITS, SHORT) for pair in pairs for each in pair]
    texts: Texts = [" ".join(all_of[at % 40 :] + all_of[: at % 40]) for at in range(40)]
    texts[7] = None
    whole = step(random_of(40), texts, p=0.5)
    assert [text is None for text in whole] == [at == 7 for at in range(40)]
    assert step(random_of(20, start=10), texts[10:30], p=0.5) == whole[10:30]
    assert step(random_of(40, seed=1), texts, p=0.5) != whole
    assert step(random_of(40), texts, p=0.0) == texts and step(random_of(0), []) == []


@pytest.mark.parametrize("step", STEPS)
def test_odd_texts_stay_as_they_are(step: Callable[..., Texts]) -> None:
    """Whatever is no plain English sentence, and quickly, however long it is."""
    long = ["x" * 100_000, "because " * 12_500, "the dog, and " * 7_000, "😀" * 50_000, " " * 100_000, ". " * 50_000]
    texts: Texts = [*ODD, *long]
    start = time.perf_counter()
    assert step(random_of(len(texts)), texts) == texts
    assert time.perf_counter() - start < 5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*VOCABULARY, "because", "if", "and"]), max_size=14).map(" ".join))
def test_no_words_in_any_order_break_the_rules(text: str) -> None:
    """A text gives a text, and one that was not empty gives one that is not."""
    for step in STEPS:
        (new,) = step(random_of(1), [text])
        assert new is not None and bool(new.strip()) == bool(text.strip())


def test_steps_leave_most_sentences_alone() -> None:
    """The pairs of voices have hardly a clause to move."""
    texts: Texts = [pair[0][0] for pair in PAIRS]
    assert clause_fronting(random_of(len(texts)), texts) == texts == conjunction_split(random_of(len(texts)), texts)
