"""Behaviour: sequences of events, steps, rules.

A random step is `f(random, sequences, *, options)`, sequences as `udfs/behaviour/values.py` has them; a rule is
`reject_*(sequences, *, options)`. Only names in `__all__` can be named in a recipe.
"""

from __future__ import annotations

from udfs.behaviour.alike import insert, substitute
from udfs.behaviour.cutting import crop, item_dropout, reorder
from udfs.behaviour.rejects import reject_bursts, reject_one_rating, reject_repeats

VALUES = "sequences"  # what the parameter of a step is called that holds them
GIVES = ("Sequences",)  # what a step that does not mix gives

__all__ = [
    "crop",
    "insert",
    "item_dropout",
    "reject_bursts",
    "reject_one_rating",
    "reject_repeats",
    "reorder",
    "substitute",
]
