"""What clean finds of windows, wherever they came from: gaps, rules, labels, and the mark by which they are copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from conf.schema import Recipe, SeriesForm
from udfs import hashing
from udfs.series.compiled import SeriesRules, compile_series_rules
from udfs.series.values import Flags, Series
from udfs.series.windows import GAPS, listed

STAGE = "clean"
FILLED = "gaps_filled"
_DIGEST = hashing.word_of("series", "content")
_FLAGS = pa.list_(pa.string())
_SHOWN = 80  # characters of a label that is refused, told in its detail
Told = tuple[str | None, str]  # the reason why a row is refused, null for none, and its detail
FINE: Told = (None, "")


@dataclass(frozen=True)
class Judging:
    """The form of windows, the rules that refuse them, and the labels that are known."""

    form: SeriesForm
    rules: SeriesRules
    labels: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe) -> Judging:
        """What the recipe says. Raises StepError for a rule that is none, or an option that it does not take."""
        assert recipe.series is not None
        return cls(recipe.series, compile_series_rules(recipe.clean.rules), tuple(recipe.labels))

    def columns(
        self, series: Series, there: Flags, told: Sequence[Told], labels: Sequence[str | None], flags: list[list[str]]
    ) -> dict[str, Any]:
        """The columns that clean adds to windows; `told` is what refuses them already, `there` where one could be
        read.
        """
        refused, warned = self.rules(series)
        warned = [some if known else [] for some, known in zip(warned, there.tolist(), strict=True)]
        reasons = [self._reason(*each) for each in zip(labels, told, self._gaps(series), refused, strict=True)]
        windows = listed(series, there)
        unlabelled = {} if self.labels else {"row_label_source": pa.nulls(len(series), pa.string())}
        return unlabelled | {
            "series": windows,
            "label": pa.array(labels, pa.string()),
            "pixels": hashing.hashes(hashing.row_words(pa.table({"series": windows}), ["series"], _DIGEST)),
            "row_flags": pa.array([[*a, *b] for a, b in zip(flags, warned, strict=True)], _FLAGS),
            "row_stage": pa.array([STAGE] * len(series)),
            "row_reason": pa.array([reason for reason, _ in reasons], pa.string()),
            "row_detail": pa.array([detail or None for _, detail in reasons], pa.string()),
        }

    def _gaps(self, series: Series) -> list[Told]:
        """Why windows with gaps are refused, unless what is missing is kept."""
        if self.form.missing == "keep":
            return [FINE] * len(series)
        missing = np.asarray(np.isnan(series).any(axis=1))  # (N, C)
        told: list[Told] = []
        for channels in missing:
            names = [self.form.channels[place] for place in np.flatnonzero(channels)]
            told.append((GAPS, f"{names[0]} has missing values") if names else FINE)
        return told

    def _reason(self, label: str | None, unread: Told, gaps: Told, refused: str | None) -> Told:
        """The first that holds: a label that is not known says most of the record."""
        if label is not None and label not in self.labels:
            known = "is not among the recipe's labels; the source's `labels` may map it"
            return "label_unknown", f"{label[:_SHOWN]!r} {known}"
        return next((told for told in (unread, gaps) if told[0] is not None), (refused, ""))
