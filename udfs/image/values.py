"""What image steps take and give.

Images are uint8[N, H, W, C], C of 1 or 3 (RGB), all of one size. Pixel centres lie at whole coordinates, x to the
right, y down; angles are in degrees, anticlockwise as seen. Grey is 0.299 R + 0.587 G + 0.114 B. A step does not
change its input.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from udfs.options import Amount, Span, Within

Images = NDArray[np.uint8]  # (N, H, W, C)
Masks = NDArray[np.uint8]  # (N, H, W), class indices
Boxes = NDArray[np.float64]  # (K, 4): x0, y0, x1, y1 in pixels, edges of pixels at whole numbers
Floats = NDArray[np.float64]  # (N,)
Flags = NDArray[np.bool_]  # (N,)
Matrices = NDArray[np.float64]  # (N, 3, 3)
Tables = NDArray[np.uint8]  # (N, 256) for all channels alike, or (N, C, 256)
Reasons = list[str | None]

ShareAmount = Annotated[Amount, Within(0, 1)]
DegreesSpan = Annotated[Span, Within(-360, 360)]
ShearSpan = Annotated[Span, Within(-80, 80)]
FractionSpan = Annotated[Span, Within(-1, 1)]
FactorSpan = Annotated[Span, Within(0.01, 100)]
LevelAmount = Annotated[Amount, Within(0, 255)]
PixelsAmount = Annotated[Amount, Within(0, 1000)]
Level = Annotated[int, Within(0, 255)]
GreyLevel = Annotated[float, Within(0, 255)]
Pixels = Annotated[int, Within(1, 4096)]
Border = Literal["constant", "reflect", "edge"]
Partners = Literal["any", "same_label", "nearest"]

GREY_WEIGHTS = (299, 587, 114)  # of 1000: BT.601, as JPEG and OpenCV have it


def flattened(images: NDArray[Any]) -> NDArray[Any]:
    """(N, values per image); N may be 0."""
    return images.reshape(len(images), math.prod(images.shape[1:]))
