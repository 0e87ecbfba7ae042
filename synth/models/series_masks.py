"""Which values of a window are known while a model of time series learns to make the others.

In a share of the rows nothing is: so windows are made from nothing. In the others what is known is what people ask
about: the past (a forecast), the future, spans that are missing, channels that are not measured.
"""

from __future__ import annotations

import torch
from torch import Tensor

WAYS = 4  # past, future, all but spans, all but some channels


def drawn_known(series: Tensor, nothing: float) -> Tensor:
    """bool (N, T, C): what is known of each window (N, T, C), of a share of `nothing` rows nothing at all.

    Drawn from torch's global CPU generator; in every row something is left to make.
    """
    rows, length, channels = series.shape
    draws = torch.rand(rows, 5)
    way = (draws[:, 0] * WAYS).long()[:, None, None]
    place = torch.arange(length)[None, :, None]
    cut = (1 + draws[:, 1] * (length - 1)).long()[:, None, None]  # in [1, length - 1]
    start = (draws[:, 2, None, None] * (length - cut + 1)).long()
    span = (place >= start) & (place < start + cut)
    hit = _some(torch.rand(rows, channels))[:, None, :]
    everywhere = draws[:, 3, None, None] < 0.5  # spans of all channels, or of some
    known = torch.where(way == 0, place < cut, place >= cut)
    known = torch.where(way == 2, ~(span & (hit | everywhere)), known.expand(rows, length, channels))
    if channels > 1:
        known = torch.where(way == 3, ~hit.expand(rows, length, channels), known)
    told = draws[:, 4] >= nothing
    return (known & told[:, None, None]).to(series.device)


def _some(draws: Tensor) -> Tensor:
    """bool (N, C): at least one of a row's channels, and not all where there are several."""
    chosen = draws < draws.roll(1, 1).clamp(0.2, 0.8)
    lowest, highest = draws.argmin(1, keepdim=True), draws.argmax(1, keepdim=True)
    chosen = chosen.scatter(1, highest, False)  # with one channel, the lowest wins
    return chosen.scatter(1, lowest, True)


def parted(known: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Known values with 0 for the others, and bool where they are, both of the shape of `like`; NaN is not known."""
    if known is None:
        return torch.zeros_like(like), torch.zeros_like(like, dtype=torch.bool)
    there = ~known.isnan()
    return torch.where(there, known, torch.zeros_like(known)).to(like.dtype), there
