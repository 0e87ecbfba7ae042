"""What a generator of tables says of how likely rows are, where it says anything."""

from __future__ import annotations

from conf import runs
from synth.checkpoint import MANIFEST
from synth.tables.sampler import Sampler
from synth.tables.verdicts import Likelihood


def likelihood_of(folder: str, threads: int) -> Likelihood | None:
    """The log-likelihood by the model of a checkpoint; None where its kind of model has none, or it is no longer there.

    Raises CheckpointError for one that is damaged.
    """
    if runs.read_json(folder, MANIFEST) is None:
        return None
    sampler = Sampler(folder, threads=threads)
    return sampler.log_likelihood if hasattr(sampler.model, "log_likelihood") else None
