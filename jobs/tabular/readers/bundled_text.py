"""Texts that a package bundles: `path` is word_senses, what English adjectives mean, and how it sounds.

The lexicon of TextBlob's pattern tagger (De Smedt and Daelemans, public domain): of each sense its gloss from WordNet,
labelled positive or negative where its polarity is beyond LEAST_POLARITY.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator

import pyarrow as pa
from defusedxml import ElementTree

from jobs.readers.record import Piece, Reading, Record
from jobs.tabular.cells import Cells
from jobs.tabular.typed_cells import positions

NAME = "word_senses"
LEAST_POLARITY = 0.1
_BYTES_PER_TEXT = 100


def pieces(task: Reading) -> Iterator[Piece]:
    """All texts are one piece. Raises RecipeError for texts that are not bundled."""
    if task.source.path != NAME:
        raise task.error(f"path is {task.source.path!r}; {NAME} is bundled.")
    yield {"bytes": len(_senses()) * _BYTES_PER_TEXT}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """Every gloss, `word_senses#0` and on."""
    texts, labels = zip(*_senses(), strict=True)
    columns = {"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())}
    yield Cells(columns, positions(NAME, 0, len(texts)))


def _senses() -> list[tuple[str, str]]:
    """(gloss, label) of the senses that have a polarity, in the lexicon's order."""
    file = importlib.resources.files("textblob") / "en" / "en-sentiment.xml"
    found = []
    for word in ElementTree.fromstring(file.read_bytes()).iter("word"):
        polarity, gloss = float(word.get("polarity", "0")), word.get("sense", "").strip()
        if gloss and abs(polarity) > LEAST_POLARITY:
            found.append((gloss, "positive" if polarity > 0 else "negative"))
    return found
