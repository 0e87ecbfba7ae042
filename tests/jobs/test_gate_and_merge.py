"""Gate refuses with the first reason that holds and loses no row; merge makes the tables hold what the stages say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow.dataset as ds
import pytest

from conf import Config, runs
from conf.errors import StageError
from jobs import gate, merge
from tests.jobs.merging import held, log_of
from tests.jobs.upstream import cleaned, ingested, made, real, scored, staged, verdict

ONE = ('generate=[{"model": "image_mixture", "rows": {"per_label": 8}}]', "gate.min_label_agreement=0.5")
NONE = ("generate=[]", "augment=null")
AUGMENTED, SYNTHETIC = made("augmented", "a", 12), made("synthetic", "s", 12)
KEPT = {"verdict": "kept", "share": 1.0, "below": None}


def told(entry: dict[str, Any] = KEPT) -> dict[str, Any]:
    """usefulness.json in which the generator has `entry`."""
    return {"augmented": KEPT, "generated": {"image_mixture": entry}}


def judged(config: Config, verdicts: list[dict[str, Any]], useful: dict[str, Any]) -> None:
    """Everything before the gate."""
    ingested(config)
    cleaned(config, [*real(0, 9), *real(9, 15, "val"), *real(15, 18, "test"), *real(18, 20, "reserve")], real(20, 22))
    staged(config, "augment", AUGMENTED)
    staged(config, "sample.image_mixture", SYNTHETIC)
    scored(config, verdicts, useful)


def run(spark: Any, config: Config, stage: Any) -> dict[str, Any]:
    """Run a stage and mark it done; returns its counts."""
    done = runs.finish(runs.locate(config, stage.STAGE), stage.run(spark, config), 0.0)
    return done.counts


def accepted(config: Config) -> list[str]:
    """Ids of the accepted rows, in the order of their files."""
    folder = runs.done(config, "gate").folder  # type: ignore[union-attr]
    return ds.dataset(f"{folder}/accepted").to_table(columns=["row_id"])["row_id"].to_pylist()


def test_gate_gives_the_first_reason_that_holds(spark: Any, config_for: Callable[..., Config]) -> None:
    """Each row is accepted or in quarantine with its reason; copies are refused among synthetic rows alone."""
    config = config_for("digits", *ONE)
    says = {
        AUGMENTED[0]["row_id"]: {"is_copy": True},
        AUGMENTED[1]["row_id"]: {"agreement": 0.49},
        SYNTHETIC[0]["row_id"]: {"is_copy": True, "is_far": True},
        SYNTHETIC[1]["row_id"]: {"is_far": True},
        SYNTHETIC[2]["row_id"]: {"is_unreadable": True, "agreement": None, "predicted": None, "nearest_id": None},
        SYNTHETIC[3]["row_id"]: {"agreement": 0.5},
    }
    rows = [*AUGMENTED, *SYNTHETIC]
    judged(config, [verdict(row, **says.get(row["row_id"], {})) for row in rows], told())
    counts = run(spark, config, gate)
    reasons = {each["row_id"]: each["row_reason"] for each in held(config, "quarantine").values()}
    assert reasons == {
        AUGMENTED[1]["row_id"]: "label_disagrees",
        SYNTHETIC[0]["row_id"]: "copy_of_train",
        SYNTHETIC[1]["row_id"]: "too_far",
        SYNTHETIC[2]["row_id"]: "image_unreadable",
    }
    assert counts["in"] == 24 and counts["accepted"] == 20
    assert counts["refused"] == Counter(reasons.values())
    assert counts["by"]["augment"] == {"in": 12, "accepted": 11, "refused": {"label_disagrees": 1}}
    assert accepted(config) == sorted({row["row_id"] for row in rows} - reasons.keys())


@pytest.mark.parametrize(
    ("entry", "how", "reason", "number"),
    [
        ({"verdict": "worse", "share": 0.0, "below": "0" * 24}, "not_worse", "worse", 12),
        ({"verdict": "kept", "share": 0.5, "below": "8" + "0" * 23}, "not_worse", "beyond_useful_share", None),
        ({"verdict": "worse", "share": 0.0, "below": "0" * 24}, "report", "worse", 0),
    ],
)
def test_rows_that_make_judges_worse_are_refused(
    spark: Any, config_for: Callable[..., Config], entry: dict[str, Any], how: str, reason: str, number: int | None
) -> None:
    """All of a generator's rows, or those beyond the share that was of use, unless the recipe asks for a report
    alone.
    """
    config = config_for("digits", *ONE, f"gate.usefulness={how}")
    judged(config, [verdict(row) for row in (*AUGMENTED, *SYNTHETIC)], told(entry))
    counts = run(spark, config, gate)
    beyond = {row["row_id"] for row in SYNTHETIC if row["row_id"][16:] >= entry["below"]}
    expected = len(beyond) if number is None else number
    assert counts["refused"].get(reason, 0) == expected
    assert len(accepted(config)) == 24 - expected
    if number is None:
        assert 0 < len(beyond) < 12 and beyond.isdisjoint(accepted(config))


def test_a_row_without_a_verdict_is_an_error(spark: Any, config_for: Callable[..., Config]) -> None:
    """Nothing passes unseen."""
    config = config_for("digits", *ONE)
    judged(config, [verdict(row) for row in (*AUGMENTED, *SYNTHETIC[1:])], told())
    with pytest.raises(StageError, match="1 staged rows have no verdict: run score again"):
        gate.run(spark, config)


def test_merge_holds_real_and_accepted_rows_and_commits_once(spark: Any, config_for: Callable[..., Config]) -> None:
    """Train, val, test and accepted rows in one commit, reserve not; again: nothing; refused rows in quarantine."""
    config = config_for("digits", *ONE)
    says = {SYNTHETIC[0]["row_id"]: {"is_far": True}}
    judged(config, [verdict(row, **says.get(row["row_id"], {})) for row in (*AUGMENTED, *SYNTHETIC)], told())
    run(spark, config, gate)
    counts = run(spark, config, merge)
    wanted = {row["row_id"] for row in [*real(0, 18), *AUGMENTED, *SYNTHETIC[1:]]}
    assert held(config, "dataset").keys() == wanted
    assert counts["by_origin"] == {"real": 18, "augmented": 12, "synthetic": 11} and counts["rows"] == 41
    assert counts["by_split"] == {"train": 32, "val": 6, "test": 3}
    assert {(row["row_stage"], row["row_reason"]) for row in held(config, "quarantine").values()} == {
        ("clean", "blank"),
        ("gate", "too_far"),
    }
    assert len(log_of(config, "dataset")) == 1
    logs = log_of(config, "dataset"), log_of(config, "quarantine")
    again = merge.run(spark, config)
    assert (log_of(config, "dataset"), log_of(config, "quarantine")) == logs
    assert (again.counts["inserted"], again.counts["updated"], again.counts["deleted"]) == (0, 0, 0)
    assert again.outputs == runs.done(config, "merge").outputs  # type: ignore[union-attr]


def test_synthetic_only_publishes_no_real_row_and_no_child_of_one(
    spark: Any, config_for: Callable[..., Config]
) -> None:
    """And takes them out of a table that had them."""
    config = config_for("digits", *ONE)
    judged(config, [verdict(row) for row in (*AUGMENTED, *SYNTHETIC)], told())
    run(spark, config, gate)
    run(spark, config, merge)
    private = config_for("digits", *ONE, "publish=synthetic_only")
    assert run(spark, private, merge)["deleted"] == 30
    assert held(private, "dataset").keys() == {row["row_id"] for row in SYNTHETIC}


def test_a_row_that_is_refused_no_longer_leaves_the_quarantine(spark: Any, config_for: Callable[..., Config]) -> None:
    """Also one of a stage that was skipped because its work was there already."""
    config = config_for("digits", *NONE)

    def merged(gone: list[dict[str, Any]], token: str) -> dict[str, Any]:
        ingested(config, real(30, 31), token)
        cleaned(config, [*real(0, 9), *real(9, 12, "val")], gone)
        return run(spark, config, merge)

    merged(real(20, 22), "1")
    assert len(held(config, "quarantine")) == 3
    merged(real(20, 21), "2")
    assert held(config, "quarantine").keys() == {row["row_id"] for row in (*real(20, 21), *real(30, 31))}
    before = len(log_of(config, "dataset"))
    ingested(config, real(30, 31), "1")  # as if the old recipe were back: clean is skipped
    run(spark, config, merge)
    assert len(held(config, "quarantine")) == 3
    assert len(log_of(config, "dataset")) == before
