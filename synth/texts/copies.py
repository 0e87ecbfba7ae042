"""Which runs of characters train texts have, as hashes, so that made texts do not repeat them at length.

A checkpoint holds hashes and never the texts. Runs are of UTF-8 bytes, ASCII letters in small; whole texts are
known by their normal form (small letters, words alone), as the gate knows copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from udfs import hashing
from udfs.rng import Words, mix
from udfs.text.near import normal_form

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SALT = hashing.word_of("text", "run")
RUNS, WHOLES = "runs", "wholes"  # as tensors beside a model's weights


@dataclass(frozen=True)
class Copies:
    """Hashes, rising: of the runs of `run` bytes of train texts, and of whole texts."""

    run: int
    runs: Words
    wholes: Words

    @classmethod
    def of(cls, texts: Iterable[str], run: int) -> Copies:
        """What these texts are made of."""
        each = list(texts)
        found = [run_words(text.encode("utf-8", "ignore"), run) for text in each]
        wholes = np.array([whole_word(text) for text in each], np.uint64)
        return cls(run, np.unique(np.concatenate([np.zeros(0, np.uint64), *found])), np.unique(wholes))

    @classmethod
    def from_tensors(cls, run: int, tensors: Mapping[str, torch.Tensor]) -> Copies:
        """What `tensors` stored."""
        return cls(run, *(tensors[name].numpy().view(np.uint64) for name in (RUNS, WHOLES)))

    def tensors(self) -> dict[str, torch.Tensor]:
        """The hashes, to be stored."""
        words = {RUNS: self.runs, WHOLES: self.wholes}
        return {name: torch.from_numpy(each.view(np.int64)) for name, each in words.items()}

    def has_run(self, before: bytes, more: bytes) -> bool:
        """Whether a text that goes on with `more` has a train text's run that ends there."""
        return bool(_among(run_words((before + more)[-(self.run - 1 + len(more)) :], self.run), self.runs))

    def has_whole(self, text: str) -> bool:
        """Whether a text has the words of a train text."""
        return bool(_among(np.array([whole_word(text)], np.uint64), self.wholes))


def run_words(text: bytes, run: int) -> Words:
    """uint64[len(text) - run + 1]: a word for each run of so many bytes (Karp and Rabin 1987, modulo 2^64, mixed)."""
    data = np.frombuffer(text.lower(), np.uint8)
    if len(data) < run:
        return np.zeros(0, np.uint64)
    with np.errstate(over="ignore"):
        factors = np.cumprod(np.full(run, _FACTOR, np.uint64))
        windows = np.lib.stride_tricks.sliding_window_view(data, run).astype(np.uint64)
        return mix((windows * factors).sum(1, dtype=np.uint64) ^ _SALT)


def whole_word(text: str) -> np.uint64:
    """64 bits of a text's normal form."""
    return hashing.word_of("whole", normal_form(text))


def _among(asked: Words, known: Words) -> bool:
    """Whether any of the words is known."""
    if not len(known) or not len(asked):
        return False
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return bool((known[places] == asked).any())
