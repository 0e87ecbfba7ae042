"""Images as the short vectors that the kernel and linear judges learn from, and scores as probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from synth.judges.rows import Codes, Images, Probabilities

Vectors = NDArray[np.float64]

MAX_SIDE = 32  # pixels: larger images are averaged down to at most this
MAX_RAW = 256  # values: longer vectors go by their principal components
COMPONENTS = 96
FIT_ROWS = 4000  # rows that the components are found on
FLOOR = 1e-3  # share of probability spread over all labels: a judge tuned on hundreds of rows cannot be surer
TEMPERATURES = np.geomspace(0.02, 20, 61)


@dataclass(frozen=True)
class Projection:
    """uint8 images -> float64[N, D]: averaged down, scaled to 0-1, centred, and turned onto principal components if
    long.
    """

    centre: Vectors  # (P,)
    axes: Vectors | None  # (P, D)

    @staticmethod
    def fitted(images: Images) -> Projection:
        """Measure centre and components on at most FIT_ROWS evenly spaced images."""
        pixels = _pixels(images[:: max(1, len(images) // FIT_ROWS)])
        centre = pixels.mean(0)
        if pixels.shape[1] <= MAX_RAW:
            return Projection(centre, None)
        found = PCA(min(COMPONENTS, *pixels.shape), svd_solver="randomized", random_state=0).fit(pixels)
        return Projection(centre, np.ascontiguousarray(found.components_.T))

    def __call__(self, images: Images) -> Vectors:
        vectors = _pixels(images) - self.centre
        return vectors if self.axes is None else vectors @ self.axes


def _pixels(images: Images) -> Vectors:
    """float64[N, P] in 0-1, of images averaged down by whole factors."""
    count, height, width, channels = images.shape
    factor = -(-max(height, width) // MAX_SIDE)
    if factor > 1:
        padded = np.pad(images, ((0, 0), (0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
        tall, wide = padded.shape[1] // factor, padded.shape[2] // factor
        images = padded.reshape(count, tall, factor, wide, factor, channels).mean((2, 4))
    return images.reshape(count, int(np.prod(images.shape[1:]))) / 255.0


def softmax(scores: Vectors, temperature: float = 1.0) -> Probabilities:
    """Scores (N, K) as probabilities, with FLOOR spread over all labels."""
    scaled = (scores - scores.max(1, keepdims=True)) / temperature
    probabilities = np.exp(scaled)
    probabilities /= probabilities.sum(1, keepdims=True)
    return (1 - FLOOR) * probabilities + FLOOR / scores.shape[1]


def cross_entropy(probabilities: Probabilities, labels: Codes) -> float:
    """Mean negative log-probability of the rows' labels, in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def best_temperature(scores: Vectors, labels: Codes) -> tuple[float, float]:
    """(temperature, cross-entropy): what calibrates held-out scores best (Guo et al. 2017)."""
    losses = [cross_entropy(softmax(scores, temperature), labels) for temperature in TEMPERATURES]
    best = int(np.argmin(losses))
    return float(TEMPERATURES[best]), losses[best]
