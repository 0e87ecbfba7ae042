"""A grown `digits` as the stages leave it on disk, in a second and without an engine: for tests of what reads a run
(report, show).

Real digits and plausible numbers; the folders, files and columns are those of the stages' own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

from conf import Config, runs
from conf.runs import Place, StageResult
from udfs import records

SPLITS = {"train": 100, "val": 300, "reserve": 600, "test": 790}
RANDOM = np.random.default_rng(0)


def grow(config: Config, **changed: Any) -> None:
    """Finish every stage before the report; `changed` overrides parts of what evaluate says."""
    for name, make in STAGES.items():
        parts = [g.name for g in config.recipe.generate] if name in ("train", "sample") else [""]
        for part in parts:
            place = runs.locate(config, name, part)
            result = make(config, place, changed) if name == "evaluate" else make(config, place)
            runs.finish(place, result, seconds=1.5)


def _ingest(config: Config, place: Place) -> StageResult:
    counts = {"sources": {"sklearn": {"in": 1797, "kept": 1797, "refused": {}, "left_out": 0}}, "rows": 1797}
    return StageResult(counts, {"rows": "r", "refused": "0-0"})


def _clean(config: Config, place: Place) -> StageResult:
    digits = load_digits()
    start = 0
    for split, count in SPLITS.items():
        part = slice(start, start + count)
        rows = real_rows(digits.images[part], digits.target[part], split)
        _write(f"{place.folder}/rows/row_split={split}", rows)
        start += count
    splits = {split: dict(Counter(str(label) for label in digits.target[:count])) for split, count in SPLITS.items()}
    refused = _refused(
        real_rows(digits.images[start : start + 5], digits.target[start : start + 5], "train"), "clean", "outlier"
    )
    _write(f"{place.folder}/refused", refused)
    counts = {"in": 1797, "kept": 1790, "refused": {"outlier": 5}, "merged": 2, "left_out": 0, "splits": splits}
    return StageResult(counts, dict.fromkeys((*SPLITS, "unlabelled", "refused"), "d"))


def _normalize(config: Config, place: Place) -> StageResult:
    runs.write_json(place.folder, "statistics.json", {"mean": [78.0], "std": [96.0]})
    return StageResult({"rows": 100}, {"statistics": "s"})


def _augment(config: Config, place: Place) -> StageResult:
    parents = _read(place.inputs["clean"].folder + "/rows/row_split=train")
    images = decoded(parents)
    made = np.repeat(images, 4, axis=0).astype(np.int16) + RANDOM.integers(-25, 25, (4 * len(images), 8, 8))
    maker = records.maker("augmented", "steps", 0)
    parent_ids = [i for i in parents["row_id"].to_pylist() for _ in range(4)]
    labels = [label for label in parents["label"].to_pylist() for _ in range(4)]
    ids = [maker + records.which(parent, n) for n, parent in enumerate(parent_ids)]
    rows = _rows(
        ids,
        labels,
        made.clip(0, 255).astype(np.uint8),
        "augmented",
        "train",
        "affine+noise, copy 0",
        [[p] for p in parent_ids],
    )
    _write(f"{place.folder}/rows", rows)
    return StageResult({"planned": 400, "staged": 400, "copies": 4}, {"rows": "a"})


def _train(config: Config, place: Place) -> StageResult:
    gan = place.part == "image_gan"
    history = [
        {
            "step": step,
            "quality": 4 * np.exp(-step / 300) + 0.8,
            **(
                {"critic.loss": 1.5 - step / 3000, "generator.loss": 0.5 + step / 2500}
                if gan
                else {"log_likelihood": -40 + step / 40}
            ),
        }
        for step in range(0, 1501 if gan else 51, 100 if gan else 5)
    ]
    runs.write_json(place.folder, "history.json", history)
    runs.write_json(f"{place.folder}/checkpoint", "card.json", {"model": place.part, "steps": history[-1]["step"]})
    if gan:
        digits = load_digits().images.astype(np.uint8) * 15
        for step in (0, 500, 1000, 1500):
            noise = RANDOM.integers(0, 255, (4, 10, 8, 8)) * (1 - step / 1500)
            grid = (digits[:40].reshape(4, 10, 8, 8) * (step / 1500) + noise).astype(np.uint8)
            sheet = grid.transpose(0, 2, 1, 3).reshape(32, 80)
            runs.write_bytes(place.folder, f"grid-{step:06d}.png", cv2.imencode(".png", sheet)[1].tobytes())
    return StageResult(
        {"steps": history[-1]["step"]},
        {"checkpoint": f"c-{place.part}"},
        notes=["kept the state of step 1200"] if gan else [],
    )


def _sample(config: Config, place: Place) -> StageResult:
    digits = load_digits()
    images = (digits.images[1000:1400] * 15.9).clip(0, 255)
    images = np.stack([cv2.GaussianBlur(i, (3, 3), 0.7) for i in images]) + RANDOM.normal(0, 12, images.shape)
    maker = records.maker("synthetic", place.part, {}, 1)
    labels = [str(t) for t in digits.target[1000:1400]]
    ids = [maker + records.which(label, n) for n, label in enumerate(labels)]
    sources = [f"c-{place.part}/{label}/{n}" for n, label in enumerate(labels)]
    rows = _rows(ids, labels, images.clip(0, 255).astype(np.uint8), "synthetic", "train", sources, [[] for _ in ids])
    _write(f"{place.folder}/rows", rows)
    return StageResult({"planned": 400, "staged": 400, "per_label": dict(Counter(labels))}, {"rows": f"s-{place.part}"})


def _staged(place: Place) -> pa.Table:
    keys = [key for key in place.inputs if key.split(".")[0] in ("augment", "sample")]
    return pa.concat_tables([_read(place.inputs[key].folder + "/rows") for key in keys])


def _score(config: Config, place: Place) -> StageResult:
    rows = _staged(place)
    train = _read(place.inputs["clean"].folder + "/rows/row_split=train")["row_id"].to_pylist()
    count = rows.num_rows
    ratio = RANDOM.gamma(9, 0.14, count)
    agreement = RANDOM.beta(9, 1, count)
    verdicts = pa.table(
        {
            "row_id": rows["row_id"],
            "agreement": agreement,
            "predicted": rows["label"],
            "nearest_id": [train[i % len(train)] for i in range(count)],
            "nearest_distance": ratio * 3.1,
            "distance_ratio": ratio,
            "is_copy": ratio < 0.4,
            "is_far": ratio > 2.6,
            "is_unreadable": [False] * count,
        }
    )
    _write(f"{place.folder}/verdicts", verdicts)
    generated = {
        g.name: {
            "share": share,
            "verdict": verdict,
            "val_error": {"without": 0.081, "with": 0.074},
            "interval": [-0.014, 0.001],
        }
        for g, share, verdict in zip(config.recipe.generate, (1.0, 0.0), ("kept", "worse"), strict=False)
    }
    usefulness = {
        "augmented": {"verdict": "kept", "val_error": {"without": 0.101, "with": 0.081}, "interval": [-0.03, -0.008]},
        "generated": generated,
        "candidates": [],
    }
    runs.write_json(place.folder, "usefulness.json", usefulness)
    return StageResult({"rows": count}, {"verdicts": "v", "usefulness": "u"})


def _gate(config: Config, place: Place) -> StageResult:
    rows = _staged(place)
    verdicts = _read(place.inputs["score"].folder + "/verdicts")
    ratio, agreement = verdicts["distance_ratio"].to_numpy(), verdicts["agreement"].to_numpy()
    origin = np.array(rows["row_origin"].to_pylist())
    reasons = np.full(rows.num_rows, "", dtype=object)
    reasons[ratio > 2.6] = "too_far"
    reasons[agreement < config.recipe.gate.min_label_agreement] = "label_disagreement"
    reasons[(ratio < 0.4) & (origin == "synthetic")] = "copy_of_train"
    _write(f"{place.folder}/accepted", rows.filter(pa.array(reasons == "")))
    refused = {str(reason): int((reasons == reason).sum()) for reason in sorted(set(reasons) - {""})}
    counts = {"in": rows.num_rows, "accepted": int((reasons == "").sum()), "refused": refused, "by": {}}
    return StageResult(counts, {"accepted": "g", "refused": "gr"})


def _merge(config: Config, place: Place) -> StageResult:
    rows = {"real": 1190, "augmented": 392, "synthetic": 388}
    counts = {"inserted": 1970, "updated": 0, "deleted": 0, "rows": 1970, "by_origin": rows, "quarantined": 155}
    return StageResult(counts, {"dataset": "m"})


def evaluated(config: Config) -> dict[str, Any]:
    """What evaluate writes, with numbers like a real run's."""
    errors = {
        "svc": (0.080, 0.066, 0.062, 0.110),
        "cnn": (0.103, 0.095, 0.088, 0.142),
        "linear": (0.121, 0.111, 0.112, 0.17),
    }
    arms = ("real", "augmented", "all", "synthetic")
    rows = (100, 492, 880, 388)
    judges: dict[str, Any] = {}
    for judge in config.recipe.evaluate.judges:
        judges[judge] = {
            arm: {
                "rows": n,
                "accuracy": [1 - error + d for d in (-0.004, 0.0, 0.003)],
                "cross_entropy": [error * 3.2 + d for d in (-0.01, 0.0, 0.01)],
                "recall": {
                    label: [0.9 - int(label) / 100 + d for d in (0, 0.01, -0.01)] for label in config.recipe.labels
                },
            }
            for arm, n, error in zip(arms, rows, errors[judge], strict=True)
        }
    gain = {
        judge: {
            arm: {
                "error_cut": 1 - errors[judge][n] / errors[judge][0],
                "interval": [
                    1 - errors[judge][n] / errors[judge][0] - 0.07,
                    1 - errors[judge][n] / errors[judge][0] + 0.06,
                ],
            }
            for n, arm in enumerate(arms)
            if n
        }
        for judge in judges
    }
    measures = {"frechet": 1.2, "kernel": 0.004, "precision": 0.93, "recall": 0.88, "density": 0.97, "coverage": 0.91}
    return {
        "judges": judges,
        "gain": gain,
        "quality": {
            "ceiling": measures,
            **{g.name: {k: v * 0.9 for k, v in measures.items()} for g in config.recipe.generate},
        },
        "privacy": {
            g.name: {
                "nearest_train": {"0.01": 0.8, "0.05": 1.1, "0.5": 2.4},
                "nearest_held_out": {"0.01": 0.9, "0.05": 1.2, "0.5": 2.5},
                "copies": 2,
            }
            for g in config.recipe.generate
        },
        "reconstruction": {},
        "curve": {
            judge: {
                "rows": [25, 50, 100, 200, 400, 700],
                "error": [
                    [e * (100 / n) ** 0.5 + d for d in (-0.004, 0, 0.004)]
                    for n in (25, 50, 100, 200, 400, 700)
                    for e in [errors[judge][0]]
                ],
            }
            for judge in judges
        },
        "headline": {
            "judge": "svc",
            "real_rows": 100,
            "worth": 230,
            "interval": [180, 310],
            "extrapolated": False,
            "text": "your 100 rows now work like 230 (180-310)",
        },
    }


def _evaluate(config: Config, place: Place, changed: dict[str, Any]) -> StageResult:
    runs.write_json(place.folder, "evaluate.json", {**evaluated(config), **changed})
    return StageResult({"test_rows": 790}, {"evaluate": "e"})


def real_rows(images: Any, targets: Any, split: str) -> pa.Table:
    """Rows of scikit-learn's digits."""
    pixels = (np.asarray(images) * 15.9).clip(0, 255).astype(np.uint8)
    ids = [records.real_id("sklearn", image.tobytes(), 0) for image in pixels]
    sources = [f"sklearn_digits#{n}" for n in range(len(ids))]
    return _rows(ids, [str(t) for t in targets], pixels, "real", split, sources, [[] for _ in ids])


def _rows(
    ids: list[str], labels: list[str], images: Any, origin: str, split: str, source: Any, parents: Any
) -> pa.Table:
    count = len(ids)
    table = pa.table(
        {
            "row_id": ids,
            "row_origin": [origin] * count,
            "row_parents": pa.array(parents, pa.list_(pa.string())),
            "row_split": [split] * count,
            "row_source": source if isinstance(source, list) else [source] * count,
            "row_label_source": ["given" if origin == "real" else "inherited"] * count,
            "label": labels,
            "image": [cv2.imencode(".png", image)[1].tobytes() for image in images],
        }
    )
    return records.with_hashes(records.conform(table, records.image_schema()))


def _refused(rows: pa.Table, stage: str, reason: str) -> pa.Table:
    more = {"row_stage": [stage] * rows.num_rows, "row_reason": [reason] * rows.num_rows}
    for name, values in more.items():
        rows = rows.append_column(name, pa.array(values))
    return records.conform(rows, records.refused_schema(records.image_schema()))


def decoded(rows: pa.Table) -> Any:
    """The images as uint8[N, H, W]."""
    return np.stack([cv2.imdecode(np.frombuffer(b, np.uint8), cv2.IMREAD_GRAYSCALE) for b in rows["image"].to_pylist()])


def _write(folder: str, rows: pa.Table) -> None:
    system, path = runs.filesystem(folder)
    system.create_dir(path, recursive=True)
    pq.write_table(rows, f"{path}/part-00000.parquet", filesystem=system)


def _read(folder: str) -> pa.Table:
    return pq.read_table(folder, partitioning=None)


STAGES: dict[str, Callable[..., StageResult]] = {
    "ingest": _ingest,
    "clean": _clean,
    "normalize": _normalize,
    "augment": _augment,
    "train": _train,
    "sample": _sample,
    "score": _score,
    "gate": _gate,
    "merge": _merge,
    "evaluate": _evaluate,
}


def lay_tables(config: Config) -> None:
    """Write the Delta tables that a run leaves, from what the stages staged; as Spark partitions them."""
    from deltalake import write_deltalake

    home = runs.home(config)
    clean, gate = runs.done(config, "clean"), runs.done(config, "gate")
    assert clean is not None and gate is not None
    real = pa.concat_tables([_read(f"{clean.folder}/rows/row_split={split}") for split in SPLITS])
    write_deltalake(f"{home}/clean", real)
    merged = real.filter(pa.compute.not_equal(real["row_split"], "reserve"))
    rows = pa.concat_tables([merged, _read(f"{gate.folder}/accepted")])
    write_deltalake(f"{home}/dataset", rows, partition_by=["row_origin"])
    write_deltalake(f"{home}/quarantine", _read(f"{clean.folder}/refused"), partition_by=["row_stage"])
