"""The one training loop, in two forms: phases (gradient steps) and sums (rounds over all rows). Torch only.

A training is a function of seed, rows, settings and the number of workers. Everything that it needs to go on lies
in its `State`: weights, optimisers, averages, the place in the data order, history. Random draws within a step are
seeded by the step, so the step *is* the state of the generator, on every worker. A resumed training ends in the
same weights, byte for byte.

Held-out quality decides which weights are kept, never the loss. Weights that are not finite are never kept:
training goes back to the last finite state, slower. Variety that collapses is answered by starting again, with what
`build` offers for the next attempt.
"""

from __future__ import annotations

from synth.fit.phases import PhasesFit
from synth.fit.sums import fit_by_sums
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
    exactly,
    hold_out,
    mixed,
    seeded,
)
from synth.models import SumsFitted, Trained


def fit(
    build: Build,
    rows: Rows,
    *,
    settings: Settings,
    resume: State | None = None,
    report: Report = lambda event: None,
    wrap: Wrap = lambda module: module,
) -> Fitted:
    """Train the model of `build(attempt)` on rows: by phases, by sums, or by phases and then by sums.

    `wrap` puts each phase's module under data parallelism; `report` hears of each step on every worker. Raises
    StageError where weights stop being finite again and again.
    """
    team = Team()
    with exactly(settings.threads):
        rows = rows.to(settings.device)
        phases_done = resume is not None and resume.meta["form"] == "sums"
        model = seeded(build, settings, resume.meta["attempt"] if resume and phases_done else 0)
        fitted = Fitted(model, [], [], {})
        if isinstance(model, Trained) and not phases_done:
            fitted = PhasesFit(build, rows, settings, team, wrap, report).run(resume)
        if isinstance(fitted.model, SumsFitted):
            fitted = fit_by_sums(fitted, rows, settings, team, report, resume if phases_done else None)
        fitted.model.eval()
    return fitted


__all__ = [
    "Build", "Event", "Fitted", "Report", "Rows", "Settings", "State", "Team", "Wrap",
    "exactly", "fit", "hold_out", "mixed",
]  # fmt: skip
