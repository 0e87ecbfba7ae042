"""Tables go through the same Ray entries as images: trained, resumed, sampled by any number of actors."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import Config, runs
from synth import sample, train
from synth.fit import Event
from synth.sampler import maker_of
from synth.work import Scribe, work
from tests.synth.staged import finish
from tests.synth.tables.learnt import KNOWN, config_at, job_at, people, train_rows
from udfs import records


def staged(folder: Path, *changes: tuple[str, str]) -> Config:
    """The recipe with its stages before train finished."""
    config = config_at(folder, *changes)
    finish(config, "ingest", "", {}, {})
    finish(config, "clean", "", {"rows/row_split=train": train_rows(config, people(500))}, {})
    words = {"town": KNOWN, "region": ["r0", "r1", "r2"]}
    columns = {name: {"vocabulary": words.get(name, []), "decimals": None} for name in config.recipe.columns}
    runs.write_json(runs.locate(config, "normalize").folder, "statistics.json", {"columns": columns})
    finish(config, "normalize", "", {}, {})
    return config


def sampled(cluster: Any, config: Config, actors: int) -> tuple[runs.StageResult, dict[str, bytes]]:
    """Sample afresh with so many actors; the result and the shards' bytes."""
    some = config.runtime.sample.model_copy(update={"actors": actors, "shard_rows": 80})
    config = dataclasses.replace(config, runtime=config.runtime.model_copy(update={"sample": some}))
    folder = Path(runs.locate(config, "sample", "table_ar").folder) / "rows"
    for path in folder.glob("*"):
        path.unlink()
    result = sample.run(cluster, config, "table_ar")
    return result, {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_table_is_trained_and_sampled_with_any_number_of_actors(ray_session: Any, tmp_path: Path) -> None:
    config = staged(tmp_path, ("rows: {like: train}", "rows: {like: train, total: 5000}"))
    result = train.run(ray_session, config, "table_ar")
    assert result.counts["rows"] == 500 and set(result.counts["per_label"]) == {"no", "yes"}
    runs.finish(runs.locate(config, "train", "table_ar"), result, 0.0)
    one, bytes_of_one = sampled(ray_session, config, 1)
    two, bytes_of_two = sampled(ray_session, config, 2)
    assert len(bytes_of_one) == 3 and bytes_of_one == bytes_of_two and one == two
    assert one.counts["planned"] == one.counts["staged"] == sum(one.counts["per_label"].values()) == 5000
    rows = pa.concat_tables([pq.read_table(pa.BufferReader(each)) for each in bytes_of_one.values()])
    assert rows.schema.equals(records.row_schema(config.recipe))
    assert len(set(rows.column("row_id").to_pylist())) == 5000


@pytest.mark.slow
def test_rows_near_hard_ones_are_made_by_any_number_of_actors(ray_session: Any, tmp_path: Path) -> None:
    """They are near the rows that judges get wrong, and the plan's rows are told from those of another plan."""
    config = staged(tmp_path, ("rows: {like: train}", "rows: {hard: 3000}"))
    trained = train.run(ray_session, config, "table_ar")
    runs.finish(runs.locate(config, "train", "table_ar"), trained, 0.0)
    one, bytes_of_one = sampled(ray_session, config, 1)
    two, bytes_of_two = sampled(ray_session, config, 2)
    assert bytes_of_one == bytes_of_two and one == two and one.counts["staged"] == 3000
    place = runs.locate(config, "sample", "table_ar")
    hard = set(pq.read_table(f"{place.folder}/hard.parquet").column("row_id").to_pylist())
    assert 0 < len(hard) < 250 and hard <= set(train_rows(config, people(500)).column("row_id").to_pylist())
    rows = pa.concat_tables([pq.read_table(pa.BufferReader(each)) for each in bytes_of_one.values()])
    assert {row[:16] for row in rows.column("row_id").to_pylist()} == {one.outputs["maker"]}
    assert one.outputs["maker"] != maker_of(trained.outputs["checkpoint"], 1.0)


class Stopped(Exception):
    """A kill, as a test brings it about."""


def test_a_training_that_was_stopped_ends_in_the_same_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = job_at(config_at(tmp_path / "whole"), 300)
    work(whole)
    cut = job_at(config_at(tmp_path / "cut"), 300)
    hear = Scribe.hear

    def stop(self: Scribe, event: Event) -> None:
        self.saved_at = -1e9 if event.step == 200 else self.saved_at
        hear(self, event)
        if event.step == 201:
            raise Stopped

    monkeypatch.setattr(Scribe, "hear", stop)
    with pytest.raises(Stopped):
        work(cut)
    monkeypatch.setattr(Scribe, "hear", hear)
    work(cut)
    first, again = (runs.read_json(job.folder, "fitted.json") for job in (whole, cut))
    assert first["checkpoint"] == again["checkpoint"] and first["counts"] == again["counts"]
