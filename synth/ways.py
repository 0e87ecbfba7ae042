"""What a stage does otherwise for one modality than for another: one package of modules each, the same names in all.

`training` makes a recipe's generator into forms, and train rows into what `fit` trains on; `sampling` makes rows of a
checkpoint. `synth/job.py`, `synth/work.py` and `synth/sample.py` hold what all modalities share.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from conf.schema import Recipe

PACKAGES = {
    "image": "synth.images",
    "table": "synth.tables",
    "text": "synth.texts",
    "series": "synth.series",
    "behaviour": "synth.behaviour",
    "fusion": "synth.fusion",
}


def way_of(recipe: Recipe, part: str) -> ModuleType:
    """The module that does the modality's own part."""
    return importlib.import_module(f"{PACKAGES[recipe.modality]}.{part}")
