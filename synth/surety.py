"""How sure judges must be before their label is taken.

Confidences are calibrated on val: one temperature, that of the least cross-entropy (Guo et al. 2017), or a warmer one
where the bootstrap says so, as few val rows may flatter. Calibrated, the mean confidence of the rows above a
threshold is their expected precision; the threshold is the lowest that reaches the target on the rows to be labelled
themselves. Counting val's own errors could not tell 99.5 % from 99 % on hundreds of rows; they only veto a threshold
that they speak against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import binom

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]
BINS = 2000  # of confidence, evenly spaced in its log-odds
MAX_ODDS = 20.0  # e^20: beyond it all are equally sure
TEMPERATURES = np.geomspace(0.2, 10, 80)
BOOTSTRAPS = 200
CAUTION = 0.8  # quantile of the bootstrapped temperatures
VETO = 0.05  # a threshold is refused where val would show so many errors with less than this probability


@dataclass(frozen=True)
class Histogram:
    """Rows by confidence, mergeable: number and sum of confidences in each bin."""

    rows: Codes  # (BINS,)
    total: Numbers  # (BINS,)

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.rows + other.rows, self.total + other.total)

    def above(self, confidence: float) -> int:
        """The number of rows that are at least so sure (a bin's lower edge)."""
        return int(self.rows[_bins_above(confidence)].sum())

    def mean_above(self, confidence: float) -> float | None:
        """Their mean confidence: the precision to expect; None where there are none."""
        rows = self.above(confidence)
        return float(self.total[_bins_above(confidence)].sum() / rows) if rows else None


def calibrated(probabilities: Numbers, temperature: float) -> Numbers:
    """float64[N, K]: probabilities at another temperature."""
    logs = np.log(np.maximum(probabilities, 1e-12)) / temperature
    scaled = np.exp(logs - logs.max(1, keepdims=True))
    return scaled / scaled.sum(1, keepdims=True)


def temperature_of(probabilities: Numbers, labels: Codes, seed: int) -> float:
    """The temperature that calibrates these held-out probabilities, on the careful side."""
    logs = np.log(np.maximum(probabilities, 1e-12))
    own = logs[np.arange(len(labels)), labels]
    losses = np.stack([logsumexp(logs / each, axis=1) - own / each for each in TEMPERATURES])  # (temperatures, N)
    random = np.random.default_rng([seed, 0x5E7])
    weights = random.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=BOOTSTRAPS)
    drawn = TEMPERATURES[(losses @ weights.T).argmin(0)]
    return float(max(TEMPERATURES[losses.mean(1).argmin()], np.quantile(drawn, CAUTION)))


def histogram(confidence: Numbers) -> Histogram:
    """Count rows by confidence."""
    places = bin_of(confidence)
    rows = np.bincount(places, minlength=BINS)
    return Histogram(rows, np.bincount(places, weights=confidence, minlength=BINS).astype(np.float64))


def bin_of(confidence: Numbers) -> Codes:
    """int64[N]: the bin of each confidence."""
    odds = np.log(np.maximum(confidence, 1e-12)) - np.log(np.maximum(1 - confidence, 1e-12))
    return np.clip(np.floor((odds + MAX_ODDS) / (2 * MAX_ODDS) * BINS), 0, BINS - 1).astype(np.int64)


def _bins_above(confidence: float) -> NDArray[np.bool_]:
    return np.array([lower_edge(place) >= confidence for place in range(BINS)])


def lower_edge(place: int) -> float:
    """The least confidence of a bin."""
    odds = place / BINS * 2 * MAX_ODDS - MAX_ODDS
    return float(1 / (1 + np.exp(-odds)))


def threshold(asked: Histogram, confidence: Numbers, right: NDArray[np.bool_], precision: float) -> float:
    """The lowest confidence above which rows are expected to be right with `precision`; above 1 where none is.

    `asked` are the rows to be labelled; `confidence` and `right` tell of val.
    """
    above = np.cumsum(asked.rows[::-1])[::-1]
    expected = np.cumsum(asked.total[::-1])[::-1] / np.maximum(above, 1)
    for place in np.flatnonzero((expected >= precision) & (above > 0)):
        edge = lower_edge(int(place))
        if not vetoed(right[confidence >= edge], precision):
            return edge
    return 2.0


def vetoed(right: NDArray[np.bool_], precision: float) -> bool:
    """Whether so many errors would be unlikely if the precision held."""
    errors = int((~right).sum())
    return errors > 0 and float(binom.sf(errors - 1, len(right), 1 - precision)) < VETO
