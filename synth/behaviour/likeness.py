"""How like real users made ones are as a crowd: which items they have, which together, how many, how they rate, when.

Of `rows` against real ones that they were not made from. Lengths, ratings and gaps are total variation between
histograms, 0 for the same and 1 for nothing in common.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from synth.behaviour.copies import Copies
from synth.behaviour.judges.vectors import had
from synth.behaviour.rows import Items, Numbers, Rows

PAIRS = 2000  # of the items that real users have together most
FREQUENT = 300  # items whose pairs are looked at
RUN = 4  # items in a row
LEAST_USERS = 10
LEAST_KIND = 25  # users of a kind, on both sides, whose taste is looked at
FAMILIAR = 200  # items by which the taste of a kind is told
LENGTH_STEPS = np.array([0, 5, 10, 20, 30, 45, 65, 100, 150, 220, 330, 500, 1000, np.inf])
GAP_STEPS = np.array([0, 1, 5, 15, 60, 300, 3600, 86_400, 604_800, np.inf])


def likeness(rows: Rows, real: Rows, train: Rows) -> dict[str, float] | None:
    """The measures; None where there are too few users to say."""
    if min(len(rows), len(real)) < LEAST_USERS:
        return None
    catalogue = np.unique(np.concatenate([*rows.items, *real.items]))
    ours, theirs = (np.asarray(had(each.items, catalogue).mean(0)).reshape(-1) for each in (rows, real))
    return {
        "rows": float(len(rows)),
        "popularity": float(spearmanr(ours, theirs).statistic),
        "popularity_kl": divergence(theirs, ours, len(rows)),
        "together": together(rows, real, catalogue, theirs),
        "by_attributes": by_attributes(rows, real, catalogue, theirs),
        "copied_runs": copied_runs(rows, train),
        "lengths": apart(_counts(rows.items), _counts(real.items), LENGTH_STEPS),
        "ratings": _of_values(np.concatenate(rows.ratings), np.concatenate(real.ratings)),
        "gaps": apart(_gaps(rows), _gaps(real), GAP_STEPS),
        "distinct_items": float((ours > 0).sum() / max((theirs > 0).sum(), 1)),
    }


def divergence(real: Numbers, made: Numbers, users: int) -> float:
    """KL divergence in nats of which item an event is of, real from made, half a user added to each made item."""
    made = made + 0.5 / users
    p, q = real / real.sum(), made / made.sum()
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())


def together(rows: Rows, real: Rows, catalogue: Items, popular: Numbers) -> float:
    """Correlation of how much oftener than by chance pairs of items are had together, over the most frequent pairs."""
    some = np.sort(catalogue[np.argsort(-popular, kind="stable")[:FREQUENT]])
    lifts = []
    for each in (real, rows):
        vectors = had(each.items, some)
        met, alone = (vectors.T @ vectors).toarray() / len(each), np.asarray(vectors.mean(0)).reshape(-1)
        lifts.append((met, np.log((met + 1e-3) / (np.outer(alone, alone) + 1e-3))))
    one, other = np.triu_indices(len(some), 1)
    most = np.argsort(-lifts[0][0][one, other], kind="stable")[:PAIRS]
    pairs = one[most], other[most]
    return float(np.corrcoef(lifts[0][1][pairs], lifts[1][1][pairs])[0, 1]) if len(most) > 2 else 0.0


def by_attributes(rows: Rows, real: Rows, catalogue: Items, popular: Numbers) -> float:
    """Correlation of how much oftener than others each kind of users has the most frequent items, over all kinds and
    items: 1 where women of the made ones differ from men as women of the real ones do. 0 where there are no kinds.
    """
    some = np.sort(catalogue[np.argsort(-popular, kind="stable")[:FAMILIAR]])
    found: list[list[Numbers]] = [[], []]
    sides = [(each, had(each.items, some)) for each in (real, rows)]
    for name, values in real.traits.items():
        for kind in kinds(values):
            masks = [kind(each.traits[name]) for each, _ in sides]
            if min(int(mask.sum()) for mask in masks) >= LEAST_KIND:
                for told, mask, (_, vectors) in zip(found, masks, sides, strict=True):
                    own, all_ = (np.asarray(v.mean(0)).reshape(-1) for v in (vectors[np.flatnonzero(mask)], vectors))
                    told.append(np.log((own + 0.01) / (all_ + 0.01)))
    if not found[0]:
        return 0.0
    return float(np.corrcoef(np.concatenate(found[0]), np.concatenate(found[1]))[0, 1])


def kinds(values: NDArray[Any]) -> list[Callable[[NDArray[Any]], NDArray[np.bool_]]]:
    """Who is of each kind: those of each word, or those below and above the middle of numbers."""
    there = [value for value in values.tolist() if value is not None]
    if not there:
        return []
    if isinstance(there[0], str):
        return [functools.partial(_has, word) for word in sorted(set(there))]
    middle = float(np.median(there))
    return [functools.partial(_lies, middle, above) for above in (False, True)]


def _has(word: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.array([value == word for value in values.tolist()], bool)


def _lies(middle: float, above: bool, values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.array([value is not None and (value > middle) == above for value in values.tolist()], bool)


def copied_runs(rows: Rows, train: Rows) -> float:
    """The share of runs of RUN items that a train user has too, in this order."""
    known = Copies.of([each.view(np.int64) for each in train.items], RUN)
    return known.share([each.view(np.int64) for each in rows.items])


def apart(one: Numbers, other: Numbers, steps: Numbers) -> float:
    """Total variation of two sets of numbers over steps."""
    shares = [np.histogram(each, steps)[0] / max(len(each), 1) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _of_values(one: Numbers, other: Numbers) -> float:
    """The same over values themselves, where there are few, else over tenths of the real ones."""
    values = np.unique(other)
    edges = np.append(values, np.inf) if len(values) <= 20 else np.quantile(other, np.arange(11) / 10)
    return apart(one, other, np.unique(edges))


def _counts(users: tuple[Items, ...]) -> Numbers:
    return np.array([len(each) for each in users], np.float64)


def _gaps(rows: Rows) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *(np.diff(each) for each in rows.times)]).astype(np.float64)
