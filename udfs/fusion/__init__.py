"""Rows of several payloads: steps that make one payload from another.

A step is `f(random, rows, *, options) -> Rows` over the rows of `udfs/fusion/rows.py`. Steps of single payloads keep
their own modules and names; `compiled` puts them all into one list.
"""

from __future__ import annotations

from udfs.fusion.drawing import draw_text

VALUES = "rows"  # what the parameter of a step is called that holds them
GIVES = ("Rows",)  # what a step gives

__all__ = ["draw_text"]
