"""Training by gradient steps: phases in turn, averages, a guard, checks, restarts."""

from __future__ import annotations

import contextlib
import copy
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conf.errors import StageError
from synth.fit.order import Order
from synth.fit.terms import (
    Build,
    Event,
    Fitted,
    Report,
    Rows,
    Settings,
    State,
    Team,
    Wrap,
    hold_out,
    mixed,
    seeded,
)
from synth.models import Phase, SumsFitted

GUARD_EVERY = 25  # steps between two looks at whether all is finite; at most these are lost by going back
MAX_ROLLBACKS = 3
WARM_UP = 0.35  # share of the steps before variety counts: every generator begins with little
MIN_VARIETY = 0.6  # of the real rows': below this a generator has collapsed
COLLAPSED_CHECKS = 2  # in a row


@dataclass
class Course:
    """Where a training by phases stands, as JSON."""

    form: str = "phases"
    attempt: int = 0
    step: int = 0
    place: int = 0  # in the data order
    rate: float = 1.0  # factor of the learning rates
    rollbacks: int = 0
    best: list[float] | None = None  # [1 if collapsed, quality]: lower is better
    best_at: list[int] = field(default_factory=lambda: [0, 0])  # attempt, step
    stale: int = 0  # checks since
    collapsed: int = 0  # checks in a row
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class PhasesFit:
    """Training by gradient steps."""

    def __init__(self, build: Build, rows: Rows, settings: Settings, team: Team, wrap: Wrap, report: Report) -> None:
        self.build, self.settings, self.team, self.wrap, self.report = build, settings, team, wrap, report
        self.train_places = hold_out(rows, settings.held_out)[0]
        self.rows, self.course = rows, Course()
        self.size = max(1, settings.batch_size // team.size) * team.size
        self._begin(0)
        self.watch = rows.watch(settings, self.model)

    def _begin(self, attempt: int) -> None:
        """A model as it is before its first step."""
        self.model = seeded(self.build, self.settings, attempt)
        self.phases: list[Phase] = self.model.phases()
        self.modules = [self.wrap(phase.module.train()) for phase in self.phases]
        self.own = [list(phase.module.parameters()) for phase in self.phases]
        self.optimisers = [
            torch.optim.AdamW(_decayed(phase), phase.learning_rate, phase.betas, fused=True) for phase in self.phases
        ]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.trained = self._trained_names()
        self.pairs = _chosen(self.average, self.trained), _chosen(self.model, self.trained)
        self.buffers = [b for phase in self.phases for b in phase.module.buffers() if b.is_floating_point()]
        self.order = Order(
            self.rows.labels[self.train_places].cpu().numpy(),
            mixed(self.settings.seed, 3, attempt),
            self.model.balanced,
        )
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
        self.best: dict[str, Tensor] = {}

    def run(self, resume: State | None) -> Fitted:
        """Train to the end, from the start or from a state."""
        if resume is not None:
            self.restore(resume)
        self._keep()
        while not self._over():
            self._step()
            if self.course.step % GUARD_EVERY and self.course.step % self.settings.check_every and not self._at_end():
                self._tell()
            elif self._finite():
                record, picture = self._checked()
                self._keep()
                self._tell(record, picture)
            else:
                self._go_back()
        return self._fitted()

    def _keep(self) -> None:
        """Keep the present state to go back to. The one before goes first: two would be most of the memory."""
        self.safe = State({}, {})
        self.safe = self.state()

    def _tell(self, record: dict[str, Any] | None = None, picture: np.ndarray | None = None) -> None:
        """Report a step; the state that goes with it is the last one that was found finite."""
        self.report(Event(self.course.step, self.settings.max_steps, lambda: self.safe, record, picture))

    def _at_end(self) -> bool:
        return self.course.step >= self.settings.max_steps

    def _over(self) -> bool:
        """Whether to stop; a collapse starts the next attempt instead, if there is one left."""
        course = self.course
        if course.collapsed >= COLLAPSED_CHECKS:
            if course.attempt < self.settings.restarts:
                self._restart()
                return False
            self._note(f"variety collapsed at step {course.step} again: stopped, and kept step {course.best_at[1]}")
            return True
        if course.stale >= self.settings.patience and not self._at_end():
            self._note(f"stopped at step {course.step}: no better held-out quality since step {course.best_at[1]}")
            return True
        return self._at_end()

    def _note(self, text: str) -> None:
        if text not in self.course.notes:
            self.course.notes.append(text)

    # one step

    def _step(self) -> None:
        course = self.course
        torch.manual_seed(mixed(self.settings.seed, 4, course.attempt, course.rollbacks, course.step, self.team.rank))
        for number, phase in enumerate(self.phases):
            self._only(number)
            for group in self.optimisers[number].param_groups:
                group["lr"] = phase.learning_rate * course.rate * self._pace(phase)
            for _ in range(phase.repeats):
                self._lower(number, phase)
        for buffer in self.buffers if self.team.size > 1 else ():
            self.team.total(buffer).div_(self.team.size)
        course.step += 1
        decay = min(self.model.average_decay, (1 + course.step) / (10 + course.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.pairs[0], self.pairs[1], 1.0 - decay)
        self.summed += 1

    def _lower(self, number: int, phase: Phase) -> None:
        """One optimiser step of one phase on the next batch."""
        mixed = phase.mixed_precision and self.settings.device.startswith("cuda")
        with torch.autocast("cuda", torch.bfloat16) if mixed else contextlib.nullcontext():
            told = self.modules[number](self._batch())
        self.optimisers[number].zero_grad(set_to_none=True)
        told["loss"].backward()
        self.optimisers[number].step()
        for name, value in told.items():
            key = f"{phase.name}.{name}"
            self.sums[key] = self.sums.get(key, 0.0) + value.detach().float() / phase.repeats

    def _only(self, number: int) -> None:
        """Gradients for one phase's parameters alone: other phases' hooks must not fire."""
        if len(self.phases) > 1:
            for other, own in enumerate(self.own):
                for parameter in own:
                    parameter.requires_grad_(other == number)

    def _pace(self, phase: Phase) -> float:
        """Factor of a phase's learning rate at this step."""
        step, steps = self.course.step, self.settings.max_steps
        rising = min(1.0, (step + 1) / phase.warm_up_steps) if phase.warm_up_steps else 1.0
        if phase.cosine:
            return rising * (1 + math.cos(math.pi * step / steps)) / 2
        return rising * (1.0 if phase.decay <= 0 else min(1.0, (1 - step / steps) / phase.decay))

    def _batch(self) -> dict[str, Tensor]:
        chosen = self.order.batch(self.course.place, self.size, self.team.rank, self.team.size)
        self.course.place += 1
        places = self.train_places[torch.from_numpy(chosen).to(self.train_places.device)]
        progress = torch.tensor(self.course.step / self.settings.max_steps, dtype=torch.float32, device=places.device)
        return {**self.rows.take(places), "progress": progress}

    # finite or not

    def _finite(self) -> bool:
        """Whether losses and weights of every worker are finite."""
        weights = [tensor for phase in self.phases for tensor in phase.module.state_dict().values()]
        norms = torch._foreach_norm([tensor for tensor in weights if tensor.is_floating_point()])
        sizes = torch.stack([*(norm.float() for norm in norms), *self.sums.values()])
        bad = (~torch.isfinite(sizes)).any().float().reshape(1)
        return float(self.team.total(bad)) == 0.0

    def _go_back(self) -> None:
        """Return to the last finite state, at half the rate; give up when that did not help."""
        course, safe = self.course, self.safe.meta
        told = f"loss or weights were not finite at step {course.step}"
        if course.rollbacks >= MAX_ROLLBACKS:
            raise StageError(
                f"{told}, though training went back {MAX_ROLLBACKS} times and halved its learning rate each time. "
                "Lower train.learning_rate, or choose another preset."
            )
        rate, rollbacks, notes = course.rate / 2, course.rollbacks + 1, [*course.notes]
        self.restore(self.safe)
        self.course.rate, self.course.rollbacks, self.course.notes = rate, rollbacks, notes
        self._note(f"{told}: went back to step {safe['step']}, at {rate:g} times the learning rate")
        self._keep()

    # quality and variety

    @torch.no_grad()
    def _checked(self) -> tuple[dict[str, Any] | None, np.ndarray | None]:
        """Where a check is due, look at what the averaged weights make, and remember the best."""
        course = self.course
        if course.step % self.settings.check_every and not self._at_end():
            return None, None
        weights = self._kept()
        self.average.load_state_dict(weights)
        check = self.watch.check(self.average.eval())
        quality, variety = self.team.told([check.quality, check.variety], self.settings.device)
        low = variety < MIN_VARIETY and not isinstance(self.model, SumsFitted)  # these get their variety afterwards
        late = course.step >= WARM_UP * self.settings.max_steps
        course.collapsed = course.collapsed + 1 if low and late else 0
        score = [float(low), quality]
        if course.best is None or score < course.best:
            course.best, course.best_at, course.stale = score, [course.attempt, course.step], 0
            self.best = {name: tensor.clone() for name, tensor in weights.items()}
        else:
            course.stale += 1
        losses = {
            name: float(self.team.total(value.clone()) / self.team.size / self.summed)
            for name, value in self.sums.items()
        }
        self.sums, self.summed = {}, 0
        step = course.attempt * self.settings.max_steps + course.step
        record = {"step": step, "attempt": course.attempt, **losses, "quality": quality, "variety": variety}
        course.history.append(record)
        return record, check.picture

    def _kept(self) -> dict[str, Tensor]:
        """The weights that would be saved now: averages of floats, where the model wants them; the rest as it is."""
        kept = self.model.state_dict()
        if self.model.average_decay > 0:
            kept = {
                name: (tensor if tensor.is_floating_point() else kept[name])
                for name, tensor in self.average.state_dict().items()
            }
        return kept

    def _restart(self) -> None:
        """Begin the next attempt, keeping the best weights so far."""
        course, best = self.course, self.best
        self._note(
            f"variety collapsed at step {course.step} of attempt {course.attempt + 1}: kept step {course.best_at[1]}, "
            "and began again at half the learning rate (with another loss, where the model has one)"
        )
        self._begin(course.attempt + 1)
        self.best = best
        self.course = Course(
            attempt=course.attempt + 1,
            rate=course.rate / 2,
            rollbacks=course.rollbacks,
            best=course.best,
            best_at=course.best_at,
            history=course.history,
            notes=course.notes,
        )
        self._keep()

    def _fitted(self) -> Fitted:
        """The best weights, in the model of the attempt that made them."""
        course = self.course
        model = (
            self.model if course.best_at[0] == course.attempt else seeded(self.build, self.settings, course.best_at[0])
        )
        model.load_state_dict(self.best)
        model.requires_grad_(True)
        collapsed, quality = course.best or [0.0, 0.0]
        facts: dict[str, Any] = {
            "steps": course.step,
            "attempts": course.attempt + 1,
            "attempt": course.best_at[0],
            "best_step": course.best_at[1],
        }
        facts |= {"quality": quality, "collapsed": bool(collapsed), "rollbacks": course.rollbacks}
        return Fitted(model, course.history, course.notes, facts)

    # state

    def _trained_names(self) -> list[str]:
        """The model's floating tensors that phases train; others (of a fit by sums that follows) are left alone."""
        seen = {tensor.data_ptr() for phase in self.phases for tensor in phase.module.state_dict().values()}
        state = self.model.state_dict()
        return [name for name, each in state.items() if each.is_floating_point() and each.data_ptr() in seen]

    def _live(self) -> dict[str, Tensor]:
        """All weights in training: the model's, and what phases hold beside them."""
        live = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        seen = {tensor.data_ptr() for tensor in live.values()}
        for phase in self.phases:
            for name, tensor in phase.module.state_dict().items():
                if tensor.data_ptr() not in seen:
                    live[f"phase.{phase.name}.{name}"] = tensor
        return live

    def state(self) -> State:
        """A copy of all that the training needs to go on."""
        tensors = self._live()
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"sums.{name}": value for name, value in self.sums.items()}
        for phase, own, optimiser in zip(self.phases, self.own, self.optimisers, strict=True):
            for place, parameter in enumerate(own):
                for key, value in optimiser.state.get(parameter, {}).items():
                    tensors[f"optimiser.{phase.name}.{place}.{key}"] = value
        meta = copy.deepcopy({**vars(self.course), "summed": self.summed})
        return State({name: tensor.detach().clone() for name, tensor in tensors.items()}, meta)

    def restore(self, state: State) -> None:
        """Go to a state, in place: optimisers and parallel wrappers stay what they are."""
        meta = copy.deepcopy(state.meta)
        summed = meta.pop("summed")
        if meta["attempt"] != self.course.attempt:
            self._begin(meta["attempt"])
        self.course, self.summed = Course(**meta), summed
        part = functools.partial(_part, state.tensors, self.settings.device)
        with torch.no_grad():
            for name, tensor in self._live().items():
                tensor.copy_(state.tensors[name])
        self.average.load_state_dict(part("average."))
        self.best = {name: tensor.clone() for name, tensor in part("best.").items()}
        self.sums = {name: tensor.clone() for name, tensor in part("sums.").items()}
        for phase, own, optimiser in zip(self.phases, self.own, self.optimisers, strict=True):
            optimiser.state.clear()
            for place, parameter in enumerate(own):
                found = part(f"optimiser.{phase.name}.{place}.")
                if found:
                    optimiser.state[parameter] = {key: _laid_like(value, parameter) for key, value in found.items()}


def _laid_like(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy of an optimiser's tensor, in memory as its parameter is: the fused optimiser goes by memory."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value.clone()


def _part(tensors: dict[str, Tensor], device: str, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: tensor.to(device) for name, tensor in tensors.items() if name.startswith(prefix)}


def _decayed(phase: Phase) -> list[dict[str, Any]]:
    """The phase's parameters, as an optimiser takes them: biases say how frequent things are, so they are let be."""
    weights, biases = list[Tensor](), list[Tensor]()
    for name, parameter in phase.module.named_parameters():
        (biases if name.endswith("bias") else weights).append(parameter)
    groups = [(weights, phase.weight_decay), (biases, 0.0)]
    return [{"params": some, "weight_decay": decay} for some, decay in groups if some]


def _chosen(model: nn.Module, names: list[str]) -> list[Tensor]:
    """Some of a model's tensors, sharing its memory."""
    state = model.state_dict()
    return [state[name] for name in names]
