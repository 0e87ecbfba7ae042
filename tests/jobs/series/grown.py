"""A grown recipe of series as the stages leave it on disk, without an engine: for tests of the report.

Train, val and test rows, generated ones, verdicts and measures by the stages' own functions; judges' figures made up.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf import Config
from conf.runs import Done
from conf.schema import Generate, Rows
from synth.arms import Pool
from synth.series import evaluate
from synth.series.pools import to_pool
from synth.series.verdicts import bench, judge_rows
from udfs import records
from udfs.series.windows import listed

GENERATOR = "mixture"
Windows = np.ndarray  # (N, T, C)
Sets = dict[str, tuple[Windows, Sequence[str | None]]]  # train, val, test, made: windows and labels


def with_generator(config: Config) -> Config:
    """The recipe with a generator that nobody trains."""
    generator = Generate.model_construct(name=GENERATOR, model=GENERATOR, rows=Rows(like="train"))
    return dataclasses.replace(config, recipe=config.recipe.model_copy(update={"generate": [generator]}))


def grow(config: Config, folder: Path, sets: Sets) -> dict[str, Done]:
    """The finished stages that the report reads."""
    tables = {name: _table(name, *told) for name, told in sets.items()}
    for name in ("train", "val", "test"):
        _write(folder / "clean" / "rows" / f"row_split={name}", tables[name])
    _write(folder / "gate" / "accepted", tables["made"])
    pools = {name: to_pool(table, config, {}) for name, table in tables.items()}
    told = judge_rows(pools["made"], bench(_Sure.each(config), {}, pools["train"], pools["val"], config))
    _write(folder / "score" / "verdicts", told)
    said = _measured(config, pools) | _made_up(config, pools)
    for name, content in (("evaluate/evaluate.json", said), ("train/history.json", [])):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    made = len(tables["made"])
    counts: dict[str, dict[str, Any]] = {
        "clean": {"in": sum(map(len, tables.values())) - made, "kept": sum(map(len, tables.values())) - made},
        f"train.{GENERATOR}": {"rows": len(tables["train"])},
        f"sample.{GENERATOR}": {"planned": made, "staged": made},
        "score": {"rows": made},
        "gate": {"in": made, "accepted": made, "refused": {}, "by": {}},
        "evaluate": {"rows": 2},
    }
    return {key: _done(key, folder, each) for key, each in counts.items()}


@dataclasses.dataclass(frozen=True)
class _Sure:
    """A judge who sees each class alike."""

    classes: int

    @staticmethod
    def each(config: Config) -> list[_Sure]:
        return [_Sure(len(config.recipe.labels))] if config.recipe.labels else []

    def predict(self, windows: Windows) -> np.ndarray:
        """float64[N, classes]."""
        return np.full((len(windows), self.classes), 1 / self.classes)


def _table(name: str, windows: Windows, labels: Sequence[str | None]) -> pa.Table:
    made = name == "made"
    maker = records.maker("synthetic" if made else "real", name)
    count = len(windows)
    columns = {
        "row_id": [maker + records.which(str(place)) for place in range(count)],
        "row_origin": ["synthetic" if made else "real"] * count,
        "row_split": ["train" if made else name] * count,
        "row_source": ["made up"] * count,
        "label": pa.array(labels, pa.string()),
        "series": listed(windows),
    }
    return records.with_hashes(records.conform(pa.table(columns), records.series_schema()))


def _measured(config: Config, pools: dict[str, Pool]) -> dict[str, Any]:
    """What evaluate says of likeness, called where it would be a task."""
    train, val, test, made = (pools[name] for name in ("train", "val", "test", "made"))
    form = config.recipe.series
    assert form is not None
    return {
        "quality": {"ceiling": evaluate.quality(test, train, val), GENERATOR: evaluate.quality(made, train, test)},
        "privacy": {"ceiling": evaluate.privacy(test, train, val), GENERATOR: evaluate.privacy(made, train, test)},
        "two_sample": {"ceiling": evaluate.apart(val, train, test, 0), GENERATOR: evaluate.apart(made, train, test, 0)},
        "series": evaluate.seen(("train", "test", GENERATOR), list(form.channels), 0, train, test, made),
    }


def _made_up(config: Config, pools: dict[str, Pool]) -> dict[str, Any]:
    """Figures of judges."""
    judge, measure = config.recipe.evaluate.judges[0], "accuracy" if config.recipe.labels else "mae"
    scored = {"rows": len(pools["train"]), "error": [0.3, 0.32], measure: [0.7, 0.68]}
    gains = {arm: {"error_cut": 0.1, "interval": [0.02, 0.2]} for arm in ("all", "synthetic")}
    return {
        "judges": {judge: dict.fromkeys(("real", "all", "synthetic"), scored)},
        "gain": {judge: gains},
        "curve": {judge: {"rows": [50, 100], "error": [[0.4, 0.42], [0.3, 0.32]]}},
        "headlines": {},
        "headline": None,
        "error": "made up",
    }


def _write(folder: Path, table: pa.Table) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "part-0.parquet")


def _done(key: str, folder: Path, counts: dict[str, Any]) -> Done:
    stage, _, part = key.partition(".")
    return Done(stage, part, "f" * 16, str(folder / stage), counts, {}, {}, [], 1.0, {}, {})
