"""What helps a judge with a rare class: nothing, class weights, a tuned threshold, SMOTE, or generated rows.

Tried with the boosting judge on validation rows. The measure is F1 of the rare class: by the likeliest class, or by a
threshold on the rare class's probability that was tuned on held-out train rows. PR-AUC stands beside it, as it knows no
threshold. A remedy is said to help only where the interval of its difference to nothing, paired over rows and seeds,
lies above zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.judges import Effort
from synth.tables.judges.boosting import Codebook, Setting, fit_boosting, tuned
from synth.tables.judges.held_out import parts
from synth.tables.metrics import average_precision, f1
from synth.tables.nearness import Space
from synth.tables.rows import Codes, Numbers, Rows, joined
from udfs.table.form import Matrix, TableForm

REMEDIES = ("nothing", "weights", "threshold", "smote", "generated")
LOPSIDED = 0.2  # a class with fewer of the rows is rare
SEEDS = 2
FOLDS = 3
NEIGHBOURS = 5  # of SMOTE (Chawla et al. 2002)
MOST_RARE = 5000  # rows of the rare class that SMOTE goes between
DRAWS = 1000
INTERVAL = (0.025, 0.975)
HALF = 0.5


@dataclass(frozen=True)
class Trial:
    """Train rows, the generated rows beside them, and the rare class."""

    train: Rows
    generated: Rows | None
    rare: int
    form: TableForm
    effort: Effort


def compare_remedies(trial: Trial, val: Rows, test: Rows, seed: int) -> dict[str, Any]:
    """Of each remedy F1 and PR-AUC on val and test rows with the interval of its gain on val; which wins."""
    setting = tuned(trial.train, Codebook.fitted(trial.train.cells, trial.train.question.inputs), seed)
    answers = [_answers(trial, setting, seed + each, val, test) for each in range(SEEDS)]
    there = [name for name in REMEDIES if name in answers[0]]
    hits = {name: rows.labels == trial.rare for name, rows in (("val", val), ("test", test))}
    told = {name: _scored([each[name] for each in answers], hits) for name in there}
    draws = _drawn([[each[name][1]["val"] for each in answers] for name in there], hits["val"], seed)
    for place, name in enumerate(there):
        low, high = np.quantile(draws[place] - draws[0], INTERVAL)
        told[name] |= {"interval": [float(low), float(high)], "helps": bool(low > 0)}
    best = max(there, key=lambda name: told[name]["val_f1"])
    wins = best if told[best]["helps"] else "nothing"
    return {"class": trial.train.question.classes[trial.rare], "remedies": told, "best": best, "wins": wins}


Answer = tuple[dict[str, Numbers], dict[str, Any]]  # of each set the rare class's probability, and who is said to be it


def _answers(trial: Trial, setting: Setting, seed: int, val: Rows, test: Rows) -> dict[str, Answer]:
    """What a judge says with each remedy."""
    sets = {"val": val, "test": test}

    def said(rows: Rows, weights: Numbers | None = None) -> Answer:
        judge = fit_boosting(rows, trial.effort, seed, weights, setting)
        whole = {name: judge.predict(each.cells) for name, each in sets.items()}
        return {n: p[:, trial.rare] for n, p in whole.items()}, {n: p.argmax(1) == trial.rare for n, p in whole.items()}

    train = trial.train
    plain = said(train)
    least = _threshold(trial, setting, seed)
    found = {"nothing": plain, "weights": said(train, balanced(train.labels))}
    found["threshold"] = plain[0], {name: chances >= least for name, chances in plain[0].items()}
    wanted = int(np.bincount(train.labels).max() - (train.labels == trial.rare).sum())
    more = smote(train, trial.rare, wanted, trial.form, seed)
    if more is not None:
        found["smote"] = said(joined([train, more]))
    if trial.generated is not None:
        own = np.flatnonzero(trial.generated.labels == trial.rare)[:wanted]
        if len(own):
            found["generated"] = said(joined([train, trial.generated.take(own)]))
    return found


def balanced(labels: Codes) -> Numbers:
    """float64[N]: weights under which all classes weigh the same."""
    counts = np.bincount(labels)
    return (len(labels) / (np.maximum(counts, 1) * max(int((counts > 0).sum()), 1)))[labels]


def _threshold(trial: Trial, setting: Setting, seed: int) -> float:
    """The probability of the rare class from which on it is said, of the best F1 on held-out train rows."""
    chances, hits = [np.zeros(0)], [np.zeros(0, bool)]
    for learned, asked in parts(trial.train, FOLDS, seed):
        judge = fit_boosting(trial.train.take(learned), trial.effort, seed, setting=setting)
        chances.append(judge.predict(trial.train.take(asked).cells)[:, trial.rare])
        hits.append(trial.train.labels[asked] == trial.rare)
    return best_threshold(np.concatenate(chances), np.concatenate(hits))


def best_threshold(chances: Numbers, hits: Any) -> float:
    """The threshold of the best F1; one half where there is no hit."""
    if not hits.any():
        return HALF
    order = np.argsort(-chances, kind="stable")
    found = np.cumsum(hits[order])
    scores = 2 * found / (np.arange(1, len(order) + 1) + hits.sum())
    ends = np.append(np.diff(chances[order]) != 0, True)  # equal chances are said together
    return float(chances[order][np.flatnonzero(ends)[np.argmax(scores[ends])]])


def smote(train: Rows, rare: int, count: int, form: TableForm, seed: int) -> Rows | None:
    """`count` rows between rows of the rare class and one of their NEIGHBOURS; None where there are fewer than two.

    Numbers lie at a random place between both, missing where either is; all else is one of both rows' (Chawla et al.
    2002, SMOTE-NC).
    """
    own = train.matrix[np.flatnonzero(train.labels == rare)[:MOST_RARE]]
    if len(own) < 2 or count < 1:
        return None
    random = np.random.default_rng([seed, 0x5307E])
    near = _neighbours(own, form)
    first = random.integers(0, len(own), count)
    second = near[first, random.integers(0, near.shape[1], count)]
    place = random.random((count, 1))
    number = np.array([column.is_numeric for column in form.modelled])
    between = own[first] + place * (own[second] - own[first])
    whole = np.array([column.kind in ("integer", "date") for column in form.modelled])
    between = np.where(whole, np.rint(between), between)
    matrix = np.where(number, between, np.where(place < HALF, own[first], own[second]))
    return Rows(matrix, train.question, np.full(count, -1) - np.arange(count), np.zeros(count, bool))


def _neighbours(own: Matrix, form: TableForm) -> Codes:
    """(N, up to NEIGHBOURS): places of each row's nearest others."""
    space = Space.of(form.modelled, own)
    squares = (space.vectors**2).sum(1)
    wanted = min(NEIGHBOURS, len(own) - 1)
    found = []
    for at in range(0, len(own), 500):
        apart = squares - 2 * space.vectors[at : at + 500] @ space.vectors.T
        apart[np.arange(len(apart)), np.arange(at, at + len(apart))] = np.inf
        found.append(np.argpartition(apart, wanted - 1, axis=1)[:, :wanted])
    return np.concatenate(found).astype(np.int64)


def _scored(answers: Sequence[Answer], hits: Mapping[str, Any]) -> dict[str, Any]:
    """Means over seeds."""
    mean: Callable[[Any], float] = lambda values: float(np.mean(list(values)))  # noqa: E731
    told = {}
    for name, there in hits.items():
        told[f"{name}_f1"] = mean(f1(said[name], there) for _, said in answers)
        told[f"{name}_pr_auc"] = mean(average_precision(chances[name], there) for chances, _ in answers)
    return told


def _drawn(said: Sequence[Sequence[Any]], hits: Any, seed: int) -> Numbers:
    """float64[remedies, DRAWS]: F1 on val rows drawn anew and seeds drawn anew, the same for all remedies."""
    random = np.random.default_rng([seed, 0x2E3E])
    weights = random.multinomial(len(hits), np.full(len(hits), 1 / max(len(hits), 1)), size=DRAWS).astype(np.float32)
    picks = random.integers(0, len(said[0]), (DRAWS, len(said[0])))
    found = np.empty((len(said), DRAWS))
    there = weights @ hits.astype(np.float32)
    for place, seeds in enumerate(said):
        each = np.stack([_f1_of(weights, told, hits, there) for told in seeds], axis=1)
        found[place] = np.take_along_axis(each, picks, axis=1).mean(1)
    return found


def _f1_of(weights: Any, said: Any, hits: Any, there: Any) -> Numbers:
    both, told = weights @ (said & hits).astype(np.float32), weights @ said.astype(np.float32)
    return 2 * both / np.maximum(told + there, 1)
