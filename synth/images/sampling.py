"""Which images a recipe asks for, and who makes them."""

from __future__ import annotations

from synth.labelled.sampling import near, planned, repeated, shard_rows
from synth.models import SAMPLE_BLOCK as BLOCK
from synth.sampler import Sampler

__all__ = ["BLOCK", "Sampler", "near", "planned", "repeated", "shard_rows"]
