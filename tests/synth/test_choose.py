"""Steps chosen by cross-validation: what helps is taken, what does harm never is, and nothing but train rows counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.schema import Augment
from jobs.check import check_recipe
from synth import choose
from synth.choice import decided, finalists, heard
from synth.choose import joined, told_trial
from synth.decide import Losses
from synth.encode import in_random_order
from synth.held_out import Setting, Trial, tried
from synth.series.judges import fit
from tests.jobs.series.made import recipe, windows
from tests.jobs.series.sliced import LABELS, sliced
from tests.synth.staged import finish
from udfs import records
from udfs.families import children_of

SLICED = {"name": "sliced", "copies": 6, "steps": [{"series.window_slice": {"share": [0.6, 0.95]}}]}
FLIPPED = {"name": "flipped", "copies": 6, "steps": [{"series.channel_flip": {"p": 1.0}}]}
SHUFFLED = {"name": "shuffled", "copies": 6, "steps": [{"series.segment_permutation": {"segments": 12}}]}


def config_of(folder: Path, candidates: Sequence[Any], **parts: Any) -> Config:
    """A recipe of series that chooses among candidates."""
    folder.mkdir(parents=True, exist_ok=True)
    augment = {"choose": "cross_validation", "folds": 3, "repeats": 2, "candidates": list(candidates)}
    told = {"evaluate": {"judges": ["nearest"], "seeds": 1}, "labels": list(LABELS), **parts}
    return recipe(folder, augment=augment | told.pop("augment", {}), **told)


def table(rows: Sequence[tuple[Sequence[float], str]], split: str = "train") -> pa.Table:
    """Real rows as clean leaves them."""
    columns = {
        "row_id": [records.real_id("waves", json.dumps(window).encode()) for window, _ in rows],
        "row_origin": ["real"] * len(rows),
        "row_parents": pa.array([[] for _ in rows], pa.list_(pa.string())),
        "row_split": [split] * len(rows),
        "row_label_source": ["given"] * len(rows),
        "label": [label for _, label in rows],
        "series": pa.array([window for window, _ in rows], pa.list_(pa.float32())),
    }
    return records.with_hashes(records.conform(pa.table(columns), records.series_schema()))


def choice_of(config: Config, rows: pa.Table) -> dict[str, Any]:
    """What the stage decides, without an engine."""
    augment, train = config.recipe.augment, in_random_order(rows)
    assert augment is not None
    folds = range(augment.folds)

    def hear(names: Sequence[str], repeats: range) -> Mapping[str, Losses]:
        trials = [Trial(name, repeat, fold) for name in names for repeat in repeats for fold in folds]
        told = {each: told_trial(each, config, train, None) for each in trials}
        return {name: joined(told, name, repeats, folds, train.num_rows) for name in names}

    return decided(augment, heard(augment, hear), config.recipe.seed)


def test_a_candidate_that_helps_is_taken(tmp_path: Path) -> None:
    """Windows are slices of one pattern a class, so slices of them are more of the same; shuffled ones are not."""
    told = choice_of(config_of(tmp_path, [SHUFFLED, SLICED]), table(sliced(20)))
    assert told["chosen"] == "sliced" and told["plan"]["copies"] == 6
    assert [step["name"] for step in told["plan"]["steps"]] == ["series.window_slice"]
    by = {each["name"]: each for each in told["candidates"]}
    assert by["sliced"]["error"]["nearest"] < by["none"]["error"]["nearest"] and by["sliced"]["interval"][1] <= 0
    assert by["shuffled"]["verdict"] != "better"


def test_candidates_that_destroy_labels_are_never_taken(tmp_path: Path) -> None:
    """A rising window with its sign turned is a falling one: children of the wrong class, so none is chosen."""
    told = choice_of(config_of(tmp_path, [FLIPPED], labels=["rise", "fall"]), table(windows(24)))
    assert told["chosen"] == "none" and told["plan"] is None and "augment makes none" in told["why"]
    assert {each["name"]: each["verdict"] for each in told["candidates"]} == {"none": "chosen", "flipped": "worse"}


def _losses(*errors: Sequence[float]) -> Losses:
    """Of one judge: a sequence a repeat, a number a row."""
    told = {"nearest": np.array(errors, np.float64)}
    return Losses(told, told)


def test_errors_of_one_repeat_are_not_set_beside_those_of_all(tmp_path: Path) -> None:
    """Folds of the first repeat are the easiest here: who was heard in it alone did not do better than a finalist."""
    augment = config_of(tmp_path, [SLICED, SHUFFLED]).recipe.augment
    assert augment is not None
    easy, hard = [1.0] * 40 + [0.0] * 60, [1.0] * 80 + [0.0] * 20
    found = {
        "none": _losses(easy, hard),
        "sliced": _losses([0.0] * 100, [1.0] * 40 + [0.0] * 60),  # 0.2 in all
        "shuffled": _losses([1.0] * 10 + [0.0] * 90),  # 0.1, in the first repeat alone
    }
    told = decided(augment, found, seed=1)
    assert {each["name"]: each["verdict"] for each in told["candidates"]}["shuffled"] == "better"
    assert told["chosen"] == "sliced"


def test_windows_of_one_stretch_do_not_make_a_choice_sure(tmp_path: Path) -> None:
    """Ten recordings of twenty windows: three fewer are told wrong and two more, which is no clear gain."""
    augment = config_of(tmp_path, [SLICED]).recipe.augment
    assert augment is not None
    wrong = np.repeat([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0], 20)
    found = {"none": _losses(wrong), "sliced": _losses(np.repeat([0.0, 0, 0, 1, 1, 0, 0, 0, 0, 0], 20))}
    assert decided(augment, found, seed=1)["chosen"] == "sliced"
    assert decided(augment, found, seed=1, groups=np.repeat(np.arange(10), 20))["chosen"] == "none"


def test_nothing_of_the_fold_that_is_left_out_is_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its rows nor their children, nor children that were mixed with them."""
    mixed = {"name": "mixed", "copies": 3, "steps": [{"series.interpolate": {"partners": "any", "p": 1.0}}]}
    config, train = config_of(tmp_path, [mixed]), in_random_order(table(sliced(20)))
    learned: list[set[str]] = []

    def heard_of(kind: str, rows: Any, *more: Any) -> Any:
        learned.append({window.tobytes() for window in rows.windows[rows.real_mask()]})
        bred.append(set(rows.group_codes()[~rows.real_mask()].tolist()))
        return fit(kind, rows, *more)

    bred: list[set[int]] = []
    parents: list[set[str]] = []
    monkeypatch.setattr("synth.series.judges.fit", heard_of)
    monkeypatch.setattr("synth.held_out.children_of", lambda known, *more: _noted(parents, known, *more))
    whole = Setting(config, None).pool(train, {})
    ids, codes = np.array(train.column("row_id").to_pylist()), whole.rows.group_codes()
    for fold in range(3):
        held, _ = tried(Trial("mixed", 0, fold), config, train, None)
        others = np.setdiff1d(np.arange(20), held)
        assert parents[-1] == set(ids[others]) and bred[-1] == set(codes[others].tolist())
        assert learned[-1] == {whole.rows.windows[place].tobytes() for place in others}


def _noted(parents: list[set[str]], known: pa.Table, *more: Any) -> list[pa.Table]:
    """The children, their parents noted."""
    made = list(children_of(known, *more))
    parents.append({parent for part in made for some in part.column("row_parents").to_pylist() for parent in some})
    return made


def staged(config: Config, rows: pa.Table) -> Config:
    """Finish the stages before choose. Rows of other splits cannot even be read."""
    assert config.recipe.data is not None
    Path(config.recipe.data, "waves.jsonl").write_text("")
    finish(config, "ingest", "", {}, {})
    finish(config, "clean", "", {"rows/row_split=train": rows}, {"splits": {"train": {"up": 10, "down": 10}}})
    clean = runs.done(config, "clean")
    assert clean is not None
    for split in ("val", "test", "reserve"):
        other = Path(clean.folder) / f"rows/row_split={split}"
        other.mkdir(parents=True)
        (other / "part-00000.parquet").write_bytes(b"not for choose")
    return config


def ran(session: Any, config: Config) -> dict[str, Any]:
    """Run the stage; what it wrote."""
    place = runs.locate(config, "choose")
    choose.run(session, config)
    told = runs.read_json(place.folder, runs.CHOICE)
    assert isinstance(told, dict)
    return told


def test_the_choice_is_the_same_however_it_is_made(ray_session: Any, tmp_path: Path) -> None:
    """By other workers, of other files, with rows in another order, and after a stop; test rows are not touched."""
    rows = table(sliced(20))
    first = staged(config_of(tmp_path / "a", [SHUFFLED, SLICED]), rows)
    told = ran(ray_session, first)
    assert told["chosen"] == "sliced" and told == {
        **choice_of(first, rows),
        "rows": 20,
        "of": 20,
        "folds": 3,
        "repeats": 2,
    }
    turned = staged(config_of(tmp_path / "b", [SHUFFLED, SLICED]), rows.take(pa.array(range(19, -1, -1))))
    judge = turned.runtime.judge.model_copy(update={"tasks": 1})
    turned = Config(turned.recipe, turned.runtime.model_copy(update={"judge": judge}), turned.tables, turned.files, "b")
    assert ran(ray_session, turned) == told
    trials = sorted((Path(runs.locate(first, "choose").folder) / "trials").iterdir())
    assert len(trials) == 3 * 3 * 2 == choose.planned(first.recipe.augment)  # type: ignore[arg-type]
    kept = {each: each.stat().st_mtime_ns for each in trials[::2]}
    for each in trials[1::2]:
        each.unlink()
    assert ran(ray_session, first) == told
    assert {each: each.stat().st_mtime_ns for each in kept} == kept  # finished trials are not made again


def test_a_choice_of_none_is_a_digest_of_its_own_and_other_candidates_change_nothing(
    ray_session: Any, tmp_path: Path
) -> None:
    """Augment runs again where the steps that were chosen changed, not where the list that lost did."""
    rows = table(sliced(20))
    outputs = []
    for number, candidates in enumerate(([SLICED], [SHUFFLED, SLICED], [SHUFFLED])):
        config = staged(config_of(tmp_path / str(number), candidates), rows)
        place = runs.locate(config, "choose")
        runs.finish(place, choose.run(ray_session, config), 0.1)
        assert (runs.augment_of(config) is None) == (number == 2)
        outputs.append(runs.locate(config, "augment").reads["choose.choice"])
        assert runs.locate(config, "augment").parts["augment"] is None
    assert outputs[0] == outputs[1] != outputs[2]


def found(wrong: float, brier: float, rows: int = 60, seeds: int = 2) -> Losses:
    """Made-up losses: so large a share of the rows is wrong."""
    errors = np.zeros((seeds, rows))
    errors[:, : round(wrong * rows)] = 1
    return Losses({"a": errors, "b": errors}, {"a": np.full((seeds, rows), brier), "b": np.full((seeds, rows), brier)})


def augment_of(*names: str, repeats: int = 2) -> Augment:
    """Candidates without differences."""
    candidates = [{"name": name, "steps": [{"name": "series.jitter"}]} for name in names]
    return Augment.model_validate({"choose": "cross_validation", "candidates": candidates, "repeats": repeats})


def test_better_must_be_clear_and_no_judge_may_suffer() -> None:
    base = found(0.4, 0.5)
    little, clear = found(0.383, 0.5), found(0.2, 0.4)
    harmed = Losses({**clear.wrong}, {"a": clear.brier["a"] - 0.3, "b": base.brier["b"] + 0.05})
    said = decided(augment_of("little", "harmed"), {"none": base, "little": little, "harmed": harmed}, 1)
    assert said["chosen"] == "none"
    assert [each["verdict"] for each in said["candidates"]] == ["chosen", "not_better", "worse"]
    best = found(0.1, 0.4)
    said = decided(augment_of("clear", "best"), {"none": base, "clear": clear, "best": best}, 1)
    assert said["chosen"] == "best" and [each["verdict"] for each in said["candidates"]][1:] == ["better", "chosen"]


def test_after_the_first_repeat_the_best_few_go_on() -> None:
    asked: list[tuple[list[str], range]] = []
    errors = {"none": 0.4, "a": 0.5, "b": 0.1, "c": 0.3, "d": 0.2, "e": 0.6}

    def hear(names: Sequence[str], repeats: range) -> Mapping[str, Losses]:
        asked.append((list(names), repeats))
        return {name: found(errors[name], 0.1, seeds=len(repeats)) for name in names}

    told = heard(augment_of("a", "b", "c", "d", "e", repeats=3), hear)
    assert asked == [(["none", "a", "b", "c", "d", "e"], range(1)), (["none", "b", "c", "d"], range(1, 3))]
    assert {name: each.seeds for name, each in told.items()} == {"none": 3, "a": 1, "b": 3, "c": 3, "d": 3, "e": 1}
    assert finalists(["a", "b"], told) == ["a", "b"]


@pytest.mark.parametrize(
    ("augment", "said"),
    [
        ({"candidates": []}, "names none"),
        ({"candidates": [{"name": "none", "steps": ["series.jitter"]}]}, "none is always a candidate"),
        ({"candidates": [SLICED, SLICED]}, "two candidates are named sliced"),
        ({"steps": ["series.jitter"]}, "steps belong under candidates"),
        ({"choose": "by_luck"}, r"augment\.choose"),
        ({"choose": None, "candidates": [SLICED]}, "goes with choose"),
        ({"folds": 15}, "15 folds, which need 30 train rows, and split.train is 20"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused_when_the_recipe_is_read(
    tmp_path: Path, augment: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        config_of(tmp_path, [SLICED], augment=augment)


@pytest.mark.parametrize("name", ["digits", "robot-failures"])
def test_a_recipe_as_the_report_shows_it_is_the_same_recipe(config_for: Any, name: str) -> None:
    recipe = config_for(name).recipe
    assert type(recipe).model_validate(recipe.model_dump(mode="json")) == recipe


def test_auto_is_the_only_word(config_for: Any) -> None:
    with pytest.raises(RecipeError, match=r"augment is 'atuo', and may be steps, .* or the word auto"):
        config_for("digits", "augment=atuo")


@pytest.mark.parametrize("name", ["movielens", "captioned-digits"])
def test_auto_is_refused_where_no_steps_are_chosen(config_for: Any, name: str) -> None:
    with pytest.raises(RecipeError, match="are not chosen by trials: name them under steps"):
        config_for(name, "augment=auto")


def test_labels_that_are_made_before_steps_are_chosen_need_steps_of_their_own(config_for: Any) -> None:
    with pytest.raises(RecipeError, match=r"name them under augment\.steps"):
        config_for("mnist-1000-unlabelled", "augment=auto")


def test_a_wrong_step_is_told_by_its_place_before_an_engine_starts(tmp_path: Path) -> None:
    (tmp_path / "waves.jsonl").write_text("")
    wrong = {"name": "wrong", "steps": ["series.jitter", "series.jiter"]}
    with pytest.raises(RecipeError, match=r"augment\.candidates\[1\]\.steps\[1\]: series\.jiter .*series\.jitter"):
        check_recipe(config_of(tmp_path, [SLICED, wrong]))


def test_auto_has_candidates_of_every_modality(config_for: Any) -> None:
    """Each shipped recipe may say `augment: auto`, and every step of its candidates is one."""
    from udfs.families import family_of

    for name in ("digits", "adult", "sms-spam", "robot-failures"):
        config = config_for(name, "augment=auto")
        assert config.recipe.augment.choose and len(config.recipe.augment.candidates) >= 3
        for each in config.recipe.augment.candidates:
            family_of(config.recipe).compiled(config.recipe, each.steps)


def test_too_few_rows_that_are_unlike_are_told_in_a_sentence(ray_session: Any, tmp_path: Path) -> None:
    rows = table(sliced(5))
    config = staged(config_of(tmp_path, [SLICED], split={"train": 0.5, "val": 0.1, "rest": "test"}), rows)
    with pytest.raises(StageError, match=r"3 folds need 6 train rows .* there are 5: raise split.train"):
        choose.run(ray_session, config)
