"""The report's figures: charts as SVG that take the page's text colour, pictures as small PNG or JPEG strips.

Charts are drawn narrow (a phone's width), so that their text stays readable when they are scaled to fit.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

REAL, AUGMENTED, SYNTHETIC, ALL = "#3d9a6a", "#d9962e", "#5b87e8", "#8a63c9"
COLOURS = {"labelled": "#4aa8b8", "real": REAL, "augmented": AUGMENTED, "synthetic": SYNTHETIC, "all": ALL}
SAID = {"synthetic": "generated"}  # what a reader is told of an origin
LINES = [SYNTHETIC, AUGMENTED, REAL, ALL, "#c95f7b", "#4aa8b8"]
INK = "#010203"  # stands for the page's text colour, and is replaced by it
WIDTH_IN = 4.4
CHART_IN = 2.7  # high
THUMB_PX = 64
GAP_PX = 1
GAP_GREY = 128  # is seen on light and dark pages, beside light and dark pictures
LEAST_CUT_SHOWN = 120  # per cent
JPEG_ABOVE_PX = 40

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "svg.hashsalt": "seedbed",  # the same figure, the same bytes
    "font.size": 9,
    "font.sans-serif": ["Inter", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "text.parse_math": False,  # a label with a $ is a label
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def style() -> Any:
    """How all charts are drawn, for `rc_context`."""
    return _STYLE


def figure_of(height_in: float) -> tuple[Figure, Axes]:
    """A figure of a phone's width and its axes."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    return figure, figure.add_subplot()


def svg(figure: Figure, title: str) -> Markup:
    """The figure as inline SVG without a fixed size, in the page's text colour, with `title` for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    label = Markup('<svg role="img" aria-label="{}"').format(title)
    return Markup(text.replace("<svg", str(label), 1))  # noqa: S704 - matplotlib escapes what it writes


def forest(gains: Sequence[tuple[str, str, float, float, float]], arms: Mapping[str, str]) -> Markup:
    """Cut of the error with its interval, a group of lines for each judge: (judge, arm, cut, low, high), as shares."""
    with mpl.rc_context(_STYLE):
        judges = list(dict.fromkeys(judge for judge, *_ in gains))
        figure, axes = figure_of(max(CHART_IN, 0.9 + 0.55 * len(judges)))
        for number, arm in enumerate(arms):
            some = [
                (judges.index(judge) + 0.2 * (number - (len(arms) - 1) / 2), cut, low, high)
                for judge, a, cut, low, high in gains
                if a == arm
            ]
            if not some:
                continue
            places, cuts, lows, highs = (np.array(each) for each in zip(*some, strict=True))
            colour = COLOURS.get(arm, ALL)
            axes.hlines(places, 100 * lows, 100 * highs, color=colour, linewidth=2.6)
            axes.plot(100 * cuts, places, "o", color=colour, markersize=5.5, label=arms[arm])
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(judges)), judges)
        axes.set_ylim(len(judges) - 0.5, -0.5)
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -LEAST_CUT_SHOWN), high)  # an interval from hardly any errors runs to minus thousands
        axes.set_xlabel("cut of the error, % (below 0: harm)")
        axes.grid(axis="x")
        _legend_above(axes)
        return svg(figure, "Cut of the judges' error, with intervals")


def _legend_above(axes: Axes) -> None:
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handlelength=1, columnspacing=1.2, borderaxespad=0.2
    )


def curve(
    rows: Sequence[int],
    errors: Sequence[Sequence[float]],
    grown: float | None,
    headline: Mapping[str, Any],
    error: str = "error",
) -> Markup:
    """The judge's error by number of real rows, the grown set's error, and how many real rows that is worth."""
    with mpl.rc_context(_STYLE):
        figure, axes = figure_of(CHART_IN)
        percent = [100 * np.asarray(each, dtype=float) for each in errors]
        axes.plot(
            rows,
            [each.mean() for each in percent],
            "o-",
            color=REAL,
            label="real rows alone",
            linewidth=1.8,
            markersize=4,
        )
        axes.fill_between(
            rows,
            [each.min() for each in percent],
            [each.max() for each in percent],
            color=REAL,
            alpha=0.18,
            linewidth=0,
        )
        if grown is not None:
            axes.axhline(100 * grown, color=ALL, linewidth=1.4, linestyle="--", label="the grown set")
        worth, interval = headline.get("worth"), headline.get("interval")
        if worth and interval and None not in interval:
            axes.axvspan(float(interval[0]), float(interval[1]), color=ALL, alpha=0.12, linewidth=0)
            axes.axvline(float(worth), color=ALL, linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(list(rows), [f"{n:,}" for n in rows])
        axes.minorticks_off()
        axes.set_xlabel("real train rows")
        axes.set_ylabel(f"{error} on test, %")
        axes.set_ylim(bottom=0)
        axes.grid()
        _legend_above(axes)
        return svg(figure, "Learning curve on real rows, and where the grown set stands")


def class_counts(counts: Mapping[str, Mapping[str, int]], labels: Sequence[str]) -> Markup:
    """Train rows of each label, stacked by origin."""
    with mpl.rc_context(_STYLE):
        figure, axes = figure_of(0.9 + 0.24 * len(labels))
        left = np.zeros(len(labels))
        for origin in ("real", "augmented", "synthetic"):
            values = np.array([counts.get(origin, {}).get(label, 0) for label in labels], dtype=float)
            if values.any():
                axes.barh(
                    range(len(labels)),
                    values,
                    left=left,
                    color=COLOURS[origin],
                    height=0.7,
                    label=f"{SAID.get(origin, origin)} {int(values.sum()):,}",
                )
                left += values
        axes.set_yticks(range(len(labels)), [short(label) for label in labels])
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlabel("train rows")
        axes.grid(axis="x")
        _legend_above(axes)
        return svg(figure, "Train rows of each class by origin")


def lines(series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> Markup:
    """Curves by name, each of (step, value); values that are not finite are left out."""
    with mpl.rc_context(_STYLE):
        figure, axes = figure_of(2.3)
        for number, (name, points) in enumerate(series.items()):
            finite = [(step, value) for step, value in points if np.isfinite(value)]
            mark = "o-" if len(finite) < 30 else "-"
            axes.plot(
                *zip(*finite, strict=True),
                mark,
                color=LINES[number % len(LINES)],
                label=short(name, 24),
                linewidth=1.5,
                markersize=3,
            )
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid()
        if len(series) > 1:
            _legend_above(axes)
        return svg(figure, f"{y} by {x}")


def short(text: str, most: int = 18) -> str:
    """A name on one line, its end left out where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def picture(images: Sequence[bytes | None]) -> str:
    """A strip of pictures side by side as a data URI; "" where none can be shown."""
    arrays = [array for array in map(_thumb, images) if array is not None]
    if not arrays:
        return ""
    height, width = max(a.shape[0] for a in arrays), max(a.shape[1] for a in arrays)
    strip = np.full((height, len(arrays) * (width + GAP_PX) - GAP_PX, 4), 0, dtype=np.uint8)
    for place, array in enumerate(arrays):
        left = place * (width + GAP_PX)
        strip[: array.shape[0], left : left + array.shape[1], :3] = array
        strip[: array.shape[0], left : left + array.shape[1], 3] = 255
    return _data_uri(strip, max(height, width))


def _thumb(image: bytes | None) -> NDArray[np.uint8] | None:
    """The picture as uint8[H, W, 3] of at most THUMB_PX a side."""
    if not image:
        return None
    array = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    if array is None:
        return None
    scale = THUMB_PX / max(array.shape[:2])
    if scale < 1:
        size = (max(1, round(array.shape[1] * scale)), max(1, round(array.shape[0] * scale)))
        array = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    return np.asarray(array, dtype=np.uint8)


def _data_uri(pixels: NDArray[np.uint8], side: int) -> str:
    """PNG while pictures are tiny, JPEG beyond: in either case small."""
    grey = bool((pixels[..., :1] == pixels[..., :3]).all())
    if side > JPEG_ABOVE_PX and not grey:
        data, kind = cv2.imencode(".jpg", pixels[..., :3], [cv2.IMWRITE_JPEG_QUALITY, 82])[1], "jpeg"
    elif grey and (pixels[..., 3] == 255).all():
        data, kind = cv2.imencode(".png", pixels[..., 0])[1], "png"
    else:
        data, kind = cv2.imencode(".png", pixels)[1], "png"
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"


def sheet(image: bytes, tile: tuple[int, int], most_px: int = 480) -> str:
    """One larger picture (a grid of samples, each of `tile` height and width) as a data URI of at most `most_px` a
    side, with room between the samples.
    """
    whole = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    if whole is None:
        return ""
    array: NDArray[Any] = _spaced(np.asarray(whole, np.uint8), tile)
    scale = most_px / max(array.shape[:2])
    if scale < 1:
        size = (max(1, round(array.shape[1] * scale)), max(1, round(array.shape[0] * scale)))
        array = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    opaque = np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])
    return _data_uri(np.asarray(opaque, dtype=np.uint8), JPEG_ABOVE_PX + 1 if array.size > 100_000 else 0)


def _spaced(grid: NDArray[np.uint8], tile: tuple[int, int]) -> NDArray[np.uint8]:
    """A grid of tiles with grey lines between them; as it is, where it is not made of such tiles."""
    (height, width), (tall, wide) = grid.shape[:2], tile
    if height % tall or width % wide:
        return grid
    gap = max(GAP_PX, tall // 12)
    tiles = grid.reshape(height // tall, tall, width // wide, wide, 3)
    padded = np.pad(tiles, ((0, 0), (0, gap), (0, 0), (0, gap), (0, 0)), constant_values=GAP_GREY)
    rows, columns = height // tall * (tall + gap), width // wide * (wide + gap)
    return padded.reshape(rows, columns, 3)[: rows - gap, : columns - gap]
