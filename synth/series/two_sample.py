"""Can gradient boosting tell made windows from real ones (Lopez-Paz and Oquab 2017)?

It learns from made windows and some real ones, and is asked about other made ones and real windows of another time:
windows that overlap share their values, and on both sides they would be known again whatever a generator does. The AUC
is 0.5 where nothing can be told. What is told of a window stands in `udfs/series/features.py`. Channels are scaled by
the real windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from synth.decide import halves
from synth.series.rows import Codes, Numbers, Windows
from synth.series.scaled import scale_of
from synth.tables.metrics import auc
from udfs.series.features import features
from udfs.series.scaling import encode

TREES, LEAVES, LEARNING_RATE = 100, 31, 0.1  # as peers use it: nothing is tuned
FOLDS = 3
BLOCK_STEPS = 168  # of a recording, whose windows stay in one fold: a week of hours
LEAST_ROWS = 20


def detection(found: float) -> float:
    """1 where nothing can be told, 0 where every window can."""
    return 1 - 2 * max(found - 0.5, 0.0)


def told_apart(
    made: Windows, known: Windows, unseen: Windows, seed: int = 0, groups: Codes | None = None
) -> dict[str, float] | None:
    """`auc`, `score` and the `rows` asked of either set: the even places of `made` are learned from beside `known`
    ones, the odd ones asked about beside `unseen` ones; where real windows stand for made ones, halves of their
    `groups`. None where there are too few to say.
    """
    learned, asked = _halved(made, groups)
    if min(len(learned), len(asked), len(known), len(unseen)) < LEAST_ROWS:
        return None
    found = _auc(learned, known, asked, unseen, seed)
    return {"auc": found, "score": detection(found), "rows": min(len(asked), len(unseen))}


def _halved(made: Windows, groups: Codes | None) -> tuple[Windows, Windows]:
    """Those to learn from and those to ask about; no group has windows among both."""
    if groups is None or len(np.unique(groups)) == len(groups):
        return made[::2], made[1::2]
    first, second = halves(np.zeros(len(groups), np.int64), groups)
    return made[first], made[second]


def across_time(made: Windows, real: Windows, starts: Codes, seed: int = 0) -> dict[str, float]:
    """The same over FOLDS folds of one recording: `starts` are the steps at which its windows begin, all of one length.

    `made` windows go through the folds in turn.
    """
    turn = np.arange(len(made)) % FOLDS
    folds = time_folds(starts, real.shape[1])
    parts = [
        (made[turn != fold], real[learned], made[turn == fold], real[asked])
        for fold, (learned, asked) in enumerate(folds)
    ]
    return _over_folds(parts, seed)


def ceiling_across_time(real: Windows, starts: Codes, seed: int = 0) -> dict[str, float]:
    """The same of real windows against real ones: every other turn of the folds' blocks stands for made ones."""
    stands = (starts // (FOLDS * BLOCK_STEPS)) % 2 == 0
    parts = []
    for learned, asked in time_folds(starts, real.shape[1]):
        sets = (learned[stands[learned]], learned[~stands[learned]], asked[stands[asked]], asked[~stands[asked]])
        first, second, third, fourth = (real[places] for places in sets)
        parts.append((first, second, third, fourth))
    return _over_folds(parts, seed)


def _over_folds(parts: Sequence[tuple[Windows, Windows, Windows, Windows]], seed: int) -> dict[str, float]:
    """Mean and spread over folds: of (made, real) to learn from, (made, real) to ask about."""
    found = [_auc(*part, seed) for part in parts]
    mean = float(np.mean(found))
    return {"auc": mean, "score": detection(mean), "spread": float(np.std(found, ddof=1))}


def time_folds(starts: Codes, steps: int) -> Iterator[tuple[Codes, Codes]]:
    """(places to learn from, places to ask about), fold by fold: blocks of time take turns, and no window that is
    learned from shares a step with one that is asked about.
    """
    fold_of = (starts // BLOCK_STEPS) % FOLDS
    for fold in range(FOLDS):
        asked = fold_of == fold
        taken = np.zeros(int(starts.max()) + steps, bool)
        for start in starts[asked].tolist():
            taken[start : start + steps] = True
        covered = np.concatenate([[0], np.cumsum(taken)])
        free = covered[starts + steps] == covered[starts]
        yield np.flatnonzero(free & ~asked), np.flatnonzero(asked)


def _auc(made: Windows, real: Windows, made_asked: Windows, real_asked: Windows, seed: int) -> float:
    """Of a judge that learned from equal numbers of the first two sets, asked about the other two."""
    count = min(len(made), len(real))
    scale = scale_of(real)
    table = lambda windows: features(encode(windows, scale)).astype(np.float32)  # noqa: E731
    learned = np.concatenate([table(_evenly(made, count)), table(_evenly(real, count))])
    learned[:, np.isnan(learned).all(axis=0)] = 0.0  # boosting takes no feature without a value
    judge = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=LEARNING_RATE, early_stopping=False, random_state=seed
    )
    judge.fit(learned, np.repeat([1, 0], count))
    said: Numbers = judge.predict_proba(np.concatenate([table(made_asked), table(real_asked)]))[:, 1]
    return auc(said, np.repeat([True, False], [len(made_asked), len(real_asked)]))


def _evenly(windows: Windows, count: int) -> Windows:
    return windows[(np.arange(count) * len(windows)) // count]
