"""How like two sets of windows are: what goes with what across time and channels, spectra, values.

Windows come scaled, all sets by one scale, so that what is said of a channel is said in its deviations; what is missing
counts as 0, the mean. Correlations and spectra are told by sums over windows, which merge. Every difference is 0 where
two sets are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from udfs.series.values import Floats, Series

MOST_LAGS = 24
MOST_CHANNELS = 40  # that are looked at; cost and answer grow with their square
LEAST_VARIANCE = 1e-12
LEAST_POWER = 1e-6  # of a frequency, beside 1 for white noise: below it all are silent


@dataclass(frozen=True)
class Shapes:
    """Sums over windows. Of each lag: products of values so many steps apart (lags, C, C), and values and squares of
    the earlier and of the later ones (lags, C) each; of each frequency powers (frequencies, C).
    """

    windows: int
    steps: int
    products: Floats
    early: Floats  # (2, lags, C)
    late: Floats
    powers: Floats

    @property
    def correlations(self) -> Floats:
        """(lags, C, C): of the first channel with the second so many steps later; 0 where one is constant."""
        pairs = np.maximum(self.windows * (self.steps - np.arange(len(self.products))), 1)[:, None]
        (first, firsts), (second, seconds) = self.early / pairs, self.late / pairs
        covariances = self.products / pairs[:, :, None] - first[:, :, None] * second[:, None, :]
        spread = np.sqrt(np.maximum((firsts - first**2)[:, :, None] * (seconds - second**2)[:, None, :], 0.0))
        return np.divide(covariances, spread, out=np.zeros_like(covariances), where=spread > LEAST_VARIANCE)

    @property
    def autocorrelations(self) -> Floats:
        """(lags, C): of each channel with itself, lag 0 first, which is 1."""
        return np.diagonal(self.correlations, axis1=1, axis2=2)

    @property
    def spectrum(self) -> Floats:
        """(frequencies, C): log of the mean power of a window about its own mean, the lowest frequency first."""
        return np.log(np.maximum(self.powers / max(self.windows, 1), LEAST_POWER))


def measure(series: Series) -> Shapes:
    """Of a part of the windows, the first MOST_CHANNELS channels."""
    told = np.nan_to_num(series[:, :, :MOST_CHANNELS], nan=0.0)
    count, steps, channels = told.shape
    lags = min(MOST_LAGS, steps - 1) + 1
    early = [told[:, : steps - lag].reshape(-1, channels) for lag in range(lags)]
    late = [told[:, lag:].reshape(-1, channels) for lag in range(lags)]
    products = np.stack([first.T @ second for first, second in zip(early, late, strict=True)])
    waves = np.fft.rfft(told - told.mean(1, keepdims=True), axis=1)[:, 1:]
    powers = (np.abs(waves) ** 2).sum(0) / steps
    return Shapes(count, steps, products, _sums(early), _sums(late), powers)


def _sums(parts: list[Floats]) -> Floats:
    """(2, lags, C): of values and of squares."""
    return np.array([[part.sum(0) for part in parts], [(part**2).sum(0) for part in parts]])


def merge(first: Shapes, second: Shapes) -> Shapes:
    """Of both parts. Raises ValueError for windows of other lengths."""
    if first.steps != second.steps:
        raise ValueError(f"shapes of {first.steps} and of {second.steps} steps do not merge")
    return Shapes(
        first.windows + second.windows,
        first.steps,
        first.products + second.products,
        first.early + second.early,
        first.late + second.late,
        first.powers + second.powers,
    )


def differences(first: Shapes, second: Shapes) -> dict[str, float]:
    """Mean absolute ones: of autocorrelations (lag 1 and more), of correlations between channels (all lags), of log
    powers.
    """
    apart = np.abs(first.correlations - second.correlations)
    own = np.eye(apart.shape[1], dtype=bool)
    others = apart[:, ~own]
    return {
        "autocorrelation": float(apart[1:, own].mean()) if len(apart) > 1 else 0.0,
        "cross_correlation": float(others.mean()) if others.size else 0.0,
        "spectrum": float(np.abs(first.spectrum - second.spectrum).mean()) if first.powers.size else 0.0,
    }


def marginals(first: Series, second: Series) -> dict[str, Floats]:
    """By channel (C,): the greatest difference of the distributions of values (Kolmogorov and Smirnov), and the mean
    way from one to the other (Wasserstein 1), in deviations.
    """
    pairs = [_marginal(first[:, :, at].ravel(), second[:, :, at].ravel()) for at in range(first.shape[2])]
    ks, way = np.array(pairs).reshape(-1, 2).T
    return {"ks": ks, "wasserstein": way}


def _marginal(first: Floats, second: Floats) -> tuple[float, float]:
    """Of one channel's values; (0, 0) where one set has none."""
    ours, theirs = (np.sort(each[np.isfinite(each)]) for each in (first, second))
    if not len(ours) or not len(theirs):
        return 0.0, 0.0
    places = np.sort(np.concatenate([ours, theirs]))
    below = [np.searchsorted(each, places, side="right") / len(each) for each in (ours, theirs)]
    apart = np.abs(below[0] - below[1])
    return float(apart.max()), float((apart[:-1] * np.diff(places)).sum())
