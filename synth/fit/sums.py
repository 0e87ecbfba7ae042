"""Fitting by sums over all train rows, round by round."""

from __future__ import annotations

import copy
import functools
import math
from typing import Any

import torch
from torch import Tensor, nn

from conf.errors import StageError
from synth.fit.terms import Event, Fitted, Report, Rows, Settings, State, Team
from synth.models import SumsFitted

MAX_ROUNDS = 1000
CHUNK_ROWS = 2048
LANES = 8  # sums are added up in so many lanes, whoever adds them: up to 8 workers come to the same totals


def fit_by_sums(
    fitted: Fitted, rows: Rows, settings: Settings, team: Team, report: Report, resume: State | None
) -> Fitted:
    """Rounds of sums over all train rows, until the model says that it has converged."""
    model, first, before = fitted.model, 0, _last_step(fitted)
    if resume is not None:
        model.load_state_dict({name: tensor.to(settings.device) for name, tensor in resume.tensors.items()})
        first, before = resume.meta["round"], resume.meta["before"]
        fitted.history, fitted.notes, fitted.facts = (resume.meta[key] for key in ("history", "notes", "facts"))
    model.eval()
    for number in range(first, MAX_ROUNDS):
        with torch.no_grad():
            totals = _totals(model, rows, team)
            converged = model.update(totals)
        if not all(bool(torch.isfinite(value).all()) for value in totals.values()) or _has_nan(model):
            raise StageError(
                f"sums or weights stopped being finite in round {number + 1} of the fit. The train rows may be too "
                "few or too alike: look at them, or raise the model's prior in generate.options."
            )
        record = {"step": before + number + 1, **_scalars(model)}
        fitted.history.append(record)
        meta = {
            "form": "sums",
            "round": number + 1,
            "before": before,
            "attempt": fitted.facts.get("attempt", 0),
            **_told(fitted),
        }
        tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        state = State(tensors, copy.deepcopy(meta))
        last = _last_look(model, rows, settings) if converged else {}
        record |= last.get("record", {})
        report(Event(number + 1, 0, functools.partial(copy.copy, state), record, last.get("picture")))
        if converged:
            fitted.facts |= {"rounds": number + 1, **last["record"]}
            return fitted
    raise StageError(f"the fit did not converge in {MAX_ROUNDS} rounds.")


def _last_step(fitted: Fitted) -> int:
    """The last step of the phases that went before, so that rounds are counted on from there."""
    return int(fitted.history[-1]["step"]) if fitted.history else 0


def _told(fitted: Fitted) -> dict[str, Any]:
    told = {"history": fitted.history, "notes": fitted.notes, "facts": fitted.facts}
    return {**told, "attempt": fitted.facts.get("attempt", 0)}


def _totals(model: SumsFitted, rows: Rows, team: Team) -> dict[str, Tensor]:
    """Sums over all rows, added up chunk by chunk in lanes, then lane by lane: whoever adds, the order is the same."""
    lanes: dict[str, Tensor] = {}
    starts = range(0, len(rows.labels), CHUNK_ROWS)
    for chunk, first in enumerate(starts):
        if chunk % LANES % team.size != team.rank and team.size > 1 and chunk > 0:
            continue
        places = torch.arange(first, min(first + CHUNK_ROWS, len(rows.labels)), device=rows.labels.device)
        sums = model.accumulate(rows.take(places))
        for name, value in sums.items():
            if name not in lanes:
                lanes[name] = value.new_zeros(min(LANES, len(starts)), *value.shape)
            if chunk % LANES % team.size == team.rank:
                lanes[name][chunk % LANES] += value
    return {name: _in_order(team.total(lanes[name])) for name in sorted(lanes)}


def _in_order(lanes: Tensor) -> Tensor:
    total = lanes[0].clone()
    for lane in lanes[1:]:
        total += lane
    return total


def _scalars(model: nn.Module) -> dict[str, float]:
    """The model's own finite scalars, such as its log likelihood."""
    found = {
        name: float(value) for name, value in model.named_buffers() if value.dim() == 0 and value.is_floating_point()
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _has_nan(model: nn.Module) -> bool:
    return any(bool(torch.isnan(tensor).any()) for tensor in model.state_dict().values() if tensor.is_floating_point())


def _last_look(model: Any, rows: Rows, settings: Settings) -> dict[str, Any]:
    """Quality and variety of a model that was fitted on all rows, so that they read like the others'."""
    check = rows.watch(settings, model).check(model)
    return {"record": {"quality": check.quality, "variety": check.variety}, "picture": check.picture}
