"""What judges' answers to the test rows come to, where rows are asked for a class or a number: scores, gains, curves.

Rows of any modality that have `question`, `targets` and `labels` are told of alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from conf import Config
from synth.arms import Pool
from synth.tables import metrics
from synth.tables.metrics import by_seed, focus_of
from synth.trials import Task, answers_of, compared, rows_in


def answers_told(
    config: Config,
    pools: Mapping[str, Pool[Any]],
    arms: Sequence[str],
    said: Mapping[Task, Any],
    told_by: ModuleType = metrics,
) -> dict[str, Any]:
    """Judges, gains, curves and headline, and what their error is; `told_by` measures answers."""
    rows, test = pools["given"].rows, pools["test"].rows
    question, task = rows.question, config.recipe.task
    positive = task.positive if task is not None else None
    focus, rare = focus_of(question.classes, positive, rows.labels) if question.classes else (0, 0)
    told: dict[str, Any] = {
        "judges": {},
        "gain": {},
        "curve": {},
        "headlines": {},
        "error": told_by.error_name(question),
    }
    if question.classes:
        told |= {"focus": question.classes[focus], "rare": question.classes[rare]}
    for kind in config.recipe.evaluate.judges if len(test) else []:
        answers = answers_of(config, pools, arms, kind, said)
        asked = (test.targets, question)
        errors = {arm: np.stack([told_by.row_errors(each, *asked) for each in answers[arm]]) for arm in answers}
        scored = {arm: [told_by.measures(each, *asked, focus, rare) for each in answers[arm]] for arm in arms}
        told["judges"][kind] = {
            arm: {"rows": rows_in(pools, arm), "error": errors[arm].mean(1).tolist(), **by_seed(scored[arm])}
            for arm in arms
        }
        found = compared(config, pools, arms, kind, errors)
        told["gain"][kind], told["curve"][kind] = found["gain"], found["curve"]
        if "headline" in found:
            told["headlines"][kind] = found["headline"]
    told["headline"] = next(iter(told["headlines"].values()), None)
    return told
