"""How like the real windows made ones are, and what they give away, each beside what real windows reach.

The ceiling is what other real windows show in the place of made ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.series.rows import Numbers, Windows
from synth.series.scaled import flat, nearest, scale_of, scaled
from udfs import privacy, quality
from udfs.series import likeness
from udfs.series.scaling import Scale, encode

LEAST_ROWS = 10
MOST_ROWS = 3000  # on either side of what is compared pair by pair
MOST_KNOWN = 20_000  # train windows that nearest ones are looked for among
COMPONENTS = 32  # of a window in which neighbourhoods are looked at: in more dimensions all are far


@dataclass(frozen=True)
class Eye:
    """What windows are looked at with: the scale of the train windows and the axes along which they differ most."""

    scale: Scale
    axes: Numbers  # (T C, K)

    @staticmethod
    def of(train: Windows) -> Eye:
        """By at most MOST_ROWS train windows."""
        scale = scale_of(train)
        some = flat(scaled(train[:MOST_ROWS], scale))
        right = np.linalg.svd(some - some.mean(0), full_matrices=False)[2][:COMPONENTS]
        signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(1)])
        return Eye(scale, (right * signs[:, None]).T)

    def vectors(self, windows: Windows) -> Numbers:
        """float64[N, K]."""
        return flat(scaled(windows, self.scale)) @ self.axes


def quality_of(made: Windows, train: Windows, test: Windows) -> dict[str, Any] | None:
    """Differences of correlations, spectra and values against train windows; precision, recall, density and coverage
    against test windows. None where there are too few to say.
    """
    count = min(len(made), len(test), MOST_ROWS)
    if count < LEAST_ROWS or len(train) < LEAST_ROWS:
        return None
    eye = Eye.of(train)
    ours, theirs = (encode(each, eye.scale) for each in (train, made))
    values = likeness.marginals(ours, theirs)
    real, drawn = (eye.vectors(each[:count]) for each in (test, made))
    precision, recall = quality.precision_recall(real, drawn)
    density, coverage = quality.density_coverage(real, drawn)
    return {
        "rows": count,
        **likeness.differences(likeness.measure(ours), likeness.measure(theirs)),
        **{name: float(each.mean()) for name, each in values.items()},
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
    }


def privacy_of(made: Windows, train: Windows, held_out: Windows) -> dict[str, Any] | None:
    """Distances to the nearest train window, and whether made windows lie nearer to train than to held-out ones.

    Distances are root mean squares of deviations of the channels. `copies` is the share that equals a train window,
    `near_copies` the share that lies far nearer to one than held-out windows do (udfs/privacy.py). `dcr_share` is the
    share that lies nearer to a train window than to one of as many held-out ones, ties half: 0.5 where nothing is given
    away; held-out windows of another time may lie farther by themselves, which the ceiling tells.
    """
    even = min(len(train), len(held_out))
    if min(len(made), even) < LEAST_ROWS:
        return None
    scale = scale_of(train)
    asked, known, others = (
        flat(scaled(each, scale)) for each in (made[:MOST_ROWS], train[:MOST_KNOWN], held_out[:MOST_KNOWN])
    )
    even = min(len(known), len(others))
    distance = nearest(asked, known)[0]
    by_itself = nearest(others[:MOST_ROWS], known)[0]
    to_train, to_others = (nearest(asked, some[:even])[0] for some in (known, others))
    return {
        "rows": len(asked),
        "copies": float((distance == 0).mean()),
        "near_copies": float((distance < privacy.copy_threshold(by_itself)).mean()),
        "nearest_train": privacy.quantiles(distance),
        "held_out_to_train": privacy.quantiles(by_itself),
        "dcr_share": float((to_train < to_others).mean() + (to_train == to_others).mean() / 2),
        "of": even,
    }
