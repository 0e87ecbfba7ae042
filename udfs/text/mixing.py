"""Steps that mix a text with another, its partner, which the caller chose by identity.

They give the mixed texts and the partner's share of each one's words (0 where nothing was taken), from which labels are
mixed in the same proportion. `partners` says who may be one: `any` row, or one of the `same_label`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from udfs.options import Probability, ShareSpan
from udfs.rng import Floats, RowRandom
from udfs.text.draws import given_back, in_places
from udfs.text.values import Texts
from udfs.text.words import WORD, Words, sentences

REVISION = 1
Partners = Literal["any", "same_label"]
Mixed = tuple[Texts, Floats]


def sentence_mix(
    random: RowRandom,
    texts: Texts,
    others: Texts,
    *,
    share: ShareSpan = (0.2, 0.5),
    partners: Partners = "same_label",
    p: Probability = 0.5,
) -> Mixed:
    """Put sentences of the partner in place of some of the text's; in a single one, words for its last words."""
    fires, shares = random.bernoulli(p), random.uniform(*share)
    split = [sentences(text or "") for text in texts]
    other = [sentences(text or "") for text in others]
    own_order = random.ragged([len(each) for each in split])
    other_order = random.ragged([len(each) for each in other])
    made, taken = list[str](), np.zeros(len(texts))
    for row, text in enumerate(texts):
        made.append(text or "")
        if fires[row] and split[row] and other[row]:
            mixed = _mixed(split[row], other[row], float(shares[row]), own_order[row], other_order[row])
            if mixed is not None:
                made[row], taken[row] = mixed
    return given_back(texts, made), taken


def _mixed(
    own: list[str], other: list[str], share: float, own_order: Floats, other_order: Floats
) -> tuple[str, float] | None:
    """The mixed text and the share of its words that are the partner's; null where it has none of them."""
    if len(own) == 1:
        return _halves(Words.of("".join(own)), Words.of("".join(other)), share)
    count = min(max(1, round(share * len(own))), len(own) - 1, len(other)) if share else 0
    places = sorted(np.argsort(own_order, kind="stable")[:count].tolist())
    taken = sorted(np.argsort(other_order, kind="stable")[:count].tolist())
    parts = list(own)
    for place, at in zip(places, taken, strict=True):
        parts[place] = other[at]
    words = sum(_word_count(part) for part in parts)
    partner_words = sum(_word_count(parts[place]) for place in places)
    return (in_places(parts, own), partner_words / words) if partner_words else None


def _word_count(text: str) -> int:
    return sum(1 for _ in WORD.finditer(text))


def _halves(own: Words, other: Words, share: float) -> tuple[str, float] | None:
    """The first words of one and the last of the other."""
    count = min(max(1, round(share * len(own))), len(other), len(own) - 1) if share else 0
    if count < 1:
        return None
    kept = len(own) - count
    gap = own.gaps[kept] if own.gaps[kept].isspace() else " "
    words = (*own.words[:kept], *other.words[len(other) - count :])
    gaps = (*own.gaps[:kept], gap, *other.gaps[len(other) - count + 1 :])
    return str(Words(words, gaps)), count / len(words)
