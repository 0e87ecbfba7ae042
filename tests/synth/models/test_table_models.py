"""What every generator of tables keeps, whatever is inside: shares, dependence, what is given, what is ruled out."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from conf.schema import TABLE_MODELS
from synth.fit import Settings, fit
from synth.models import SumsFitted
from synth.models.drawing import Drawer
from synth.tables.fitting import TableRows
from synth.tables.tokens import TableTokens, measure
from tests.synth.tables.mixtures import FORM, matrix, shape_of

ROWS = 2000
SMALL: dict[str, tuple[dict[str, Any], int]] = {  # options, steps
    "table_ar": ({"hidden": 32, "embedding": 8, "cosines": 8}, 600),
    "table_mixture": ({"components": 60}, 1),
    "table_vae": ({"hidden": 64, "embedding": 8, "code": 8, "components": 16, "learning_rate": 5e-3}, 500),
    "table_gan": ({"hidden": 64, "noise": 16, "batch_size": 256}, 700),
}


@dataclasses.dataclass
class Learnt:
    """A model that saw `matrix(ROWS)`."""

    name: str
    tokens: TableTokens
    model: Any
    facts: dict[str, Any]

    @property
    def drawer(self) -> Drawer:
        return self.model.drawer([torch.from_numpy(column.count > 0) for column in self.tokens.columns])

    def draw(self, rows: int, given: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
        """Rows of the same numbers each time."""
        uniforms, noise = numbers(rows, len(self.tokens.columns), self.drawer.noise_width)
        return self.drawer.sample(uniforms, given, noise=noise, **options)


def numbers(rows: int, columns: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(5)
    uniforms = torch.from_numpy(random.random((rows, columns)))
    return uniforms, torch.from_numpy(random.standard_normal((rows, width))).float()


@pytest.fixture(scope="module", params=TABLE_MODELS)
def learnt(request: pytest.FixtureRequest) -> Learnt:
    options, steps = SMALL[request.param]
    return trained(request.param, steps, **options)


def trained(name: str, steps: int, **options: Any) -> Learnt:
    module = importlib.import_module(f"synth.models.{name}")
    config = dataclasses.replace(next(iter(module.PRESETS.values())), **options)
    rows = matrix(ROWS)
    tokens = measure(rows, FORM)
    coded, shape = torch.from_numpy(tokens.encode(rows)), shape_of(tokens, rows)
    settings = Settings(max_steps=steps, batch_size=getattr(config, "batch_size", 128), quality_every=100, seed=3)
    labels = torch.from_numpy(rows[:, FORM.label_place].astype(np.int64))
    fitted = fit(lambda attempt: module.build(config, shape), TableRows(coded, labels), settings=settings)
    return Learnt(name, tokens, fitted.model.eval().requires_grad_(False), fitted.facts)


def test_drawn_rows_are_like_real_ones(learnt: Learnt) -> None:
    """Shares of categories, of holes and of an inflated zero, and how age goes with kind."""
    drawn = learnt.draw(8000).numpy()
    made, real = learnt.tokens.decode(drawn, np.full(drawn.shape, 0.5)), matrix(8000, seed=3)
    loose = 2.0 if learnt.name == "table_gan" else 1.0
    for place in (0, 6):
        shares = [np.bincount(rows[:, place].astype(int), minlength=3) / 8000 for rows in (made, real)]
        assert np.abs(shares[0] - shares[1]).max() < 0.05 * loose
    for kind in range(3):
        ages = [np.nanmean(rows[rows[:, 0] == kind, 3]) for rows in (made, real)]
        assert abs(ages[0] - ages[1]) < 2.5 * loose
    assert abs(np.isnan(made[:, 3]).mean() - 0.1) < 0.03 * loose
    assert abs((made[:, 2] == 0).mean() - 0.9) < 0.03 * loose


def test_rows_follow_from_their_own_numbers_alone(learnt: Learnt) -> None:
    """Drawn in blocks of any size, none of 8,000 rows differs."""
    whole = learnt.draw(8000)
    uniforms, noise = numbers(8000, len(learnt.tokens.columns), learnt.drawer.noise_width)
    for size in (37, 1000):
        parts = zip(uniforms.split(size), noise.split(size), strict=True)
        again = torch.cat([learnt.drawer.sample(part, noise=own) for part, own in parts])
        assert int((again != whole).any(1).sum()) == 0


def test_given_columns_stay_and_the_others_follow_them(learnt: Learnt) -> None:
    """Asked for the label, then for the first column: the other way round than they are drawn."""
    label, real = len(learnt.tokens.columns) - 1, matrix(8000, seed=1)
    loose = 0.12 if learnt.name == "table_gan" else 0.07
    for asked, told in ((label, 0), (0, label)):
        given = torch.full((6000, label + 1), -1)
        given[::2, asked], given[1::2, asked] = 0, 1
        drawn = learnt.draw(6000, given)
        assert torch.equal(drawn[:, asked], given[:, asked])
        place, other = (learnt.tokens.places[each] for each in (asked, told))
        for value in (0, 1):
            expected = (real[real[:, place] == value, other] == 0).mean()
            found = (drawn[given[:, asked] == value, told] == 0).float().mean().item()
            assert found == pytest.approx(expected, abs=loose)


def test_holes_are_filled_in_any_pattern_and_nothing_else_is_touched(learnt: Learnt) -> None:
    rows = torch.from_numpy(learnt.tokens.encode(matrix(1000)))
    holes = torch.rand(rows.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    filled = learnt.draw(1000, torch.where(holes, -1, rows))
    assert torch.equal(filled[~holes], rows[~holes])
    assert (filled >= 0).all() and (filled < torch.tensor(learnt.tokens.sizes)).all()


def test_tokens_that_no_train_row_had_or_that_are_ruled_out_are_never_drawn(learnt: Learnt) -> None:
    def narrow(column: int, so_far: torch.Tensor) -> torch.Tensor | None:
        return torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0]]) if column == 0 else None

    uniforms, noise = numbers(5000, len(learnt.tokens.columns), learnt.drawer.noise_width)
    uniforms[:50], uniforms[50:100] = 0.0, 1 - 2**-53
    drawn = learnt.drawer.sample(uniforms, narrow=narrow, noise=noise)
    assert set(drawn[:, 0].tolist()) == {1}
    for column, each in enumerate(learnt.tokens.columns):
        assert (each.count[drawn[:, column].numpy()] > 0).all()


def test_a_fit_is_watched_and_the_watch_tells_a_learnt_model_from_an_unlearnt_one(learnt: Learnt) -> None:
    """The kept state's quality is better than that of a model of one step (or one component)."""
    if learnt.name == "table_mixture":
        worse = trained(learnt.name, 1, components=1)
    else:
        worse = trained(learnt.name, 1, **SMALL[learnt.name][0])
    assert np.isfinite(learnt.facts["quality"])
    assert learnt.facts["quality"] < worse.facts["quality"]


def test_sums_of_a_mixture_add_up_over_any_split_of_the_rows() -> None:
    """So that workers may share the rows; and a round of EM never lowers the likelihood by more than its prior."""
    from synth.models.table_mixture import Config, build

    rows = matrix(600)
    tokens = measure(rows, FORM)
    coded, index = torch.from_numpy(tokens.encode(rows)), torch.arange(600)
    model = build(Config(components=20), shape_of(tokens, rows))
    assert isinstance(model, SumsFitted)
    likely = []
    for _ in range(6):
        whole = model.accumulate({"tokens": coded, "index": index})
        parts = [
            model.accumulate({"tokens": coded[part], "index": index[part]})
            for part in (slice(0, 71), slice(71, 72), slice(72, 600))
        ]
        for name, total in whole.items():
            torch.testing.assert_close(sum(part[name] for part in parts), total)
        model.update(whole)
        likely.append(float(model.log_likelihood(coded).mean()))
    assert likely[-1] > likely[0] + 0.1
    assert all(after > before - 0.02 for before, after in itertools.pairwise(likely))


def test_a_column_of_a_mixture_is_drawn_as_the_joint_likelihood_says() -> None:
    """Each column in turn, all others known."""
    learnt = trained("table_mixture", 1, components=60)
    rows = torch.from_numpy(learnt.tokens.encode(matrix(40)))
    for column in range(rows.shape[1]):
        known = torch.ones(rows.shape, dtype=torch.bool)
        known[:, column] = False
        told = learnt.drawer.logits(column, rows, known, None).double()
        assert told.exp().sum(1).numpy() == pytest.approx(1.0, abs=1e-4)
        alone = []
        for token in range(learnt.tokens.sizes[column]):
            every = rows.clone()
            every[:, column] = token
            alone.append(learnt.model.log_likelihood(every))
        joint = torch.stack(alone, 1)
        torch.testing.assert_close(told, joint - joint.logsumexp(1, keepdim=True), atol=1e-4, rtol=1e-4)
