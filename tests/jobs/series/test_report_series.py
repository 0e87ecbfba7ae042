"""The report of series, with labels and without: what is made lies beside what is real, and nothing is missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from jobs import report
from tests.jobs.series.grown import GENERATOR, grow, with_generator
from tests.jobs.series.made import recipe
from tests.udfs.series.test_series_likeness import waves


def page_of(folder: Path, labels: list[str]) -> tuple[str, dict]:
    """The page of waves, and the numbers on it."""
    split = {"train": 60, "val": 60, "rest": "test", **({} if labels else {"stratify": None})}
    config = with_generator(recipe(folder, labels=labels, split=split))
    named = lambda count: [labels[place % 2] if labels else None for place in range(count)]  # noqa: E731
    sets = {name: (waves(80, seed, steps=12), named(80)) for seed, name in enumerate(("train", "val", "test", "made"))}
    sets["made"][0][0] = sets["train"][0][0]  # a copy
    dones = grow(config, folder, sets)
    facts = report.facts(config, dones)
    return report.html(config, dones, facts).decode(), facts


@pytest.mark.parametrize("labels", [["rise", "fall"], []])
def test_real_and_made_windows_lie_side_by_side(tmp_path: Path, labels: list[str]) -> None:
    page, facts = page_of(tmp_path, labels)
    for words in ("Values, step by step", "Over time", "Principal axes", "Neighbours (t-SNE)", "Nearest of all",
                  "Can a judge tell generated windows", "How like the real windows?", "ceiling (other real windows)",
                  "near copies", "left", "right"):  # fmt: skip
        assert words in page, words
    assert ("Classes before and after" in page) == bool(labels)
    assert "None" not in re.sub(r"<style>.*?</style>|<pre>.*?</pre>", "", page, flags=re.S)
    assert '<td class="n" rowspan="2">0.00</td>' in page  # the copy, beside its train window
    assert set(facts["quality"]) == set(facts["privacy"]) == set(facts["two_sample"]) == {"ceiling", GENERATOR}
    assert len(facts["series"]["planes"]["pca"][GENERATOR]) == len(facts["series"]["planes"]["tsne"]["train"]) == 80
    assert facts["privacy"][GENERATOR]["copies"] == 1 / 80 and np.isfinite(facts["quality"][GENERATOR]["ks"])


def test_a_page_without_made_windows_says_so(tmp_path: Path) -> None:
    config = recipe(tmp_path)
    sets = {name: (waves(12, steps=12), ["rise"] * 12) for name in ("train", "val", "test", "made")}
    dones = grow(with_generator(config), tmp_path, sets)
    kept = {key: each for key, each in dones.items() if key == "clean"}
    page = report.html(config, kept, report.facts(config, kept)).decode()
    assert "There are no generated rows to compare" in page and "Values, step by step" not in page
