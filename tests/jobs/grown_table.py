"""A grown table as the stages leave it on disk, without an engine: for tests of its report.

Rows, verdicts and what is drawn of columns are the stages' own; what judges say is made up.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from conf import Config, runs
from conf.runs import StageResult
from synth.tables import looks
from synth.tables.pools import to_pool
from synth.tables.verdicts import bench, judge_rows
from tests.synth.staged import finish
from tests.synth.tables import staged
from udfs import records

MADE = 400
TOLD = {"auc": 0.9, "pr_auc": 0.8, "f1": 0.7, "minority_f1": 0.65, "accuracy": 0.85, "log_loss": 0.3}
NUMBERS = {"r2": 0.8, "rmse": 1.2, "mae": 0.9}
QUALITY = {
    "rows": 300,
    "shapes": 0.99,
    "trends": 0.98,
    "precision": 0.97,
    "recall": 0.95,
    "density": 1.01,
    "coverage": 0.96,
}
PRIVACY = {"rows": 300, "copies": 0.0, "dcr": {"0.05": 0.01, "0.5": 0.05, "0.95": 0.1}, "dcr_share": 0.5, "of": 200}


def grow(config: Config, **changed: Any) -> None:
    """Finish every stage before the report; `changed` overrides parts of what evaluate says."""
    form = staged.form(config)
    sample = staged.generated(config, staged.perfect(config, MADE))
    staged.stage_up(config, {"augment": staged.children(config), "sample": sample})
    real = staged.real_tables(config)
    against = bench(*(to_pool(real[split], form, {}) for split in ("train", "val")), form, config)
    everything = {"augment": staged.children(config), "sample.made": sample}
    verdicts = pa.concat_tables([judge_rows(each, against, None, 0.0) for each in everything.values()])
    folder = runs.locate(config, "score").folder
    runs.write_json(folder, "usefulness.json", usefulness())
    finish(config, "score", "", {"verdicts": verdicts}, {"rows": verdicts.num_rows})
    refused = refusals(config, sample.slice(0, 3))
    accepted = pa.concat_tables([staged.children(config), sample.slice(3)])
    counts = {"in": 800, "accepted": 797, "refused": {"breaks_constraint": 2, "copy_of_train": 1}, "by": {}}
    finish(config, "gate", "", {"accepted": accepted, "refused": refused}, counts)
    finish(config, "merge", "", {}, {"rows": 1000})
    place = runs.locate(config, "evaluate")
    runs.write_json(place.folder, "evaluate.json", evaluated(config) | changed)
    runs.finish(place, StageResult({"rows": 30}, {"evaluate": "e"}), 2.0)


def refusals(config: Config, rows: pa.Table) -> pa.Table:
    """Refused rows with their reasons."""
    told = rows.append_column("row_stage", pa.array(["gate"] * 3))
    told = told.append_column("row_reason", pa.array(["breaks_constraint", "breaks_constraint", "copy_of_train"]))
    told = told.append_column("row_detail", pa.array(["count is above 40", "b is missing", "nearest train row x"]))
    return records.conform(told, records.refused_schema(records.row_schema(config.recipe)))


def usefulness() -> dict[str, Any]:
    """What score decided."""
    entry = {"share": 1.0, "rows": 400, "val_error": {"without": 0.2, "with": 0.19}, "interval": [-0.02, 0.01]}
    return {
        "augmented": {"verdict": "kept", **entry},
        "generated": {"made": {"verdict": "kept", **entry}},
        "candidates": [],
    }


def evaluated(config: Config) -> dict[str, Any]:
    """evaluate.json."""
    told = NUMBERS if staged.is_regression(config) else TOLD
    error = "1 - R2" if staged.is_regression(config) else "1 - AUC"
    arms = {"real": 200, "augmented": 600, "all": 1000, "synthetic": 400}
    judged = {
        arm: {"rows": rows, "error": [0.1, 0.11], **{name: [value, value] for name, value in told.items()}}
        for arm, rows in arms.items()
    }
    gain = {arm: {"error_cut": 0.2, "interval": [0.1, 0.3]} for arm in arms if arm != "real"}
    kinds = config.recipe.evaluate.judges
    tests = {
        f"{name}|{kind}": {"auc": 0.52, "score": 0.96, "rows": 200}
        for name in ("ceiling|train", "made|train", "made|test")
        for kind in ("boosting", "logistic")
    }
    remedies = {
        name: {
            "val_f1": 0.5,
            "val_pr_auc": 0.5,
            "test_f1": 0.5,
            "test_pr_auc": 0.5,
            "interval": [-0.1, 0.1],
            "helps": False,
        }
        for name in ("nothing", "weights", "threshold", "smote", "generated")
    }
    headline = {"judge": kinds[0], "real_rows": 200, "worth": 350, "interval": [280, 420], "extrapolated": False}
    headline["text"] = "your 200 rows now work like 350 (280-420)"
    return {
        "judges": dict.fromkeys(kinds, judged),
        "gain": dict.fromkeys(kinds, gain),
        "curve": {kind: {"rows": [50, 100, 200, 400], "error": [[0.2], [0.15], [0.11], [0.09]]} for kind in kinds},
        "headlines": {kinds[0]: headline},
        "headline": headline,
        "error": error,
        "two_sample": tests,
        "quality": dict.fromkeys(("ceiling", "made"), QUALITY | {"association_difference": 0.02}),
        "privacy": dict.fromkeys(("ceiling", "made"), PRIVACY | {"nndr": PRIVACY["dcr"]}),
        "lopsided": None
        if staged.is_regression(config)
        else {"class": "yes", "remedies": remedies, "best": "smote", "wins": "nothing"},
    } | drawn(config)


def drawn(config: Config) -> dict[str, Any]:
    """What evaluate tells of columns."""
    form, real = staged.form(config), staged.real_matrices(config)
    sets = {"train": real["train"], "test": real["test"], "made": staged.perfect(config, MADE)}
    whole = looks.associations(form, sets["train"])
    off = {name: (looks.associations(form, each) - whole).round(3).tolist() for name, each in sets.items()}
    return {
        "columns": looks.histograms(form, sets),
        "associations": {"columns": looks.names(form), "train": whole.tolist(), "difference": off},
        "projection": looks.projection(form, sets),
    }
