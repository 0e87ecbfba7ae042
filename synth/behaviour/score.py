"""Score for behaviour: verdicts on every staged user, and whether users like them are of use to recommenders.

Of the real rows train and val are all that is read: recommenders with and without the rows that passed are asked for
the last new item of every val user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conf import Config, runs
from conf.progress import Bar
from conf.runs import Place
from synth.arms import Pool
from synth.behaviour.duty import asked, losses
from synth.behaviour.pools import real_pool
from synth.behaviour.rows import Rows
from synth.behaviour.verdicts import bench
from synth.duty import Duty
from synth.labelled.score import staged_verdicts
from synth.spread import shared, spread
from synth.usefulness import TRAIN, Ask, usefulness


def judged(config: Config, place: Place, bar: Bar) -> tuple[dict[str, Any], dict[str, Any]]:
    """(counts, usefulness.json): verdicts on all staged rows are written, and rows that passed are tried."""
    real = runs.real_in(place).folder
    train, val = (real_pool(real, split, config) for split in ("train", "val"))
    counts, passed = staged_verdicts(config, place, bench(train, val, config))
    return counts, usefulness(config, val, passed, _asking(config, {TRAIN: train, **passed}, val, bar), losses)


def _asking(config: Config, pools: Mapping[str, Pool[Rows]], val: Pool[Rows], bar: Bar) -> Ask:
    """Train recommenders as tasks; the pools are handed over once."""
    refs = {name: shared(pool) for name, pool in pools.items()}
    questions = shared(val.rows.payload)

    def ask(duties: Sequence[Duty]) -> list[Any]:
        jobs = [(duty, questions, tuple(duty.places), *(refs[name] for name in duty.places)) for duty in duties]
        answers: dict[int, Any] = {}
        for number, answer in spread(asked, jobs, config):
            answers[number] = answer
            bar.advance()
        return [answers[number] for number in range(len(jobs))]

    return ask
