"""What steps of texts are worth to judges that have few real ones, and what Spark costs them.

`sms`: 200 train messages of the SMS Spam Collection, drawn anew for each seed, with and without children; judges tuned
on their own rows, F1 of spam on all other messages. `augment`: messages a second through Spark on two cores, beside two
plain processes that run the same steps alone, and beside two that make the whole rows, ids and hashes among them, by
the function that Spark's workers call. `near`: seconds of near copies for n, 4n and 16n short texts, and the
recall of planted ones. The messages lie in --data (or $SEEDBED_TEST_DATA/text/sms-spam).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from figures import Row, row

import conf
from conf.schema import Augment
from jobs.augment import children
from jobs.spark import hand_off, session
from jobs.texts import augment as way
from jobs.texts.near import near_pairs
from synth.judges import Effort
from synth.tables.metrics import measures
from synth.texts import judges
from synth.texts.rows import Question, Rows
from udfs import records
from udfs.children import LAID_DOWN, Children, makers
from udfs.text.compiled import compile_text_steps

REPOSITORY = Path(__file__).resolve().parents[2]
SEEDS = 5
TRAIN = 200
COPIES = 6
LABELS = ("ham", "spam")
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("text.word_deletion", {"p": 0.1}),
    ("text.keyboard_typos", {"p": 0.05}),
    ("text.synonym_replacement", {"p": 0.15}),
    ("text.word_swap", {"p": 0.1}),
    ("text.casing_noise", {"p": 0.3}),
]
PROCESSES = 2
PART_ROWS = 4096
SEED = 7
PLANTED = 0.05  # of the texts have a near copy
SIMILARITY = 0.6


def messages(data: Path) -> tuple[list[str], np.ndarray]:
    """Distinct messages, and which are spam."""
    lines = (data / "SMSSpamCollection").read_text("utf-8").splitlines()
    told = dict(reversed(line.split("\t", 1)) for line in lines)  # type: ignore[misc]
    return list(told), np.array([LABELS.index(label) for label in told.values()])


def drawn(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of TRAIN messages with the labels' shares, and of all others."""
    order = np.random.default_rng(seed).permutation(len(labels))
    spam, ham = order[labels[order] == 1], order[labels[order] == 0]
    count = round(TRAIN * labels.mean())
    learned = np.concatenate([spam[:count], ham[: TRAIN - count]])
    return learned, np.setdiff1d(order, learned)


def grown(rows: Rows, steps: list[tuple[str, dict[str, Any]]], seed: int) -> Rows:
    """The rows and COPIES children of each."""
    compiled, texts = compile_text_steps(steps), list(rows.texts)
    for copy in range(COPIES):
        ids = [records.child_id(records.maker("bench", seed, copy), [str(place)]) for place in range(len(rows))]
        texts += compiled.apply(list(rows.texts), ids, seed)[0]
    groups, real = np.arange(len(rows)), np.zeros(len(texts), bool)
    real[: len(rows)] = True
    return Rows(tuple(texts), np.tile(rows.labels, COPIES + 1), rows.question, None, np.tile(groups, COPIES + 1), real)


def sms(data: Path) -> list[Row]:
    """F1 of spam by each judge, with and without children."""
    texts, labels = messages(data)
    whole = Rows(tuple(texts), labels, Question(LABELS))
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(SEEDS):
        learned, asked = drawn(labels, seed)
        rows, test = whole.take(learned), whole.take(asked)
        for arm, some in (("real", rows), ("grown", grown(rows, STEPS, seed))):
            for kind in judges.KINDS:
                said = judges.fit(kind, some, Effort(), seed).predict(test.texts)
                scored = measures(said, test.targets, test.question, 1, 1)["f1"]
                found.setdefault((kind, arm), []).append(scored)
    lines = [
        row(f"sms, {kind}: F1 of spam, {arm}", found[kind, arm]) for kind in judges.KINDS for arm in ("real", "grown")
    ]
    gains = {kind: np.subtract(found[kind, "grown"], found[kind, "real"]).tolist() for kind in judges.KINDS}
    best = max(np.mean(found[kind, "grown"]) for kind in judges.KINDS)
    return [
        *lines,
        row("sms, words: gain", gains["words"], "", ">= .05", "prototype, judge not calibrated: .754 to .806"),
        row("sms, characters: gain", gains["characters"], "", ">= 0", "prototype: .840 to .830"),
        row("sms, best judge of the grown rows", [float(best)], "", ">= .85"),
    ]


def table_of(texts: list[str], count: int) -> pa.Table:
    """`count` train rows as clean hands them over."""
    columns = {
        "row_id": [records.real_id("bench", str(number).encode()) for number in range(count)],
        "row_origin": ["real"] * count,
        "row_split": ["train"] * count,
        "label": [LABELS[number % 2] for number in range(count)],
        "text": [texts[number % len(texts)] for number in range(count)],
    }
    return records.conform(pa.table(columns), records.text_schema())


def plain(source: str, place: int, out: str) -> int:
    """One plain process's half of the texts: the steps alone, from Parquet to Parquet."""
    compiled, file, made = compile_text_steps(STEPS), pq.ParquetFile(source), list[Any]()
    for group in range(place, file.num_row_groups, PROCESSES):
        part = file.read_row_group(group, columns=["row_id", "text"])
        made += compiled.apply(part.column("text").to_pylist(), part.column("row_id").to_pylist(), SEED)[0]
    pq.write_table(pa.table({"text": made}), f"{out}-{place}.parquet")
    return len(made)


def plain_rows(source: str, place: int, out: str) -> int:
    """One plain process's half of the rows: what Spark's workers call, from Parquet to Parquet."""
    compiled, schema, file = compile_text_steps(STEPS), records.text_schema(), pq.ParquetFile(source)
    make = Children(compiled, tuple(makers(compiled, SEED, 1)), SEED, schema, PART_ROWS, {}, 1)
    kept, count = [name for name in schema.names if name not in LAID_DOWN], 0
    with pq.ParquetWriter(f"{out}-{place}.parquet", schema) as writer:
        for group in range(place, file.num_row_groups, PROCESSES):
            for batch in file.read_row_group(group, columns=kept).combine_chunks().to_batches():
                for made in make(batch):
                    writer.write_table(made)
                    count += len(made)
    return count


def warm() -> None:
    """Start-up of a plain process, which is not counted."""
    compile_text_steps(STEPS).apply(["Some good words came home."], [records.real_id("bench", b"1")], SEED)


def augment(spark: Any, root: Path, texts: list[str], count: int) -> list[Row]:
    """Messages a second of each side, which take turns after a small round to warm up."""
    told = Augment(copies=1, steps=[{name: options} for name, options in STEPS])
    compiled, schema = compile_text_steps(told.steps), records.text_schema()
    times: dict[str, list[float]] = {"spark": [], "steps": [], "rows": []}
    with multiprocessing.get_context("spawn").Pool(PROCESSES, warm) as pool:
        for turn, size in enumerate((max(count // 20, PART_ROWS), count, count)):
            folder = root / f"train-{turn}"
            folder.mkdir()
            source = str(folder / "part-0.parquet")
            pq.write_table(table_of(texts, size), source, row_group_size=PART_ROWS)
            began = time.perf_counter()
            rows = spark.read.parquet(str(folder))
            hand_off(children(rows, told, compiled, way, schema, SEED, size), str(root), "children")
            times["spark"].append(time.perf_counter() - began)
            for side, function in (("steps", plain), ("rows", plain_rows)):
                began = time.perf_counter()
                halves = [(source, each, str(root / "plain")) for each in range(PROCESSES)]
                assert sum(pool.starmap(function, halves)) == size
                times[side].append(time.perf_counter() - began)
    rates = {side: [count / each for each in taken[1:]] for side, taken in times.items()}
    ratios = {side: np.divide(rates["spark"], rates[side]).tolist() for side in ("steps", "rows")}
    return [
        row(f"augment, {count:,} messages: Spark", rates["spark"], "rows/s"),
        row(f"augment, {count:,} messages: two plain processes, the steps alone", rates["steps"], "rows/s"),
        row(f"augment, {count:,} messages: two plain processes, whole rows", rates["rows"], "rows/s"),
        row("augment: ratio to the steps alone", ratios["steps"], "", ">= 0.9"),
        row("augment: ratio to whole rows", ratios["rows"]),
    ]


def near(spark: Any, root: Path, texts: list[str], count: int) -> list[Row]:
    """Near copies of count / 16, count / 4 and count texts, made of words of the messages."""
    words = sorted({word for text in texts for word in text.split() if len(word) > 2})
    sizes, seconds, recalls = [count // 16, count // 4, count], [], []
    for size in (sizes[0], *sizes):  # the first round warms up
        random = np.random.default_rng(size)
        made = [" ".join(each) for each in random.choice(words, (size, 14))]
        copies = int(PLANTED * size)
        nodes = [f"{place:09d}" for place in range(size + copies)]
        made += [f"{text} {words[place % len(words)]}" for place, text in enumerate(made[:copies])]
        pq.write_table(pa.table({"node": nodes, "text": made}), root / "near.parquet")
        began = time.perf_counter()
        pairs = near_pairs(
            spark, spark.read.parquet(str(root / "near.parquet")), SIMILARITY, str(root / "near")
        ).collect()
        seconds.append(time.perf_counter() - began)
        whole = [(int(first), int(second)) for first, second, _ in pairs if second]  # none notes a block that was cut
        recalls.append(sum(second - first == size for first, second in whole) / copies)
        cut = len(pairs) - len(whole)
        if len(seconds) > 1:
            row(f"near copies of {size:,} texts", [seconds[-1]], "s")
            row(f"near copies of {size:,} texts: bands compared with their first text alone", [float(cut)])
    slope = float(np.polyfit(np.log(sizes), np.log(seconds[1:]), 1)[0])
    return [
        row("near copies: time exponent of n, 4n, 16n", [slope], "", "<= 1.1"),
        row("near copies: recall of planted ones", recalls[1:], "", ">= .95"),
    ]


def main() -> None:
    """Measure, print, write JSON."""
    shared = Path(os.environ.get("SEEDBED_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=["sms", "augment", "near"], default=["sms", "augment", "near"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, default=shared / "text" / "sms-spam")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    if not given.data.is_dir():
        print(f"there are no messages in {given.data}; --data names the folder of SMSSpamCollection")
        return
    texts, root = messages(given.data)[0], Path(tempfile.mkdtemp(prefix="seedbed-bench-"))
    found = sms(given.data) if "sms" in given.cases else []
    cases: dict[str, Callable[..., list[Row]]] = {"augment": augment, "near": near}
    try:
        with session(conf.load("word-senses", "local", [], str(root))) as spark:
            for case in given.cases:
                found += cases[case](spark, root, texts, given.rows) if case in cases else []
    finally:
        shutil.rmtree(root)
    if given.out:
        Path(given.out).write_text(json.dumps([dataclasses.asdict(line) for line in found], indent=1))


if __name__ == "__main__":
    main()
