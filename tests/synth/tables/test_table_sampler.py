"""Rows of tables from a checkpoint: a function of their id, within the rules, and no key copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from conf import Config, runs
from conf.errors import RecipeError, StageError
from synth import checkpoint
from synth.tables.likelihood import likelihood_of
from synth.tables.sampler import BLOCK, Sampler
from synth.tables.sampling import planned
from synth.work import work
from tests.synth.tables.learnt import RECIPE, config_at, job_at, lay_down, learnt, people
from udfs import records
from udfs.table.form import to_matrix


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_at(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def folder(config: Config) -> str:
    return learnt(config, 2500)


def test_rows_do_not_depend_on_the_range_that_was_asked_for(folder: str) -> None:
    sampler = Sampler(folder)
    whole = sampler("", 0, 2 * BLOCK + 100)
    for start, stop in ((0, 1), (5, 70), (BLOCK - 1, BLOCK + 1), (BLOCK, 2 * BLOCK), (7, 7)):
        assert sampler("", start, stop).equals(whole.slice(start, stop - start))
    before = torch.get_num_threads()
    torch.manual_seed(5)
    torch.set_num_threads(2)
    assert Sampler(folder)("", 100, 200).equals(whole.slice(100, 100))
    torch.set_num_threads(before)


def test_rows_say_what_they_are(config: Config, folder: str) -> None:
    sampler = Sampler(folder)
    rows = sampler("yes", 3, 9)
    assert rows.schema.equals(records.row_schema(config.recipe))
    assert rows.column("pays").to_pylist() == ["yes"] * 6
    first = rows.slice(0, 1).to_pylist()[0]
    assert first["row_source"] == f"checkpoint {sampler.id}, label yes, index 3"
    assert (first["row_origin"], first["row_split"], first["row_label_source"]) == ("synthetic", "train", "generator")
    assert first["row_parents"] == [] and first["row_flags"] == [] and first["row_group"] is None
    assert rows.column("row_id").to_pylist() == sampler.ids("yes", 3, 9).to_pylist()
    assert all(each.startswith(sampler.maker) for each in rows.column("row_id").to_pylist())
    assert rows.column("row_hash").to_pylist() == records.row_hashes(rows).to_pylist()
    assert len(set(sampler.ids("yes", 0, 500).to_pylist()) | set(sampler.ids("no", 0, 500).to_pylist())) == 1000


QUICK = {
    "table_mixture": "{model: table_mixture, options: {components: 40}, rows: {like: train}}",
    "table_vae": "{model: table_vae, options: {hidden: 48, code: 8}, rows: {like: train}, train: {max_steps: 60}}",
    "table_gan": "{model: table_gan, options: {hidden: 48}, rows: {like: train}, train: {max_steps: 40}}",
}


@pytest.mark.parametrize("model", QUICK)
def test_every_generator_keeps_to_rules_conditions_and_identity(model: str, tmp_path: Path) -> None:
    """A checkpoint of each, however little it learnt: `begin <= end`, what is asked for, and rows by their ids."""
    start = RECIPE.index("  - {model: table_ar")
    config = config_at(tmp_path, (RECIPE[start:].strip(), f"- {QUICK[model]}"))
    folder = learnt(config, 1200)
    asked = Sampler(folder, where="age>=40,town=t0")
    rows = asked("yes", 0, BLOCK + 50)
    assert set(rows.column("town").to_pylist()) == {"t0"} and set(rows.column("pays").to_pylist()) == {"yes"}
    assert set(rows.column("region").to_pylist()) == {"r0"}
    assert pc.min(rows.column("age")).as_py() >= 40
    free = Sampler(folder)
    every = free("", 0, BLOCK + 50)
    for each in (rows, every):
        assert pc.all(pc.less_equal(each.column("begin"), each.column("end"))).as_py()
    assert free("", BLOCK - 5, BLOCK + 9).equals(every.slice(BLOCK - 5, 14))
    assert len(set(every.column("row_hash").to_pylist())) > 900


def test_keys_are_new_and_unmodelled_columns_are_empty(folder: str) -> None:
    rows = Sampler(folder)("", 0, 3000)
    keys = rows.column("key").to_pylist()
    assert len(set(keys)) == 3000 and not set(keys) & set(people(2500).column("key").to_pylist())
    assert rows.column("note").null_count == 3000


def test_made_rows_keep_what_columns_keep(folder: str) -> None:
    """Regions go with towns, begin is never after end, bounds, decimals and frequent zeros stay."""
    rows, real = Sampler(folder)("", 0, 6000), people(2500)
    pairs, known = (
        {(row["town"], row["region"]) for row in each.select(["town", "region"]).to_pylist()} for each in (rows, real)
    )
    assert pairs <= known
    begin, end = (rows.column(name).to_numpy() for name in ("begin", "end"))
    assert (begin <= end).all()
    assert np.array_equal(np.round(begin, 1), begin) and np.array_equal(np.round(end, 1), end)
    ages = rows.column("age").drop_null().to_numpy()
    assert ages.min() >= 17 and ages.max() <= 90 and abs(rows.column("age").null_count / 6000 - 0.1) < 0.04
    assert abs((rows.column("gain").to_numpy() == 0).mean() - 0.9) < 0.04
    assert (
        rows.column("born").type == pa.date32()
        and pc.min(rows.column("born")).as_py() >= pc.min(real.column("born")).as_py()
    )


def test_words_that_the_vocabulary_lacks_are_made_as_themselves(folder: str) -> None:
    towns = Sampler(folder)("", 0, 4000).column("town").to_pylist()
    assert "__other__" not in towns and set(towns) - {"t0", "t1", "t2"}
    assert abs(towns.count("t0") / 4000 - 0.3) < 0.06


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("town=t2", lambda row: row["town"] == "t2"),
        ("town=t2|t3,age>=40", lambda row: row["town"] in ("t2", "t3") and row["age"] >= 40),
        ("region=r1", lambda row: row["region"] == "r1"),
        ("begin>11.05,begin<=12", lambda row: 11.05 < row["begin"] <= 12),
        ("age=?", lambda row: row["age"] is None),
        ("age!=?,pays!=no", lambda row: row["age"] is not None and row["pays"] == "yes"),
        ("born<2003-06-01", lambda row: str(row["born"]) < "2003-06-01"),
    ],
)
def test_every_row_meets_what_was_asked_for(folder: str, where: str, holds: object) -> None:
    sampler = Sampler(folder, where=where)
    rows = sampler("", 0, 600).to_pylist()
    assert all(holds(row) for row in rows)  # type: ignore[operator]
    assert all(row["begin"] <= row["end"] for row in rows)
    assert sampler.maker != Sampler(folder).maker


def test_what_is_asked_for_reaches_the_columns_that_are_drawn_before(folder: str) -> None:
    """The town comes before the label in the table, and still follows from it."""
    real = people(20_000, seed=4)
    for label in ("no", "yes"):
        made = Sampler(folder, where=f"pays={label}")("", 0, 3000).column("town").to_pylist()
        theirs = real.filter(pc.equal(real.column("pays"), label)).column("town").to_pylist()
        for town in ("t0", "t2"):
            assert abs(made.count(town) / 3000 - theirs.count(town) / len(theirs)) < 0.08


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("height>3", "no column"),
        ("town=t77", "never 't77'"),
        ("town>t1", "no order"),
        ("age>200", "no train row"),
        ("begin=abc", "is no number"),
        ("born!=2003-06-01", "in bins"),
    ],
)
def test_what_cannot_be_met_is_refused_in_a_sentence(folder: str, where: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        Sampler(folder, where=where)


def test_holes_are_filled_with_what_goes_with_the_rest(folder: str) -> None:
    sampler = Sampler(folder)
    rows = to_matrix(people(3000, seed=8), sampler.form)
    holed = rows.copy()
    holed[:, 0] = np.nan  # the town; its region stays
    ids = sampler.ids("", 0, 3000)
    filled = sampler.impute(holed, ids)
    assert np.array_equal(filled[~np.isnan(holed)], holed[~np.isnan(holed)]) and not np.isnan(filled).any()
    assert (filled[:, 0].astype(int) % 3 == rows[:, 1].astype(int)).mean() > 0.97
    assert np.array_equal(sampler.impute(holed[:50], ids.slice(0, 50)), filled[:50], equal_nan=True)


def test_rows_made_around_given_values_keep_them_and_may_miss_the_others(folder: str) -> None:
    sampler = Sampler(folder)
    rows = to_matrix(people(3000, seed=8), sampler.form)
    names = [column.name for column in sampler.form.modelled]
    ids = sampler.ids("", 0, 3000)
    given = np.array([name in ("age", "begin") for name in names])
    made = sampler.complete(rows, given, ids)
    assert np.array_equal(made[:, given], rows[:, given], equal_nan=True)  # missing ages are missing again
    assert (made[:, names.index("end")] >= made[:, names.index("begin")]).all()
    assert np.array_equal(sampler.complete(rows[:50], given, ids.slice(0, 50)), made[:50], equal_nan=True)
    around = sampler.complete(rows, np.array([name == "pays" for name in names]), ids)
    missing = np.isnan(around).mean(0)
    assert 0.05 < missing[names.index("age")] < 0.15 and not np.delete(missing, names.index("age")).any()


def test_unlikely_rows_are_told_from_real_ones(folder: str) -> None:
    likelihood = likelihood_of(folder, 1)
    assert likelihood is not None
    sampler = Sampler(folder)
    rows = to_matrix(people(800, seed=3), sampler.form)
    false = np.stack([np.random.default_rng(c).permutation(rows[:, c]) for c in range(rows.shape[1])], 1)
    assert likelihood(rows).mean() > likelihood(false).mean() + 0.3
    assert np.isfinite(likelihood(rows)).all()
    measured = rows.copy()
    measured[:, 0] = np.minimum(rows[:, 0], 3)  # as judges code them, whose vocabulary is that of normalize
    assert np.isfinite(likelihood(measured)).all()


def test_likelihood_of_a_checkpoint_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert likelihood_of(str(tmp_path), 1) is None


def test_a_label_that_the_model_does_not_know_is_refused(folder: str) -> None:
    with pytest.raises(StageError, match="maybe"):
        Sampler(folder)("maybe", 0, 1)


def test_a_checkpoint_has_neither_pickles_nor_keys_of_the_train_rows(folder: str) -> None:
    files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    assert set(files) == {checkpoint.WEIGHTS, checkpoint.CARD, checkpoint.MANIFEST}
    assert b"k2499" not in files[checkpoint.CARD] and b"private" not in files[checkpoint.CARD]


def test_plans_follow_the_train_rows_or_ask_for_labels(config: Config) -> None:
    rows = lay_down(config, people(800))[0]
    generator = config.recipe.generate[0]
    counts = pc.value_counts(people(800).column("pays")).to_pylist()
    real = {each["values"]: each["counts"] for each in counts}

    def plan(**said: object) -> dict[str, int]:
        asked = generator.rows.model_copy(update={"like": None, **said})
        return planned(config, generator.model_copy(update={"rows": asked}), rows)

    assert plan(like="train") == {"": 800} and plan(like="train", total=30) == {"": 30}
    assert plan(factor=0.5) == {"": 400}
    assert plan(per_label={"yes": 5}) == {"no": 0, "yes": 5}
    assert plan(balance="majority") == {label: max(real.values()) - count for label, count in sorted(real.items())}
    assert plan(hard=3) == {"": 3}


def test_a_number_as_label_has_no_classes_to_plan_by(tmp_path: Path) -> None:
    changes = (
        ('task: {kind: classification, label: pays, classes: ["no", "yes"]}', "task: {kind: regression, label: end}"),
    )
    config = config_at(tmp_path, *changes)
    generator = config.recipe.generate[0]
    rows = lay_down(config, people(60))[0]
    assert planned(config, generator, rows) == {"": 60}
    by_label = generator.model_copy(update={"rows": generator.rows.model_copy(update={"per_label": 3, "like": None})})
    with pytest.raises(RecipeError, match="is a number"):
        planned(config, by_label, rows)


def test_a_class_without_train_rows_is_told_at_once(tmp_path: Path) -> None:
    config = config_at(tmp_path, ('["no", "yes"]', '["no", "yes", "maybe"]'))
    job = job_at(config, 60)
    work(job)
    assert "maybe" in runs.read_json(job.folder, "fitted.json")["error"]
