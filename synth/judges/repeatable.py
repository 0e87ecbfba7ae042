"""Torch made repeatable: a fixed thread count, deterministic algorithms, and a random state that is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_way(threads: int, seed: int | None = None) -> Iterator[None]:
    """Run torch on `threads` threads, from `seed` where one is given; leave the process as it was found."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if seed is None:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
