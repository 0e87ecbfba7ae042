"""The verdicts on made rows: by judges that have not seen the parents, and refused where they do harm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import Config, runs
from synth import score
from synth.arms import Pool, merged, parents_of, read_pool, real_pool, to_pool
from synth.decide import compare, losses
from synth.duty import Duty, answered
from synth.encode import list_files
from synth.judges.folds import folds
from synth.usefulness import usefulness
from synth.verdicts import Bench, opinions
from tests.synth import staged


def asker(pools: dict[str, Pool], val: Pool) -> Any:
    """Trains judges here, without Ray."""

    def ask(duties: Sequence[Duty]) -> list[Any]:
        return [
            answered(duty, val.rows.images, tuple(duty.places), *(pools[name] for name in duty.places))
            for duty in duties
        ]

    return ask


def judged(config: Config, **made: Any) -> dict[str, Any]:
    """usefulness.json for these tables of made rows."""
    real = staged.real_tables()
    train, val = (to_pool(real[split], config, {}) for split in ("train", "val"))
    pools = {key.replace("_", "."): to_pool(rows, config, parents_of(train)) for key, rows in made.items()}
    pools = {key: merged([pool], config) for key, pool in pools.items()}
    return usefulness(config, val, pools, asker({"real": train, **pools}, val))


def shuffled(labels: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).permutation(labels)


def test_good_rows_are_kept_and_rows_with_shuffled_labels_are_refused_as_worse(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    _, labels = staged.digits()
    good = judged(config, augment=staged.children(), sample_made=staged.generated())
    assert good["augmented"]["verdict"] == "kept"
    assert good["generated"]["made"]["verdict"] == "kept"
    assert good["generated"]["made"]["share"] > 0

    false = judged(config, augment=staged.children(), sample_made=staged.generated(shuffled(labels[1300:1700])))
    assert false["augmented"]["verdict"] == "kept"
    assert false["generated"]["made"]["verdict"] == "worse"
    assert false["generated"]["made"]["below"] == "0" * 24, "no row's hash lies below it"
    assert {"augment": 1.0, "sample.made": 0.3} in [each["made"] for each in false["candidates"]], "less was tried"

    false = judged(config, augment=staged.children(shuffled(np.tile(labels[:100], 4))), sample_made=staged.generated())
    assert false["augmented"]["verdict"] == "worse"
    assert false["generated"]["made"]["verdict"] == "kept", "judged without the augmented rows that do harm"


@pytest.mark.parametrize("kind", ["svc", "linear"])
def test_shuffled_labels_are_refused_whoever_judges(tmp_path: Path, kind: str) -> None:
    config = staged.config_at(tmp_path, ("judges: [cnn]", f"judges: [{kind}]"))
    _, labels = staged.digits()
    told = judged(config, sample_made=staged.generated(shuffled(labels[1300:1700])))
    assert told["generated"]["made"]["verdict"] == "worse"


def test_report_mode_says_worse_and_refuses_nothing(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path, ("usefulness: not_worse", "usefulness: report"))
    _, labels = staged.digits()
    told = judged(config, sample_made=staged.generated(shuffled(labels[1300:1700])))
    assert told["generated"]["made"]["verdict"] == "worse"
    assert told["generated"]["made"]["below"] is None


def test_none_is_always_among_the_candidates(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    told = judged(config, augment=staged.children(), sample_made=staged.generated())
    made = [each["made"] for each in told["candidates"]]
    assert {} in made
    assert {"augment": 1.0} in made
    assert {"augment": 1.0, "sample.made": 1.0} in made
    assert {"augment": 1.0, "sample.made": 0.3} not in made, "less is tried where all do harm, and only there"


def test_too_few_val_rows_judge_nothing_and_say_so(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    real = staged.real_tables()
    train, val = to_pool(real["train"], config, {}), to_pool(real["val"].slice(0, 30), config, {})
    made = {"sample.made": to_pool(staged.generated(), config, {})}
    told = usefulness(config, val, made, asker({"real": train, **made}, val))
    assert told["generated"]["made"]["verdict"] == "not_judged"
    assert told["generated"]["made"]["below"] is None
    assert "15 rows" in told["generated"]["made"]["why"]


def test_the_bootstrap_is_paired() -> None:
    """A small difference on the same rows is seen though rows differ much more from each other."""
    random = np.random.default_rng(0)
    labels = np.zeros(150, np.int64)
    sure = np.where(random.random(150) < 0.3, 0.2, 0.95)
    said = lambda p: {"svc": [np.stack([p, 1 - p], 1), np.stack([p, 1 - p], 1)]}  # noqa: E731
    without, slightly = losses(said(sure), labels), losses(said(sure - 0.02), labels)
    assert compare(without, slightly, 0).worse
    assert not compare(slightly, without, 0).worse
    assert not compare(without, without, 0).worse


def spoiled(made: pa.Table) -> tuple[pa.Table, dict[str, list[str]]]:
    """The generated rows, 91 of them replaced: 40 of another label, 40 copies of train rows, 10 blanks, one not an
    image.
    """
    images, labels = staged.digits()
    ids = made.column("row_id").to_pylist()
    parts = {
        "wrong": (images[1300:1340], (labels[1300:1340] + 1) % 10),
        "copy": (images[:40] ^ 1, labels[:40]),
        "blank": (np.full((10, 8, 8, 1), 9, np.uint8), labels[:10]),
    }
    tables, names, start = [], {}, 0
    for name, (pixels, told) in parts.items():
        names[name] = ids[start : start + len(told)]
        tables.append(staged.table(pixels, told, names[name], "synthetic", "train", [[]] * len(told)))
        start += len(told)
    broken = made.slice(start, 1)
    broken = broken.set_column(broken.schema.get_field_index("image"), "image", [[b"not an image"]])
    names |= {"broken": ids[start : start + 1], "good": ids[start + 1 :]}
    return pa.concat_tables([*tables, broken.cast(made.schema), made.slice(start + 1)]), names


def test_verdicts_of_a_whole_stage(tmp_path: Path, ray_session: Any) -> None:
    """Every staged row has one; copies, blanks and rows of another label are told from good ones; twice is the same."""
    config = staged.config_at(tmp_path, ("steps: 500", "steps: 1000"))
    rows, names = spoiled(staged.generated())
    staged.stage_up(config, {"augment": staged.children(), "sample": rows})
    result = score.run(ray_session, config)
    told = pq.read_table(f"{runs.locate(config, 'score').folder}/verdicts").to_pandas().set_index("row_id")
    assert result.counts["rows"] == len(told) == 400 + rows.num_rows
    part = {name: told.loc[ids] for name, ids in names.items()}
    assert part["wrong"].agreement.mean() < 0.25 < 0.75 < part["good"].agreement.mean()
    assert part["copy"].is_copy.mean() > 0.95
    train = staged.real_tables()["train"].column("row_id").to_pylist()
    assert (part["copy"].nearest_id.to_numpy() == np.array(train[:40])).mean() > 0.95
    assert part["good"].is_copy.mean() < 0.02
    assert part["blank"].is_unreadable.all()
    assert part["broken"].is_unreadable.all()
    assert not part["good"].is_unreadable.any()
    assert 0.3 < part["good"].distance_ratio.median() < 1.2, "as near as held-out rows"
    assert result.counts["usefulness"] == {"augmented": "kept", "made": "kept"}
    assert score.run(ray_session, config).outputs == result.outputs


class Parrot:
    """Says one label of everything."""

    def __init__(self, label: int) -> None:
        self.label = label

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        return np.tile(np.eye(10)[self.label], (len(images), 1))


def test_children_are_judged_by_nets_that_have_not_seen_their_parents(tmp_path: Path) -> None:
    """The nets of the three folds are parrots that say their own number, so each row tells who judged it."""
    config = staged.config_at(tmp_path)
    train = to_pool(staged.real_tables()["train"], config, {})
    child = to_pool(staged.children(), config, parents_of(train))
    groups = train.rows.group_codes()
    fold = folds(train.rows.labels, groups, 3, 0)
    fold_of = dict(zip(groups.tolist(), fold.tolist(), strict=True))
    nobody: Any = None
    bench = Bench([Parrot(0), Parrot(1), Parrot(2)], fold_of, nobody, train, nobody, 0, 1, 1, config.recipe.labels)
    said = opinions(child.rows, bench)
    assert (said.max(1) == 1).all(), "each child is judged by one net"
    by_id = dict(zip(train.ids, fold.tolist(), strict=True))
    parents = [row[0] for row in staged.children().column("row_parents").to_pylist()]
    assert [by_id[parent] for parent in parents] == said.argmax(1).tolist()
    strangers = opinions(to_pool(staged.generated(), config, {}).rows, bench)
    np.testing.assert_allclose(strangers[:, :3], 1 / 3)


def test_a_bound_keeps_the_rows_of_lowest_hash_whatever_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = staged.config_at(tmp_path)
    staged.stage_up(config, {"augment": staged.children(), "sample": staged.generated()})
    clean = runs.real(config).folder
    monkeypatch.setattr("synth.arms.row_bound", lambda config: 30)
    pool = real_pool(clean, "train", config)
    ids = sorted(staged.real_tables()["train"].column("row_id").to_pylist(), key=lambda row: row[16:])
    assert pool.ids == ids[:30]
    assert pool.total == 100
    files = list_files(f"{clean}/rows/row_split=train")
    assert read_pool(files[::-1], config, {}).ids == pool.ids
    assert real_pool(clean, "unlabelled", config).ids == []
