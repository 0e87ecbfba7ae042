"""Steps that mix a row with another row, its partner, which the caller chose by identity.

They give the mixed images and the partner's share in each (0 where the step did not fire), from which labels are
mixed in the same proportion. `partners` says who may be one: `any` row, one of the `same_label`, or the `nearest` of
the same label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from udfs.image.occlusion import rectangles
from udfs.image.values import Floats, Images, Partners
from udfs.options import Probability, ShareSpan
from udfs.rng import RowRandom

REVISION = 1
_WHOLE = 1 << 8
Mixed = tuple[Images, Floats]


def blend(images: Images, others: Images, share: Floats) -> Images:
    """(1 - share) of the image and `share` of the other, in steps of 1/256: whole numbers, so the same everywhere."""
    part = np.rint(share * _WHOLE).astype(np.int32)[:, None, None, None]
    mixed = images.astype(np.int32) * (_WHOLE - part) + others.astype(np.int32) * part
    return ((mixed + _WHOLE // 2) >> 8).astype(np.uint8)


def mixup(
    random: RowRandom,
    images: Images,
    others: Images,
    *,
    share: ShareSpan = (0.1, 0.5),
    partners: Partners = "any",
    p: Probability = 0.5,
) -> Mixed:
    """Lay the partner over the image, `share` of it showing (Zhang et al. 2017)."""
    return _blended(random, images, others, share, p)


def interpolate(
    random: RowRandom,
    images: Images,
    others: Images,
    *,
    share: ShareSpan = (0.2, 0.5),
    partners: Partners = "nearest",
    p: Probability = 0.5,
) -> Mixed:
    """Go part of the way to the nearest row of the same label (as SMOTE does, Chawla et al. 2002)."""
    return _blended(random, images, others, share, p)


def _blended(random: RowRandom, images: Images, others: Images, share: ShareSpan, p: float) -> Mixed:
    """Blend the rows that fire, by shares in steps of 1/256."""
    where = random.bernoulli(p)
    shares = np.rint(random.uniform(*share) * _WHOLE) / _WHOLE * where
    out = images.copy()
    if where.any():
        out[where] = blend(images[where], others[where], shares[where])
    return out, shares


def cutmix(
    random: RowRandom,
    images: Images,
    others: Images,
    *,
    share: ShareSpan = (0.1, 0.4),
    partners: Partners = "any",
    p: Probability = 0.5,
) -> Mixed:
    """Paste a rectangle of the partner over the image (Yun et al. 2019); its share is the area that it covers."""
    where = random.bernoulli(p)
    height, width = images.shape[1:3]
    side = np.sqrt(random.uniform(*share))
    across, down = np.rint(side * width), np.rint(side * height)
    x = np.floor(random.uniform() * (width - across + 1))
    y = np.floor(random.uniform() * (height - down + 1))
    boxes = np.stack([x, y, x + across, y + down], axis=-1)[:, None, :]
    inside: NDArray[np.bool_] = rectangles(height, width, boxes) & where[:, None, None]
    return np.where(inside[..., None], others, images), inside.mean(axis=(1, 2))
