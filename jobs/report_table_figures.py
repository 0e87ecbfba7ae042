"""Figures of the report of a table: columns real against made, which columns go together, rows on a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.colors import LinearSegmentedColormap

from jobs.report_figures import INK, LINES, REAL, figure_of, short, style, svg

_CHANGE = LinearSegmentedColormap.from_list(
    "change", [(0.36, 0.53, 0.91, 1), (0.5, 0.5, 0.5, 0), (0.85, 0.38, 0.25, 1)]
)
CHANGE_SHOWN = 0.3  # a difference of associations that takes the full colour
MANY_WORDS = 5  # categories from here on have their names written upright
COLUMN_IN, MAP_IN, PLANE_IN = 1.7, 3.9, 3.4


def column(told: Mapping[str, Any], made: Sequence[str]) -> Markup:
    """One column's values: real train rows as bars, rows of each generator as a line."""
    with mpl.rc_context(style()):
        figure, axes = figure_of(COLUMN_IN + (0.5 if len(told.get("words", ())) >= MANY_WORDS else 0))
        percent = {name: 100 * np.asarray(shares) for name, shares in told["shares"].items()}
        if "edges" in told:
            edges = np.asarray(told["edges"])
            axes.stairs(percent["train"], edges, fill=True, color=REAL, alpha=0.45, label="real")
            for number, name in enumerate(made):
                axes.stairs(percent[name], edges, color=LINES[number % len(LINES)], linewidth=1.5, label=short(name))
        else:
            places = np.arange(len(told["words"]))
            axes.bar(places, percent["train"], color=REAL, alpha=0.45, label="real")
            for number, name in enumerate(made):
                axes.plot(places, percent[name], "D", color=LINES[number % len(LINES)], markersize=4, label=short(name))
            upright = 90 if len(places) >= MANY_WORDS else 0
            axes.set_xticks(places, [short(word, 14) for word in told["words"]], rotation=upright)
        axes.set_ylabel("rows, %")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        return svg(figure, f"Values of the column {told['column']}, real and generated")


def associations(names: Sequence[str], difference: Sequence[Sequence[float]]) -> Markup:
    """How far made rows' associations of each two columns are from the real rows'."""
    with mpl.rc_context(style()):
        figure, axes = figure_of(MAP_IN)
        drawn = axes.pcolormesh(np.asarray(difference), cmap=_CHANGE, vmin=-CHANGE_SHOWN, vmax=CHANGE_SHOWN)
        places = np.arange(len(names)) + 0.5
        axes.set_xticks(places, [short(name, 14) for name in names], rotation=90, fontsize=7)
        axes.set_yticks(places, [short(name, 14) for name in names], fontsize=7)
        axes.invert_yaxis()
        bar = figure.colorbar(drawn, ax=axes, shrink=0.7)
        bar.outline.set_edgecolor(INK)  # type: ignore[operator]
        return svg(figure, "Difference of the columns' associations, generated less real")


def plane(told: Mapping[str, Any], made: Sequence[str]) -> Markup:
    """Rows on the two axes along which real rows differ most."""
    with mpl.rc_context(style()):
        figure, axes = figure_of(PLANE_IN)
        for number, (name, label) in enumerate([("test", "real"), *((each, each) for each in made)]):
            points = np.asarray(told["points"].get(name, np.zeros((0, 2))))
            if len(points):
                colour = REAL if name == "test" else LINES[(number - 1) % len(LINES)]
                axes.plot(points[:, 0], points[:, 1], ".", color=colour, markersize=4, alpha=0.6, label=short(label))
        first, second = told["explained"]
        axes.set_xlabel(f"first axis, {100 * first:.0f} % of the variance")
        axes.set_ylabel(f"second, {100 * second:.0f} %")
        axes.legend(loc="upper right")
        return svg(figure, "Real test rows and generated rows on the first two principal axes")
