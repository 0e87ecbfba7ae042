"""The gate on rows of tables: the first reason that holds, in words that tell which bound was broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from conf import runs
from jobs import gate
from synth.tables.pools import to_pool
from synth.tables.verdicts import bench, judge_rows
from tests.jobs.merging import held
from tests.synth.staged import finish
from tests.synth.tables import staged

KEPT = {"verdict": "kept", "share": 1.0, "below": None}


def test_rows_of_tables_are_refused_with_the_first_reason_that_holds(spark: Any, tmp_path: Path) -> None:
    """Bounds, copies among generated rows alone, unlikely rows, rows that lie far off; all others are accepted."""
    config = staged.config_at(tmp_path)
    form, train = staged.form(config), staged.real_matrices(config)["train"]
    made = staged.perfect(config)
    made[0, 3], made[1], made[2, 0], made[3, 0] = 41, train[1], 60, -2.5
    made[4], made[4, 3] = train[4], 41
    sample, children = staged.generated(config, made), staged.children(config)
    staged.stage_up(config, {"augment": children, "sample": sample})
    real = staged.real_tables(config)
    against = bench(*(to_pool(real[split], form, {}) for split in ("train", "val")), form, config)
    likelihood = lambda matrix: np.where(matrix[:, 0] == -2.5, -9.0, 0.0)  # noqa: E731
    verdicts = [judge_rows(children, against, None, -np.inf), judge_rows(sample, against, likelihood, -1.0)]
    folder = runs.locate(config, "score").folder
    runs.write_json(folder, "usefulness.json", {"augmented": KEPT, "generated": {"made": KEPT}})
    finish(config, "score", "", {"verdicts": pa.concat_tables(verdicts)}, {})
    done = runs.finish(runs.locate(config, "gate"), gate.run(spark, config), 0.0)
    ids = sample.column("row_id").to_pylist()
    refused = {row["row_id"]: (row["row_reason"], row["row_detail"]) for row in held(config, "quarantine").values()}
    assert refused[ids[0]] == ("breaks_constraint", "count is above 40")
    assert refused[ids[4]] == ("breaks_constraint", "count is above 40"), "before it is looked at as a copy"
    assert refused[ids[1]][0] == "copy_of_train" and real["train"].column("row_id")[1].as_py() in refused[ids[1]][1]
    assert refused[ids[2]][0] == "too_far"
    assert refused[ids[3]][0] == "unlikely" and refused[ids[3]][1].endswith("log-likelihood -9.00")
    assert not refused.keys() & set(children.column("row_id").to_pylist())
    assert done.counts["in"] == 800 == done.counts["accepted"] + len(refused)
