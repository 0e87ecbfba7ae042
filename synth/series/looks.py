"""What the report shows of sets of windows: bands of values by step, correlations over time, spectra, points on planes.

Plain JSON, bounded whatever the windows: the first MOST_CHANNELS channels, steps and frequencies thinned, POINTS
windows of each set. Sets come in the order of their hashes, so that the first of each are a choice by hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from synth.series.likeness import Eye
from synth.series.rows import Numbers, Windows
from udfs.series import likeness
from udfs.series.scaling import encode

MOST_CHANNELS = 6
MOST_STEPS = 100  # of a band, and frequencies of a spectrum
MOST_ROWS = 5000  # of a set
POINTS = 200  # of each set on a plane
LEAST_POINTS = 5
PERPLEXITY = 30.0
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def looks(sets: Mapping[str, Windows], channels: list[str], seed: int) -> dict[str, Any]:
    """Of each set what the report draws; `train` is among the sets, and what others are scaled by."""
    there = {name: windows[:MOST_ROWS] for name, windows in sets.items() if len(windows)}
    if "train" not in there:
        return {}
    eye = Eye.of(there["train"])
    shapes = {name: likeness.measure(encode(windows, eye.scale)) for name, windows in there.items()}
    return {
        "channels": channels[:MOST_CHANNELS],
        "bands": {name: _bands(windows) for name, windows in there.items()},
        "autocorrelations": {name: _told(each.autocorrelations) for name, each in shapes.items()},
        "spectra": {name: _told(_thinned(each.spectrum)) for name, each in shapes.items()},
        "planes": _planes(eye, there, seed),
    }


def _bands(windows: Windows) -> dict[str, Any]:
    """`steps`, and of each channel QUANTILES over windows at these."""
    steps = np.unique(np.linspace(0, windows.shape[1] - 1, MOST_STEPS).round().astype(np.int64))
    some = windows[:, steps, :MOST_CHANNELS]
    told = np.full((len(QUANTILES), *some.shape[1:]), np.nan)
    known = ~np.isnan(some).all(0)
    told[:, known] = np.nanquantile(some[:, known], QUANTILES, axis=0)
    return {"steps": steps.tolist(), "channels": [_rows(told[:, :, at]) for at in range(some.shape[2])]}


def _told(values: Numbers) -> list[list[float | None]]:
    """By channel."""
    return _rows(values.T[:MOST_CHANNELS])


def _thinned(values: Numbers) -> Numbers:
    if len(values) <= MOST_STEPS:
        return values
    return values[np.linspace(0, len(values) - 1, MOST_STEPS).round().astype(np.int64)]


def _rows(values: Numbers) -> list[list[float | None]]:
    return [[float(f"{each:.4g}") if np.isfinite(each) else None for each in row] for row in values.tolist()]


def _planes(eye: Eye, sets: Mapping[str, Windows], seed: int) -> dict[str, Any]:
    """`pca` and `tsne` (van der Maaten and Hinton 2008): (x, y) of POINTS windows of each set at most; nothing where
    train windows are too few, or all the same.
    """
    some = {name: eye.vectors(windows[:POINTS]) for name, windows in sets.items()}
    whole = np.concatenate(list(some.values()))
    if len(some["train"]) < LEAST_POINTS or whole.shape[1] < 2 or not np.ptp(some["train"], axis=0).any():
        return {}
    found = PCA(2, svd_solver="full").fit(some["train"])
    ends = np.cumsum([len(each) for each in some.values()])[:-1]
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(whole) - 1) / 3), init="pca", learning_rate="auto", random_state=seed, n_jobs=1
    ).fit_transform(whole)
    named = lambda points: {name: _rows(part) for name, part in zip(some, np.split(points, ends), strict=True)}  # noqa: E731
    return {
        "pca": named(found.transform(whole)),
        "explained": [round(float(each), 4) for each in found.explained_variance_ratio_],
        "tsne": named(tsne),
    }
