"""What a generator of tables says of how likely rows are, where it says anything."""

from __future__ import annotations

from synth.tables.verdicts import Likelihood


def likelihood_of(folder: str, threads: int) -> Likelihood | None:
    """The log-likelihood by the model of a checkpoint; None where its kind of model has none."""
    return None
