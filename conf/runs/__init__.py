"""Fingerprints, stage folders and markers: which work is done, and where it lies.

What a stage makes lies in `<files>/<recipe>/stages/<stage>/<fingerprint>/`, its marker DONE.json last. A fingerprint
covers what the stage reads by *content* (digests of rows, ids of checkpoints), not by the fingerprints before it: a
file that was only touched, or a rule that refuses nobody new, ends the work there and retrains nothing. So a later
stage's fingerprint is known only when the earlier ones are done. Both engines use this module; it imports neither.
"""

from __future__ import annotations

from conf.runs.chosen import CHOICE, augment_in, augment_of, choice_of, plan_of
from conf.runs.files import (
    HASH_MODULUS,
    clear,
    digest,
    digest_of,
    filesystem,
    read_json,
    write_bytes,
    write_json,
)
from conf.runs.history import last_run, record_run, run_names
from conf.runs.markers import DONE_NAME, Done, Place, StageResult, done_at, finish, home, real_in
from conf.runs.sources import below, listing, locations, model_files, references
from conf.runs.survey import Surveyed, done, locate, real, survey

__all__ = [
    "CHOICE",
    "DONE_NAME",
    "HASH_MODULUS",
    "Done",
    "Place",
    "StageResult",
    "Surveyed",
    "augment_in",
    "augment_of",
    "below",
    "choice_of",
    "clear",
    "digest",
    "digest_of",
    "done",
    "done_at",
    "filesystem",
    "finish",
    "home",
    "last_run",
    "listing",
    "locate",
    "locations",
    "model_files",
    "plan_of",
    "read_json",
    "real",
    "real_in",
    "record_run",
    "references",
    "run_names",
    "survey",
    "write_bytes",
    "write_json",
]
