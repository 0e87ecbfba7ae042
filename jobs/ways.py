"""What a stage does otherwise for one modality than for another: one package of modules each, the same names in all.

`jobs/ingest.py`, `jobs/clean.py` and `jobs/normalize.py` hold what all modalities share and call the functions of
`jobs.images.<stage>` or `jobs.tabular.<stage>`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from conf.schema import Recipe

PACKAGES = {
    "image": "jobs.images",
    "table": "jobs.tabular",
    "text": "jobs.texts",
    "series": "jobs.series",
    "behaviour": "jobs.behaviour",
    "fusion": "jobs.fusion",
}


def way_of(recipe: Recipe, stage: str) -> ModuleType:
    """The module that does the modality's own part of a stage."""
    return importlib.import_module(f"{PACKAGES[recipe.modality]}.{stage}")
