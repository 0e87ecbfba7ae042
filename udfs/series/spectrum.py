"""Steps on the window's spectrum: bands taken out, phases moved.

What is missing is bridged by straight lines for the transform, and missing again after it. The mean stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from udfs.options import Probability, Share, Within
from udfs.rng import RowRandom
from udfs.series.curves import filled
from udfs.series.draws import normals
from udfs.series.values import Series, changed

REVISION = 1
Spectrum = NDArray[np.complex128]  # (N, C, F) of frequencies 0 to T // 2


def frequency_masking(random: RowRandom, series: Series, *, max_share: Share = 0.2, p: Probability = 1.0) -> Series:
    """Take out a band of frequencies, one to `max_share` of them, the same in all channels (Chen et al. 2023)."""
    bands = series.shape[1] // 2  # frequency 0, the mean, is none of them
    widest = max(1, round(max_share * bands))

    def change(draws: RowRandom, part: Series) -> Series:
        width = draws.integers(1, widest + 1)
        first = 1 + np.floor(draws.uniform() * (bands - width + 1)).astype(np.int64)
        places = np.arange(bands + 1)[None, :]
        kept = (places < first[:, None]) | (places >= (first + width)[:, None])
        return _through_spectrum(part, lambda spectrum: spectrum * kept[:, None, :])

    return changed(random, series, p if bands and max_share > 0 else 0.0, change)


def phase_noise(
    random: RowRandom,
    series: Series,
    *,
    std_radians: Annotated[float, Within(0, 10)] = 0.3,
    p: Probability = 1.0,
) -> Series:
    """Move the phase of each frequency by normal noise, the same in all channels; amplitudes stay."""
    steps = series.shape[1]

    def change(draws: RowRandom, part: Series) -> Series:
        angles = std_radians * normals(draws, (steps // 2 + 1,))
        angles[:, 0] = 0
        if steps % 2 == 0:
            angles[:, -1] = 0  # the highest frequency of an even window has no phase
        turns = np.cos(angles) + 1j * np.sin(angles)
        return _through_spectrum(part, lambda spectrum: spectrum * turns[:, None, :])

    return changed(random, series, p if steps > 2 else 0.0, change)


def _through_spectrum(series: Series, change: Callable[[Spectrum], Any]) -> Series:
    """There, changed, and back, missing values as they were."""
    lines = np.ascontiguousarray(filled(series).swapaxes(1, 2))  # twice as fast as along an axis in the middle
    out = np.fft.irfft(change(np.fft.rfft(lines)), series.shape[1]).swapaxes(1, 2)
    missing = np.isnan(series)
    return np.where(missing, series, out) if missing.any() else out
