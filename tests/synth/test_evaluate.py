"""What evaluate says of a dataset whose made rows are known to be good or bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from conf import runs
from synth import evaluate
from synth.arms import to_pool
from synth.judges import Effort, fit
from synth.likeness import closeness, likeness
from synth.sampler import maker_of
from tests.synth import staged


def grown(tmp_path: Path, *changes: tuple[str, str]) -> Any:
    """A recipe whose stages up to merge are done: children and a generator's rows were accepted."""
    config = staged.config_at(tmp_path, *changes)
    sample = staged.generated()
    staged.stage_up(config, {"augment": staged.children(), "sample": sample})
    trained = runs.done(config, "train", "made")
    assert trained is not None
    maker = maker_of(trained.outputs["checkpoint"], 1.0)
    ids = pa.array([maker + row[16:] for row in sample.column("row_id").to_pylist()])
    sample = sample.set_column(0, sample.schema.field(0), ids)
    staged.finish(config, "score", "", {}, {})
    staged.finish(config, "gate", "", {"accepted": pa.concat_tables([staged.children(), sample])}, {})
    staged.finish(config, "merge", "", {}, {})
    return config


def test_every_arm_is_judged_and_the_headline_is_read_off_the_curve(tmp_path: Path, ray_session: Any) -> None:
    config = grown(tmp_path, ("judges: [cnn]", "judges: [linear]"))
    result = evaluate.run(ray_session, config)
    told = runs.read_json(runs.locate(config, "evaluate").folder, "evaluate.json")
    arms = told["judges"]["linear"]
    assert {arm: arms[arm]["rows"] for arm in arms} == {"real": 100, "augmented": 500, "all": 900, "synthetic": 400}
    for arm in arms.values():
        assert len(arm["accuracy"]) == len(arm["cross_entropy"]) == 2
        labels = np.array([int(label) for label in staged.real_tables()["test"].column("label").to_pylist()])
        weights = np.bincount(labels) / len(labels)
        recalls = sum(weights[int(name)] * np.array(values) for name, values in arm["recall"].items())
        np.testing.assert_allclose(recalls, arm["accuracy"], atol=1e-9, err_msg="accuracy is the mean of recalls")
    assert np.mean(arms["all"]["accuracy"]) > np.mean(arms["real"]["accuracy"]), "other real digits are of use"
    low, high = told["gain"]["linear"]["all"]["interval"]
    assert low <= told["gain"]["linear"]["all"]["error_cut"] <= high
    curve = told["curve"]["linear"]
    assert curve["rows"][-1] == 400
    real_point = curve["error"][curve["rows"].index(100)]
    np.testing.assert_allclose(real_point, 1 - np.array(arms["real"]["accuracy"]), atol=1e-9)
    assert told["headline"]["worth"] > 120
    assert f"like {told['headline']['worth']:,} " in told["headline"]["text"]
    assert result.counts["test_rows"] == 500
    assert set(told["quality"]) == {"ceiling", "made"}
    assert told["privacy"]["made"]["rows"] == 400
    assert 0.01 < told["reconstruction"]["made"] < 1
    assert evaluate.run(ray_session, config).outputs == result.outputs, "twice is the same"


def test_likeness_tells_real_rows_from_noise_and_from_a_collapsed_generator(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    pools = {split: to_pool(rows, config, {}) for split, rows in staged.real_tables().items()}
    looker: Any = fit("cnn", pools["train"].rows, 10, Effort(steps=300, batch_size=32))
    good = to_pool(staged.generated(), config, {})
    ceiling = likeness(looker, pools["val"], pools["test"], 300)
    found = likeness(looker, good, pools["test"], 300)
    one = np.zeros(len(good), np.int64) + np.arange(len(good)) % 4
    collapsed = likeness(looker, good.take(one), pools["test"], 300)
    assert ceiling and found and collapsed
    assert ceiling["frechet"] < 0.5 * found["frechet"] < 0.2 * collapsed["frechet"]
    assert found["recall"] > 0.8 > 0.3 > collapsed["recall"]
    assert collapsed["spread"] < 0.7 < found["spread"]
    assert likeness(looker, good.take(one[:3]), pools["test"], 300) is None


def test_copies_are_counted(tmp_path: Path) -> None:
    config = staged.config_at(tmp_path)
    pools = {split: to_pool(rows, config, {}) for split, rows in staged.real_tables().items()}
    good = to_pool(staged.generated(), config, {})
    told: Any = closeness(good, pools["train"], pools["val"])
    assert told["copies"] <= 2
    copied: Any = closeness(pools["train"], pools["train"], pools["val"])
    assert copied["copies"] == 100
    assert copied["nearest_train"]["0.5"] == 0.0 < copied["nearest_held_out"]["0.5"]
