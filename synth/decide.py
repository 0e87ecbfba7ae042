"""Whether made rows are of use: judges with them against judges without, on held-out real rows.

Val is halved. On one half the share of a generator's rows is chosen: all of them, or less where all are clearly worse
than none; on the other half the choice is confirmed. Worse means: in a paired bootstrap over rows
and seeds (Efron 1979), CLEAR of the draws say so, by the errors or by the Brier score (bounded and proper, so it sees
doubt that errors do not), pooled over judges; or VERY_CLEAR for a single judge. "Not worse" is all that is asked:
with few val rows nothing more can be shown, and the test set is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.judges.folds import folds
from synth.resampling import row_weights

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]
CLEAR = 0.9
VERY_CLEAR = 0.975
DRAWS = 1000
INTERVAL = (0.05, 0.95)
LEAST_ROWS = 20  # of val in each half: with fewer nothing can be said


@dataclass(frozen=True)
class Losses:
    """A candidate's losses on val rows, by judge: float64[seeds, rows] each."""

    wrong: dict[str, Numbers]
    brier: dict[str, Numbers]

    def of(self, rows: Codes) -> Losses:
        """On some of the rows."""
        cut = lambda parts: {name: values[:, rows] for name, values in parts.items()}  # noqa: E731
        return Losses(cut(self.wrong), cut(self.brier))

    @property
    def seeds(self) -> int:
        """How many judges of each kind said something."""
        return len(next(iter(self.wrong.values())))

    def first_seeds(self, count: int) -> Losses:
        """Of the first few judges of each kind."""
        cut = lambda parts: {name: values[:count] for name, values in parts.items()}  # noqa: E731
        return Losses(cut(self.wrong), cut(self.brier))

    def with_seeds(self, more: Losses) -> Losses:
        """With those of further judges."""
        both = lambda own, other: {name: np.concatenate([values, other[name]]) for name, values in own.items()}  # noqa: E731
        return Losses(both(self.wrong, more.wrong), both(self.brier, more.brier))

    def error(self) -> float:
        """Share of wrong answers, averaged over judges and seeds."""
        return float(np.mean([values.mean() for values in self.wrong.values()]))

    def mean_brier(self) -> float:
        """The Brier score, averaged over judges and seeds."""
        return float(np.mean([values.mean() for values in self.brier.values()]))


def losses(said: Mapping[str, Sequence[NDArray[np.float32]]], labels: Codes) -> Losses:
    """Losses of the judges' probabilities: for each judge one (N, classes) per seed."""
    hot = None
    wrong, brier = {}, {}
    for judge, seeds in said.items():
        hot = np.eye(seeds[0].shape[1])[labels] if hot is None else hot
        wrong[judge] = np.stack([(each.argmax(1) != labels).astype(np.float64) for each in seeds])
        brier[judge] = np.stack([((each - hot) ** 2).sum(1) for each in seeds])
    return Losses(wrong, brier)


@dataclass(frozen=True)
class Comparison:
    """One candidate against another on the same rows."""

    without: float  # error rates
    with_: float
    interval: tuple[float, float]  # of the difference of the error rates, with minus without
    worse_by: dict[str, float]  # measure or judge -> share of the draws in which it is worse

    @property
    def worse(self) -> bool:
        """Whether the candidate is clearly worse."""
        pooled = max(self.worse_by["errors"], self.worse_by["brier"])
        single = [share for name, share in self.worse_by.items() if name not in ("errors", "brier")]
        return pooled >= CLEAR or max(single, default=0.0) >= VERY_CLEAR

    def told(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "val_error": {"without": self.without, "with": self.with_},
            "interval": list(self.interval),
            "worse_probability": self.worse_by,
        }


def compare(without: Losses, with_: Losses, seed: int, groups: Codes | None = None) -> Comparison:
    """Bootstrap the difference of two candidates over rows (or `groups` of them) and seeds, paired."""
    errors = {judge: with_.wrong[judge] - without.wrong[judge] for judge in without.wrong}
    briers = {judge: with_.brier[judge] - without.brier[judge] for judge in without.brier}
    any_one = next(iter(errors.values()))
    random = np.random.default_rng([seed, 0xDEC1DE])
    rows = row_weights(random, any_one.shape[1], DRAWS, groups)
    seeds = row_weights(random, any_one.shape[0], DRAWS)
    drawn = {judge: _drawn(values, rows, seeds) for judge, values in briers.items()}
    pooled = np.mean([_drawn(values, rows, seeds) for values in errors.values()], axis=0)
    worse_by = {"errors": _positive(pooled), "brier": _positive(np.mean(list(drawn.values()), axis=0))}
    if len(drawn) > 1:
        worse_by |= {judge: _positive(values) for judge, values in drawn.items()}
    low, high = np.quantile(pooled, INTERVAL)
    return Comparison(without.error(), with_.error(), (float(low), float(high)), worse_by)


def _drawn(differences: Numbers, rows: Numbers, seeds: Numbers) -> Numbers:
    """float64[DRAWS]: the mean difference in each draw."""
    return ((differences @ rows.T).T * seeds).sum(1)


def _positive(draws: Numbers) -> float:
    """Share of the draws above zero; exact ties count half, as for two judges that say the same."""
    return float((draws > 1e-12).mean() + 0.5 * (np.abs(draws) <= 1e-12).mean())


def halves(labels: Codes, groups: Codes) -> tuple[Codes, Codes]:
    """Places of val rows to choose on and to confirm on: each label and no group divided, in the order of the rows."""
    half = folds(labels, groups, 2, seed=0)
    return np.flatnonzero(half == 0), np.flatnonzero(half == 1)
