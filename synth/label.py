"""RAY entry: an ensemble of judges votes on the rows that have no label.

Each judge learns from the labelled train rows and its own copies of them, augmented by the recipe's steps (mixing steps
do nothing here: they need partners). The votes are the mean of the judges' probabilities, calibrated on val;
`label.json` says from which confidence on they reach the recipe's precision (synth/surety.py). Taking labels and
refusing rows is for jobs/label.py, which is the other half of this stage.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from conf import Config, runs
from conf.errors import StageError
from conf.progress import Bar, progress
from conf.runs import StageResult
from synth import judges
from synth.arms import Pool, real_pool, to_pool
from synth.cluster import Cluster
from synth.encode import list_files, read_rows
from synth.judges import Effort, Judge, Probabilities, Rows
from synth.spread import shared, spread
from synth.surety import Histogram, calibrated, histogram, temperature_of, threshold
from udfs import records
from udfs.steps import compile_steps

VOTES = "votes.parquet"  # a folder of files, which readers of Parquet take as one
ANSWER = "label.json"
SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("confidence", pa.float64()),
    ]
)
PART_BYTES = 64 << 20  # of decoded pixels at a time
COPIES_BYTES = 512 << 20  # of decoded copies that one judge learns from: large images get fewer


def run(cluster: Cluster, config: Config) -> StageResult:
    """Vote on every unlabelled row, and find the confidence from which on votes are to be trusted."""
    place = runs.locate(config, "label")
    told = runs.read_json(place.folder, ANSWER)
    if told is None or runs.done_at(
        place.folder
    ):  # voted before, and killed before the labels were taken: keep the votes
        _clear(place.folder)
        told = _voted(config, place.inputs["clean"].folder, place.folder)
        runs.write_json(place.folder, ANSWER, told)
    return StageResult({"rows": told["rows"], "sure": told["sure"]}, {"votes": told["digest"]})


def _voted(config: Config, clean: str, folder: str) -> dict[str, Any]:
    """Train, calibrate, vote; returns what label.json says."""
    plan = config.recipe.label
    assert plan is not None
    train, val = real_pool(clean, "train", config), real_pool(clean, "val", config)
    if not len(train) or not len(val):
        raise StageError("label needs labelled rows in train and in val: raise split.train and split.val.")
    files = list_files(f"{clean}/rows/row_split=unlabelled")
    with progress("label", plan.judges + len(files), "parts") as bar:
        rows, images = shared(train), shared(val.rows.images)
        taught = _all(teach, [(number, config, rows, images) for number in range(plan.judges)], config, bar)
        said = np.mean([answer for _, answer in taught], axis=0)
        temperature = temperature_of(said, val.rows.labels, config.recipe.seed)
        ensemble = shared([judge for judge, _ in taught])
        names = [f"part-{number:05d}.parquet" for number in range(len(files))]
        jobs = [
            (file, f"{folder}/{VOTES}", name, ensemble, temperature, config)
            for file, name in zip(files, names, strict=True)
        ]
        votes = _all(vote, jobs, config, bar)
    return _told(config, said, val, temperature, votes)


def _all(work: Any, jobs: Sequence[tuple[Any, ...]], config: Config, bar: Bar) -> list[Any]:
    """The answers of all jobs, in their order."""
    answers: dict[int, Any] = {}
    for number, answer in spread(work, jobs, config):
        answers[number] = answer
        bar.advance()
    return [answers[number] for number in range(len(jobs))]


def teach(number: int, config: Config, train: Pool, asked: judges.Images) -> tuple[Judge, Probabilities]:
    """Train one judge of the ensemble on the rows and its copies; returns it and what it says of the val images."""
    plan = config.recipe.label
    assert plan is not None
    effort = Effort(plan.steps, config.recipe.evaluate.batch_size, config.runtime.judge.threads)
    rows = with_copies(train, config, number)
    judge = judges.fit("cnn", rows, len(config.recipe.labels), effort, config.recipe.seed + number)
    return judge, judge.predict_proba(asked)


def with_copies(train: Pool, config: Config, number: int) -> Rows:
    """The rows and, where the recipe augments, `label.copies` augmented copies of each, this judge's own."""
    plan, augment = config.recipe.label, config.recipe.augment
    if plan is None or augment is None:
        return train.rows
    steps = compile_steps(augment.steps, form=config.recipe.image)
    copies = max(1, min(plan.copies, COPIES_BYTES // max(train.rows.images.nbytes, 1)))
    parts = [train.rows]
    for copy in range(copies):
        maker = records.maker("label", steps.identity, config.recipe.seed, number, copy)
        ids = [records.child_id(maker, [row]) for row in train.ids]
        made = steps.apply(train.rows.images, ids, config.recipe.seed).images
        parts.append(
            Rows(made, train.rows.labels, train.rows.soft, train.rows.group_codes(), np.zeros(len(made), bool))
        )
    return judges.joined(parts, len(config.recipe.labels))


def vote(
    file: str, folder: str, name: str, ensemble: Sequence[Judge], temperature: float, config: Config
) -> tuple[Histogram, int]:
    """Write the votes on a file's rows; returns them by confidence, and the sum of their hashes."""
    rows = read_rows([file]).drop_columns(["label"])
    form, labels = config.recipe.image, config.recipe.labels
    step = max(1, PART_BYTES // (form.height * form.width * form.channels))
    told = [SCHEMA.empty_table()]
    for at in range(0, rows.num_rows, step):
        part = rows.slice(at, step)
        pool = to_pool(part.append_column("label", pa.array([labels[0]] * part.num_rows)), config, {})
        said = calibrated(np.mean([judge.predict_proba(pool.rows.images) for judge in ensemble], axis=0), temperature)
        best = said.argmax(1)
        columns = {"row_id": pool.ids, "label": [labels[code] for code in best], "confidence": said.max(1)}
        told.append(pa.table(columns, schema=SCHEMA))
    votes = pa.concat_tables(told)
    sink = io.BytesIO()
    pq.write_table(votes, sink, compression="zstd")
    runs.write_bytes(folder, name, sink.getvalue())
    hashes = sum(int(each, 16) for each in records.row_hashes(votes.drop_columns(["row_id"])).to_pylist())
    return histogram(votes.column("confidence").to_numpy()), hashes % runs.HASH_MODULUS


def _told(
    config: Config, said: Probabilities, val: Pool, temperature: float, votes: Sequence[tuple[Histogram, int]]
) -> dict[str, Any]:
    """label.json: the confidence from which on labels are taken, and what there is to expect of it."""
    plan = config.recipe.label
    assert plan is not None
    asked = histogram(np.zeros(0))
    for each, _ in votes:
        asked = asked + each
    sure = calibrated(said, temperature)
    right = sure.argmax(1) == val.rows.labels
    from_here = threshold(asked, sure.max(1), right, plan.precision)
    taken = sure.max(1) >= from_here
    count = int(asked.rows.sum())
    return {
        "threshold": from_here,
        "temperature": temperature,
        "rows": count,
        "sure": asked.above(from_here),
        "expected_precision": asked.mean_above(from_here),
        "val": {
            "rows": len(right),
            "sure": int(taken.sum()),
            "right": int(right[taken].sum()),
            "error": float((~right).mean()),
        },
        "digest": runs.digest(count, sum(hashes for _, hashes in votes)),
    }


def _clear(folder: str) -> None:
    """Delete votes made before."""
    system, path = runs.filesystem(folder)
    for info in system.get_file_info(pafs.FileSelector(f"{path}/{VOTES}", allow_not_found=True)):
        system.delete_file(info.path)
    if system.get_file_info(f"{path}/{ANSWER}").type == pafs.FileType.File:
        system.delete_file(f"{path}/{ANSWER}")
