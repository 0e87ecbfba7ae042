"""The Spark half of label: sure votes become labels, unsure ones refusals."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf import runs
from conf.errors import StageError
from tests.jobs.made import class_folders, picture, png, put, recipe, run, table


def test_sure_votes_become_train_labels_and_the_others_wait_in_quarantine(spark, tmp_path):
    data = class_folders(tmp_path / "data", 10)
    for number in range(6):
        put(data / f"{number}.png", png(picture(800 + number)))
    folder = {"name": "folder", "reader": "image_folder", "path": "data"}
    config = recipe(tmp_path, [folder], label={})
    clean = run(spark, config, "ingest", "clean")
    asked = sorted(row["row_id"] for row in table(config, "clean") if row["row_split"] == "unlabelled")
    assert len(asked) == 6

    place = runs.locate(config, "label")
    with pytest.raises(StageError, match="label has no votes in"):
        run(spark, config, "label")
    confidence = [0.99, 0.95, 0.9, 0.899, 0.1]  # and no vote on the sixth
    votes = pa.table({"row_id": asked[:5], "label": ["cat", "dog", "cat", "dog", "cat"], "confidence": confidence})
    runs.filesystem(place.folder)[0].create_dir(f"{place.folder}/votes.parquet")
    pq.write_table(votes, f"{place.folder}/votes.parquet/part-00000.parquet")
    runs.write_json(place.folder, "label.json", {"threshold": 0.9, "rows": 6, "sure": 3, "expected_precision": 0.99})
    done = run(spark, config, "label")

    assert (done.counts["in"], done.counts["kept"], done.counts["refused"]) == (26, 23, {"label_unsure": 3})
    assert (done.counts["asked"], done.counts["labelled"]) == (6, 3)
    train = pq.read_table(f"{done.folder}/rows/row_split=train", partitioning=None).to_pylist()
    taken = {row["row_id"]: row for row in train if row["row_label_source"] == "model"}
    assert {row_id: (row["label"], row["row_label_confidence"]) for row_id, row in taken.items()} == {
        asked[0]: ("cat", 0.99),
        asked[1]: ("dog", 0.95),
        asked[2]: ("cat", 0.9),
    }
    assert {row["row_split"] for row in taken.values()} == {"train"}
    refused = {row["row_id"]: row for row in table(config, "quarantine") if row["row_stage"] == "label"}
    assert sorted(refused) == asked[3:]
    assert "dog with confidence 0.8990, under 0.9000" in refused[asked[3]]["row_detail"]
    assert all(row["image"] for row in refused.values())
    for split in ("val", "test"):
        assert done.outputs[split] == clean.outputs[split]
    assert runs.real(config).folder == done.folder
