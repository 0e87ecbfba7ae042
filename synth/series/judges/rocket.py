"""ROCKET (Dempster, Petitjean, Webb 2020): random convolutions, of each its greatest value and the share of steps at
which it is positive; ridge regression of the labels on these features.

The kernels are drawn from the seed and the window's form alone. Ridge's strength and the temperature of its scores are
chosen by the cross-entropy on held-out rows. A mixed row counts for its labels by their shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.judges import Effort
from synth.judges.folds import folds, tuning_rows
from synth.judges.vectors import best_temperature, softmax
from synth.series.rows import Codes, Judge, Numbers, Rows, Windows
from synth.series.scaled import scale_of, scaled
from udfs.series.scaling import Scale

KERNELS = 400
LENGTHS = (7, 9, 11)
FOLDS = 5
TUNING_ROWS = 1500
FIT_ROWS = 8000
STRENGTHS = np.geomspace(1e-2, 1e5, 15)  # of the penalty
BLOCK_VALUES = 1 << 20  # of windows convolved at a time
LEAST_WIDTH = 1e-9


@dataclass(frozen=True)
class Kernel:
    """One convolution: weights (taps, channels), which channels, how far taps are apart, what is added."""

    weights: Numbers
    channels: Codes
    dilation: int
    bias: float
    padded: bool


def kernels_of(steps: int, channels: int, seed: int) -> list[Kernel]:
    """KERNELS random ones, drawn as in Dempster et al. (2020), section 3.1; channels as in its multivariate form."""
    random = np.random.default_rng([seed, 0x20C4E7, steps, channels])
    return [_kernel(random, steps, channels) for _ in range(KERNELS)]


def _kernel(random: np.random.Generator, steps: int, channels: int) -> Kernel:
    fitting = [length for length in LENGTHS if length <= steps] or [steps]
    taps = int(random.choice(fitting))
    count = int(2 ** random.uniform(0, np.log2(min(channels, taps) + 1)))
    chosen = np.sort(random.choice(channels, min(count, channels), replace=False))
    weights = random.normal(size=(taps, len(chosen)))
    weights -= weights.mean(0)
    most = np.log2(max(1, (steps - 1) / max(1, taps - 1)))
    dilation = int(2 ** random.uniform(0, most)) if most > 0 else 1
    return Kernel(weights, chosen, dilation, float(random.uniform(-1, 1)), bool(random.random() < 0.5))


def features(windows: Windows, kernels: list[Kernel]) -> Numbers:
    """float64[N, 2 K]: of each kernel its greatest value and the share of steps at which it is positive."""
    out = np.empty((len(windows), 2 * len(kernels)))
    block = max(1, BLOCK_VALUES // max(1, windows.shape[1] * windows.shape[2]))
    for at in range(0, len(windows), block):
        part = windows[at : at + block]
        for place, kernel in enumerate(kernels):
            told = convolved(part, kernel)
            out[at : at + block, 2 * place] = told.max(1)
            out[at : at + block, 2 * place + 1] = (told > 0).mean(1)
    return out


def convolved(windows: Windows, kernel: Kernel) -> Numbers:
    """(N, steps that the kernel fits on): the kernel at each step, its bias added."""
    taps = len(kernel.weights)
    reach = (taps - 1) * kernel.dilation
    some = windows[:, :, kernel.channels]
    if kernel.padded:
        some = np.pad(some, ((0, 0), (reach // 2, reach // 2), (0, 0)))
    width = some.shape[1] - reach
    out = np.full((len(windows), width), kernel.bias)
    for tap in range(taps):
        at = tap * kernel.dilation
        out += some[:, at : at + width] @ kernel.weights[tap]
    return out


@dataclass(frozen=True)
class RocketJudge:
    """Kernels, what their features are scaled by, and weights (2 K, classes)."""

    kernels: list[Kernel]
    scale: Scale
    centre: Numbers
    width: Numbers
    weights: Numbers
    offsets: Numbers
    temperature: float

    def predict(self, windows: Windows) -> Numbers:
        """float64[N, classes]."""
        told = (features(scaled(windows, self.scale), self.kernels) - self.centre) / self.width
        return softmax(told @ self.weights + self.offsets, self.temperature)


def fit_rocket(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Tune on a part of the rows, then fit on up to FIT_ROWS of them."""
    kept = rows.take(tuning_rows(rows, FIT_ROWS))
    scale = scale_of(kept.windows)
    _, steps, channels = kept.windows.shape
    kernels = kernels_of(steps, channels, seed)
    told = features(scaled(kept.windows, scale), kernels)
    centre, width = told.mean(0), told.std(0)
    width = np.where(width > LEAST_WIDTH, width, 1.0)
    told = (told - centre) / width
    some = tuning_rows(kept, TUNING_ROWS)
    strength, temperature = _tuned(kept.take(some), told[some], seed)
    weights, offsets = next(iter(ridge(told, kept.shares, (strength,))))
    return RocketJudge(kernels, scale, centre, width, weights, offsets, temperature)


def ridge(told: Numbers, shares: Numbers, strengths: tuple[float, ...] | Numbers) -> list[tuple[Numbers, Numbers]]:
    """Weights (D, classes) and offsets (classes,) for each strength (Hoerl and Kennard 1970), by one decomposition."""
    centre, mean = told.mean(0), shares.mean(0)
    left, sizes, right = np.linalg.svd(told - centre, full_matrices=False)
    turned = left.T @ (shares - mean)
    found = []
    for strength in strengths:
        weights = right.T @ ((sizes / (sizes**2 + strength))[:, None] * turned)
        found.append((weights, mean - centre @ weights))
    return found


def _tuned(rows: Rows, told: Numbers, seed: int) -> tuple[float, float]:
    """(strength, temperature) of the least cross-entropy on held-out rows, collected ones if there are any."""
    fold = folds(rows.labels, rows.group_codes(), FOLDS, seed)
    askable = rows.real_mask() if rows.real_mask().any() else np.ones(len(rows), bool)
    scores: list[list[Numbers]] = [[] for _ in STRENGTHS]
    right = []
    for each in np.unique(fold):
        learned, held = fold != each, (fold == each) & askable
        if not learned.any() or not held.any():
            continue
        right.append(rows.labels[held])
        for place, (weights, offsets) in enumerate(ridge(told[learned], rows.shares[learned], STRENGTHS)):
            scores[place].append(told[held] @ weights + offsets)
    if not right:
        return float(STRENGTHS[len(STRENGTHS) // 2]), 1.0
    labels = np.concatenate(right)
    tried = [best_temperature(np.concatenate(each), labels) for each in scores]
    best = min(range(len(tried)), key=lambda place: (tried[place][1], -STRENGTHS[place]))
    return float(STRENGTHS[best]), tried[best][0]
