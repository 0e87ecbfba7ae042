"""Steps that make the errors of fingers, scanners and spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Literal

from udfs.options import Probability
from udfs.rng import Floats, RowRandom
from udfs.text.draws import fired, given_back, per_place, taken_apart
from udfs.text.values import Texts
from udfs.text.words import Words

REVISION = 1
CasingKind = Literal["any", "lower", "upper", "title", "words"]
Change = tuple[int, int, str]  # from, to, what stands there instead

_KEYS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jil",
    "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
    "1": "2", "2": "13", "3": "24", "4": "35", "5": "46", "6": "57", "7": "68", "8": "79", "9": "80", "0": "9",
}  # fmt: skip  # neighbours on QWERTY
_LOOKALIKES = {
    "rn": ("m",), "cl": ("d",), "vv": ("w",), "ri": ("n",), "nn": ("m",), "fi": ("h",), "li": ("h",), "ii": ("u",),
    "0": ("O", "o"), "O": ("0", "Q"), "o": ("0", "c"), "1": ("l", "I"), "l": ("1", "I"), "I": ("l", "1"), "5": ("S",),
    "S": ("5",), "8": ("B",), "B": ("8", "R"), "6": ("b", "G"), "G": ("6", "C"), "2": ("Z",), "Z": ("2",), "9": ("g",),
    "g": ("9", "q"), "q": ("g",), "m": ("rn", "nn"), "w": ("vv",), "d": ("cl",), "h": ("b", "li"), "b": ("h", "6"),
    "e": ("c",), "c": ("e",), "u": ("ii", "n"), "n": ("ri", "u"), "f": ("t",), "t": ("f",), "a": ("o",), "i": ("l",),
    "D": ("O",), "C": ("G",), "E": ("F",), "F": ("P",), "v": ("y",), "y": ("v",), ".": (",",), ",": (".",),
}  # fmt: skip  # what scanners take for what (after Rice, Jenkins, Nartker 1996)
_LOOKALIKE = re.compile("|".join(map(re.escape, sorted(_LOOKALIKES, key=len, reverse=True))))
_KEY = re.compile(r"[a-zA-Z0-9]")
_PAIR = re.compile(r"(?<=[^\W\d_])(?=([^\W\d_])([^\W\d_]))")  # two letters after a word's first
_MARK = re.compile(r"(?<=\w)['’](?=\w)|(?<!\d)[.,;:!?]+\s*|[.,;:!?]+(?!\d)\s*")


def keyboard_typos(random: RowRandom, texts: Texts, *, p: Probability = 0.03) -> Texts:
    """Replace each letter or digit by a neighbour on the keyboard (QWERTY) with the probability `p`."""
    return _with_changes(random, texts, _KEY, p, _slip)


def _slip(found: re.Match[str], choice: float) -> Change:
    """A key beside the one that was meant, in its case."""
    key = found.group()
    near = _KEYS[key.lower()]
    slip = near[int(choice * len(near))]
    return found.start(), found.end(), slip.upper() if key.isupper() else slip


def ocr_noise(random: RowRandom, texts: Texts, *, p: Probability = 0.03) -> Texts:
    """Replace letters that scanners mistake (`rn` and `m`, `0` and `O`), each place with the probability `p`."""
    return _with_changes(random, texts, _LOOKALIKE, p, _misread)


def _misread(found: re.Match[str], choice: float) -> Change:
    alike = _LOOKALIKES[found.group()]
    return found.start(), found.end(), alike[int(choice * len(alike))]


def transposition(random: RowRandom, texts: Texts, *, p: Probability = 0.03) -> Texts:
    """Swap a letter with the next with the probability `p`; a word's first letter stays."""
    return _with_changes(random, texts, _PAIR, p, _turned)


def _turned(found: re.Match[str], choice: float) -> Change:
    return found.start(), found.start() + 2, found[2] + found[1]


def punctuation_noise(random: RowRandom, texts: Texts, *, p: Probability = 0.2) -> Texts:
    """Spoil each mark with the probability `p`: dropped, doubled, a space before it or none after it."""
    return _with_changes(random, texts, _MARK, p, _spoilt)


def _spoilt(found: re.Match[str], choice: float) -> Change:
    """A mark with its spaces in another form; apostrophes are dropped."""
    marks = found.group().rstrip()
    space = found.group()[len(marks) :]
    if marks in "'’":
        return found.start(), found.end(), ""
    forms = [space, marks + marks + space, " " + marks + space, marks if space else space]
    return found.start(), found.end(), forms[int(choice * len(forms))]


def _with_changes(
    random: RowRandom,
    texts: Texts,
    pattern: re.Pattern[str],
    p: float,
    change: Callable[[re.Match[str], float], Change],
) -> Texts:
    """Texts changed where a pattern is found, each place with the probability `p`."""
    places = fired(random, [len(pattern.findall(text or "")) for text in texts], p)
    choices = per_place(random, places)
    made = []
    for text, some, numbers in zip(texts, places, choices, strict=True):
        found = list(pattern.finditer(text or "")) if some else []  # of one text at a time: objects that live cost time
        changes = [change(found[at], choice) for at, choice in zip(some, numbers.tolist(), strict=True)]
        made.append(_patched(text or "", changes))
    return given_back(texts, made)


def _patched(text: str, changes: Sequence[Change]) -> str:
    """A text with changes from left to right; one that begins within another is left out."""
    if not changes:
        return text
    pieces, end = list[str](), 0
    for begin, stop, new in changes:
        if begin >= end:
            pieces += (text[end:begin], new)
            end = stop
    return "".join((*pieces, text[end:]))


@cache
def _misspellings() -> dict[str, tuple[str, ...]]:
    """Words to the ways in which people misspell them."""
    lines = (resources.files("udfs") / "lexicons" / "misspellings.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {right: tuple(wrong.split(",")) for right, wrong in pairs}


def misspellings(random: RowRandom, texts: Texts, *, p: Probability = 0.3) -> Texts:
    """Misspell each word that people often misspell, as they do, with the probability `p`."""
    split = taken_apart(texts)
    known = [[at for at, word in enumerate(words.words) if word.lower() in _misspellings()] for words in split]
    places = fired(random, [len(each) for each in known], p)
    choices = per_place(random, places)
    made = [_misspelt(*each) for each in zip(split, known, places, choices, strict=True)]
    return given_back(texts, made)


def _misspelt(words: Words, known: list[int], places: list[int], choices: Floats) -> str:
    """The words with some of the known ones misspelt."""
    changes = {}
    for place, choice in zip(places, choices.tolist(), strict=True):
        wrong = _misspellings()[words.words[known[place]].lower()]
        changes[known[place]] = wrong[int(choice * len(wrong))]
    return str(words.replaced(changes))


def casing_noise(random: RowRandom, texts: Texts, *, kind: CasingKind = "any", p: Probability = 0.5) -> Texts:
    """Change a text's case with the probability `p`: all `lower`, `upper` or `title`, or some `words` in capitals."""
    fires, kinds = random.bernoulli(p), random.integers(0, 4)
    split = taken_apart(texts)
    shouts = fired(random, [len(words) for words in split], 0.2)
    made = []
    for row, (words, loud) in enumerate(zip(split, shouts, strict=True)):
        which = ("lower", "upper", "title", "words")[kinds[row]] if kind == "any" else kind
        made.append(_in_case(words, which, set(loud)) if fires[row] else str(words))
    return given_back(texts, made)


def _in_case(words: Words, kind: str, loud: set[int]) -> str:
    """The words in one case, or the loud ones in capitals."""
    if kind in ("lower", "upper"):
        return str(words).lower() if kind == "lower" else str(words).upper()
    changed = [
        word.upper() if at in loud and kind == "words" else word[:1].upper() + word[1:] if kind == "title" else word
        for at, word in enumerate(words.words)
    ]
    return str(Words(tuple(changed), words.gaps))
