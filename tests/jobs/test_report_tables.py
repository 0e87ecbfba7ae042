"""The report of a table: what it says, that it escapes what columns and cells hold, and how it looks in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf import Config, runs
from jobs import report
from tests.jobs.grown_table import grow
from tests.jobs.test_report import EVIL, Page, seen_in_a_browser
from tests.synth.tables import staged


def page(config: Config) -> str:
    report.run(None, config)
    return Path(runs.home(config), "report.html").read_text("utf-8")


@pytest.fixture(scope="module", params=["classes", "numbers"])
def config(request: Any, tmp_path_factory: Any) -> Config:
    """A grown table, its label a class or a number."""
    made = staged.config_at(tmp_path_factory.mktemp("t"), *(staged.REGRESSION if request.param == "numbers" else ()))
    grow(made)
    return made


def test_it_says_what_the_run_came_to(config: Config) -> None:
    """Headline, gain, measures, columns, tests beside their ceilings, refusals with reasons: all are on the page."""
    text = " ".join(Page(page(config)).text.split())
    for said in (
        "Your 200 rows now work like 350",
        "The error is 1 - R2" if staged.is_regression(config) else "The error is 1 - AUC",
        "R2 RMSE MAE".replace(" ", "") if staged.is_regression(config) else "minority F1",
        "had a smaller error",
        "ceiling (real test rows)",
        "0.520 (0.96)",
        "copy of train",
        "Nearest of all",
        "association difference",
    ):
        assert said in text, said
    assert "count is above 40" in text or "b is missing" in text
    assert ("What helps the rare class yes" in text) != staged.is_regression(config)


def test_it_is_one_small_file_and_the_same_each_time(config: Config) -> None:
    first = page(config)
    assert Page(first).outside == [] and "script" not in Page(first).tags
    assert len(first.encode()) < report.MAX_BYTES / 2
    assert page(config) == first


def test_what_cells_hold_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A category's name may be markup or mathematics."""
    evil = f"{EVIL} $\\frac{{"
    monkeypatch.setitem(staged.CATEGORIES, "group", [evil, "q", "r"])
    config = staged.config_at(tmp_path, ("values: [p, q, r]", "about: x"))
    grow(config)
    found = Page(page(config))
    assert "script" not in found.tags and EVIL[:20] in found.text


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_a_phone_and_a_desk(width: int, config: Config, tmp_path: Path) -> None:
    """In a real browser nothing is wider than the page, and every chart is there."""
    seen = seen_in_a_browser(page(config), width, tmp_path)
    assert seen["width"] <= width and seen["wide"] == []
    assert seen["broken"] == 0 and seen["charts"] >= 10
