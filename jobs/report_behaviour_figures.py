"""Figures of the report of behaviour: how popular items are, how long sequences, how they rate; real against made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from jobs.report_figures import COLOURS, SAID, figure_of, style, svg

CHART_IN = 2.5
LENGTH_STEPS = 24
MOST_RATINGS = 20  # values that are told apart
FREQUENT = 400  # items shown one by one


@dataclass(frozen=True)
class Crowd:
    """What the users of one origin come to: events of each item, events of each user, ratings."""

    items: Mapping[str, int]
    lengths: Sequence[int]
    ratings: Mapping[float, int]


def popularity(crowds: Mapping[str, Crowd]) -> Markup | None:
    """Share of the events that the most frequent items have, by rank, on two logarithms."""
    if not crowds:
        return None
    with mpl.rc_context(style()):
        figure, axes = figure_of(CHART_IN)
        for origin, crowd in crowds.items():
            counts = np.sort(np.array(list(crowd.items.values()), np.float64))[::-1]
            ranks = np.arange(1, len(counts) + 1)
            axes.loglog(ranks, 100 * counts / counts.sum(), color=COLOURS[origin], linewidth=1.6, label=_named(origin))
        _plain(axes.xaxis, axes.yaxis)
        axes.set_xlabel("items, the most frequent first")
        axes.set_ylabel("events, %")
        axes.grid()
        axes.legend(loc="lower left")
        return svg(figure, "Popularity of items by rank, real and made")


def beside(crowds: Mapping[str, Crowd]) -> Markup | None:
    """Each frequent item's share of the events: of real users across, of made ones upwards."""
    if "real" not in crowds or len(crowds) < 2:
        return None
    with mpl.rc_context(style()):
        figure, axes = figure_of(CHART_IN)
        real = crowds["real"].items
        some = sorted(real, key=lambda item: (-real[item], item))[:FREQUENT]
        across = _shares(real, some)
        for origin, crowd in crowds.items():
            if origin != "real":
                upwards = _shares(crowd.items, some)
                axes.loglog(across, upwards, ".", color=COLOURS[origin], markersize=3, alpha=0.6, label=_named(origin))
        axes.loglog(across, across, color=COLOURS["real"], linewidth=1)
        _plain(axes.xaxis, axes.yaxis)
        axes.set_xlabel("events of real users, %")
        axes.set_ylabel("of made users, %")
        axes.grid()
        axes.legend(loc="upper left")
        return svg(figure, "Shares of single items, real and made")


def _shares(counts: Mapping[str, int], some: Sequence[str]) -> NDArray[np.float64]:
    """Per cent of the events that each of these items has; of none what one event would be."""
    whole = sum(counts.values())
    return 100 * np.array([max(counts.get(item, 0), 0.5) for item in some]) / max(whole, 1)


def lengths(crowds: Mapping[str, Crowd]) -> Markup | None:
    """How many events users have."""
    if not crowds:
        return None
    with mpl.rc_context(style()):
        figure, axes = figure_of(CHART_IN)
        longest = max(max(crowd.lengths) for crowd in crowds.values())
        edges = np.unique(np.geomspace(1, longest + 1, LENGTH_STEPS).round())
        for origin, crowd in crowds.items():
            shares = 100 * np.histogram(crowd.lengths, edges)[0] / len(crowd.lengths)
            is_real = origin == "real"
            alpha = 0.45 if is_real else 1.0
            axes.stairs(shares, edges, fill=is_real, color=COLOURS[origin], alpha=alpha, label=_named(origin))
        axes.set_xscale("log")
        _plain(axes.xaxis)
        axes.set_xlabel("events of a user")
        axes.set_ylabel("users, %")
        axes.legend(loc="upper right")
        return svg(figure, "How many events users have, real and made")


def ratings(crowds: Mapping[str, Crowd]) -> Markup | None:
    """How events are rated; None where there are no ratings to tell apart."""
    values = sorted({value for crowd in crowds.values() for value in crowd.ratings})
    if not 1 < len(values) <= MOST_RATINGS:
        return None
    with mpl.rc_context(style()):
        figure, axes = figure_of(CHART_IN)
        width = 0.8 / len(crowds)
        for number, (origin, crowd) in enumerate(crowds.items()):
            shares = 100 * np.array([crowd.ratings.get(value, 0) for value in values]) / sum(crowd.ratings.values())
            places = np.arange(len(values)) + width * (number - (len(crowds) - 1) / 2)
            axes.bar(places, shares, width, color=COLOURS[origin], label=_named(origin))
        axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        axes.set_xlabel("rating")
        axes.set_ylabel("events, %")
        axes.legend(loc="upper left")
        return svg(figure, "Ratings, real and made")


def _plain(*scales: Axis) -> None:
    """Numbers of logarithmic scales as people write them; only whole powers are told."""
    for scale in scales:
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        scale.set_minor_formatter(NullFormatter())


def _named(origin: str) -> str:
    return SAID.get(origin, origin)
