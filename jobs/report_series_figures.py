"""Figures of the report of series: bands of values, what goes with what over time, spectra, windows on planes.

Every figure has one channel. Real train windows are an area or a thick line, other real windows dots, made ones lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jobs.report_figures import COLOURS, INK, LINES, REAL, WIDTH_IN, figure_of, short, style, svg

BAND_IN, TWO_IN, PLANE_IN = 2.1, 2.0, 3.6
LEAST_SHOWN = -12.0  # log powers below that of a silent frequency
Numbers = NDArray[np.float64]


def band(told: Mapping[str, Any], channel: int, name: str, made: Sequence[str]) -> Markup:
    """Values of a channel by step: of real train windows the middle half and nine tenths, of made ones the ends of both
    and the median.
    """
    with mpl.rc_context(style()):
        figure, axes = figure_of(BAND_IN)
        steps, real = told["train"]["steps"], _values(told["train"]["channels"][channel])
        axes.fill_between(steps, real[0], real[-1], color=REAL, alpha=0.18, linewidth=0)
        axes.fill_between(steps, real[1], real[-2], color=REAL, alpha=0.3, linewidth=0, label="real")
        for number, each in enumerate(made):
            quantiles, colour = _values(told[each]["channels"][channel]), _colour(each, number)
            axes.plot(steps, quantiles[2], color=colour, linewidth=1.6, label=short(each))
            for at, dashes in ((0, (1, 1.5)), (1, (4, 2)), (-2, (4, 2)), (-1, (1, 1.5))):
                axes.plot(steps, quantiles[at], color=colour, linewidth=1, linestyle=(0, dashes))
        axes.set_xlabel("step")
        axes.set_ylabel(short(name))
        _legend(axes)
        return svg(figure, f"Values of the channel {name} by step, real and made")


def over_time(told: Mapping[str, Any], channel: int, name: str, made: Sequence[str]) -> Markup:
    """A channel's correlation with itself by lag, and its power by frequency."""
    with mpl.rc_context(style()):
        figure = Figure(figsize=(WIDTH_IN, TWO_IN))
        left, right = figure.subplots(1, 2)
        length = max(told["bands"]["train"]["steps"]) + 1
        for axes, kind in ((left, "autocorrelations"), (right, "spectra")):
            for number, each in enumerate(("train", "test", *made)):
                if each in told[kind]:
                    values = _values(told[kind][each][channel])
                    frequencies = np.linspace(1 / length, 0.5, len(values))
                    across = np.arange(len(values)) if kind == "autocorrelations" else frequencies
                    axes.plot(across, np.maximum(values, LEAST_SHOWN), **_line(each, number - 2))
        left.set_xlabel("lag, steps")
        left.set_ylabel("autocorrelation")
        left.axhline(0, color=INK, linewidth=0.5)
        right.set_xlabel("frequency, per step")
        right.set_ylabel("log power")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, handlelength=1.4, columnspacing=1.2)
        return svg(figure, f"Autocorrelation and spectrum of the channel {name}, real and made")


def plane(points: Mapping[str, Any], made: Sequence[str], axes_names: tuple[str, str], title: str) -> Markup:
    """Windows as points: real train windows, and made ones."""
    with mpl.rc_context(style()):
        figure, axes = figure_of(PLANE_IN)
        for number, each in enumerate(("train", *made)):
            some = np.array(points.get(each, []), np.float64).reshape(-1, 2)
            colour = REAL if each == "train" else _colour(each, number - 1)
            label = "real" if each == "train" else short(each)
            axes.plot(some[:, 0], some[:, 1], ".", color=colour, markersize=4, alpha=0.6, label=label)
        axes.set_xlabel(axes_names[0])
        axes.set_ylabel(axes_names[1])
        if not any(axes_names):  # distances on such a plane are no measure
            axes.set_xticks([])
            axes.set_yticks([])
        _legend(axes)
        return svg(figure, title)


def _values(told: Sequence[Any]) -> Numbers:
    """Numbers of JSON, null as NaN."""
    return np.array(told, dtype=np.float64)


def _colour(name: str, number: int) -> str:
    return COLOURS.get(name, LINES[number % len(LINES)])


def _line(name: str, number: int) -> dict[str, Any]:
    """How the line of a set is drawn."""
    if name == "train":
        return {"color": REAL, "linewidth": 3.5, "alpha": 0.45, "label": "real"}
    if name == "test":
        return {"color": REAL, "linewidth": 1.1, "linestyle": (0, (1, 1.5)), "label": "real, test"}
    return {"color": _colour(name, number), "linewidth": 1.4, "label": short(name)}


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, handlelength=1.2, columnspacing=1.2, borderaxespad=0.2
    )
