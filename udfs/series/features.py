"""Windows as vectors for judges that know nothing of time: values, rises, and what is said of each channel.

Of each channel mean, deviation, least and greatest value, correlations of steps 1 to 3 apart and the deviation of its
rises; of each two channels the mean product of their distances from the mean. What is missing stays missing.
"""

from __future__ import annotations

import warnings

import numpy as np

from udfs.series.values import Floats, Series

LAGS = (1, 2, 3)
MOST_VALUES = 400  # of values and of rises each: those of longer windows are thinned evenly
MOST_PAIRS = 200  # of channels
LEAST_VARIANCE = 1e-12


def features(series: Series) -> Floats:
    """float64[N, F]."""
    rises = np.diff(series, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel without values has no mean: NaN
        return np.concatenate([_thinned(series), _thinned(rises), *_of_channels(series, rises)], axis=1)


def _thinned(series: Series) -> Floats:
    """(N, MOST_VALUES at most): values, evenly chosen."""
    width = series.shape[1] * series.shape[2]
    values = series.reshape(len(series), width)
    if width <= MOST_VALUES:
        return values
    return values[:, (np.arange(MOST_VALUES) * width) // MOST_VALUES]


def _of_channels(series: Series, rises: Series) -> list[Floats]:
    """Blocks (N, C) of what is said of each channel, and (N, pairs) of each two."""
    mean = np.nanmean(series, axis=1)
    away = series - mean[:, None]
    variance = np.nanmean(away**2, axis=1)
    told = [mean, np.sqrt(variance), np.nanmin(series, axis=1), np.nanmax(series, axis=1)]
    for lag in LAGS:
        if lag < series.shape[1]:
            told.append(np.nanmean(away[:, lag:] * away[:, :-lag], axis=1) / np.maximum(variance, LEAST_VARIANCE))
    told.append(np.nanstd(rises, axis=1))
    first, second = (each[:MOST_PAIRS] for each in np.triu_indices(series.shape[2], 1))
    together = [np.nanmean(away[:, :, a] * away[:, :, b], axis=1) for a, b in zip(first, second, strict=True)]
    return [*told, np.stack(together, axis=1)] if together else told
