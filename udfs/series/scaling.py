"""Channels measured, merged, encoded and decoded: by what is known of all windows, or of each window itself.

What is measured of all is the same under any partitioning: sums are exact (`udfs/table/exact.py`), quantiles are those
of the values of lowest hash (`udfs/table/lowest.py`), all of them while a channel has fewer than KEPT. What is missing
or infinite is not measured, and stays as it is. `decode(encode(series))` is the series but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
import pyarrow as pa

from udfs.rng import mix
from udfs.series.sums import by_steps, deviations, mean_steps, quantile_steps
from udfs.series.values import Floats, Series
from udfs.table.exact import exact_squares, exact_sum
from udfs.table.lowest import Lowest

REVISION = 1
KEPT = 20_000  # values by which quantiles are told
_SALT = np.uint64(0x9E3779B97F4A7C15)
Method = Literal["z_score", "min_max", "robust"]
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class ChannelTally:
    """Of one channel: how many values, the least and greatest, exact sums, and those of lowest hash."""

    count: int = 0
    least: float = np.inf
    greatest: float = -np.inf
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)
    sample: Lowest = field(default_factory=lambda: Lowest.none(KEPT, pa.float64()))

    def joined(self, other: ChannelTally) -> ChannelTally:
        """Of both."""
        return ChannelTally(
            self.count + other.count,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            self.total + other.total,
            self.squares + other.squares,
            self.sample.joined(other.sample),
        )

    def quantile(self, share: float) -> float:
        """The least value that has `share` of the sample at or below it."""
        values = self.sample.values.to_numpy(zero_copy_only=False)
        order = np.argsort(values, kind="stable")
        below = np.cumsum(self.sample.counts[order])
        return float(values[order][np.searchsorted(below, share * below[-1])])


Tally = tuple[ChannelTally, ...]  # by channel


def measure(series: Series) -> Tally:
    """Of a part of the windows."""
    return tuple(_measured(np.ascontiguousarray(series[:, :, channel]).ravel()) for channel in range(series.shape[2]))


def _measured(values: Floats) -> ChannelTally:
    """Of one channel's values."""
    told = values[np.isfinite(values)] + 0.0  # one zero, not two
    if not len(told):
        return ChannelTally()
    words = mix(told.view(np.uint64) + _SALT)
    sample = Lowest.none(KEPT, pa.float64()).plus(words, pa.array(told), np.ones(len(told), np.int64))
    return ChannelTally(len(told), float(told.min()), float(told.max()), exact_sum(told), exact_squares(told), sample)


def merge(parts: Iterable[Tally]) -> Tally:
    """Of all that the parts measured; any order, any grouping. Raises ValueError for other numbers of channels."""
    out: Tally | None = None
    for part in parts:
        if out is not None and len(part) != len(out):
            raise ValueError(f"measures of {len(out)} and of {len(part)} channels do not merge")
        out = part if out is None else tuple(a.joined(b) for a, b in zip(out, part, strict=True))
    return out or ()


@dataclass(frozen=True)
class Scale:
    """What is taken away and divided by: (1, 1, C) for all windows, (N, 1, C) for each its own."""

    centre: Floats
    width: Floats  # never 0: 1 where a channel is constant

    @staticmethod
    def of(tally: Tally, method: Method = "z_score") -> Scale:
        """By what was measured of train windows. A channel of which nothing is known stays as it is."""
        pairs = [_centre_and_width(each, method) if each.count else (0.0, 1.0) for each in tally]
        centre, width = np.array(pairs, np.float64).reshape(-1, 2).T
        return Scale(centre[None, None], np.where(width > 0, width, 1.0)[None, None])

    @staticmethod
    def of_each(series: Series, method: Method = "z_score") -> Scale:
        """By each window itself. It must be carried along for the way back."""
        told = np.where(np.isinf(series), np.nan, series)
        steps = by_steps(told)
        if method == "z_score":
            centre, width = mean_steps(steps), deviations(told)[:, 0]
        elif method == "min_max":
            centre = quantile_steps(steps, 0.0)
            width = quantile_steps(steps, 1.0) - centre
        else:
            low, centre, high = (quantile_steps(steps, share) for share in QUARTILES)
            width = high - low
        empty = np.isnan(centre)
        return Scale(np.where(empty, 0.0, centre)[:, None], np.where(width > 0, width, 1.0)[:, None])


def _centre_and_width(tally: ChannelTally, method: Method) -> tuple[float, float]:
    """Of one channel."""
    if method == "min_max":
        return tally.least, tally.greatest - tally.least
    if method == "robust":
        low, middle, high = (tally.quantile(share) for share in QUARTILES)
        return middle, high - low
    mean = tally.total / tally.count
    variance = tally.squares / tally.count - mean * mean
    return float(mean), float(np.sqrt(float(variance)))


def encode(series: Series, scale: Scale) -> Series:
    """The distance from the centre in widths."""
    return (series - scale.centre) / scale.width


def decode(encoded: Series, scale: Scale) -> Series:
    """Back."""
    return encoded * scale.width + scale.centre


def to_bytes(tally: Tally) -> bytes:
    """The whole tally, for the way from a worker: an Arrow stream with a row for each channel."""
    rows = [
        {
            "count": each.count, "least": each.least, "greatest": each.greatest,
            "total": str(each.total), "squares": str(each.squares),
            "words": each.sample.words, "values": each.sample.values, "counts": each.sample.counts,
        }
        for each in tally
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=_CARRIED)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_bytes(data: bytes) -> Tally:
    """Back from `to_bytes`."""
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    heads = table.select(["count", "least", "greatest", "total", "squares"]).to_pylist()
    out = []
    for place, head in enumerate(heads):
        words, values, counts = (table.column(name)[place].values for name in ("words", "values", "counts"))
        sample = Lowest(KEPT, words.to_numpy(), values, counts.to_numpy())
        head |= {"total": Fraction(head["total"]), "squares": Fraction(head["squares"]), "sample": sample}
        out.append(ChannelTally(**head))
    return tuple(out)


_CARRIED = pa.schema(
    [
        ("count", pa.int64()), ("least", pa.float64()), ("greatest", pa.float64()), ("total", pa.string()),
        ("squares", pa.string()), ("words", pa.list_(pa.uint64())), ("values", pa.list_(pa.float64())),
        ("counts", pa.list_(pa.int64())),
    ]
)  # fmt: skip
