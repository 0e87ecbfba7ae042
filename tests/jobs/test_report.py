"""The report: what it says, that it escapes what it says, that it is one small file, and how it looks in a browser."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf import Config, runs
from jobs import report
from jobs.report_facts import facts, nearness, stage_row, verdict
from jobs.show import publish_report
from tests.jobs.grown import evaluated, grow

EVIL = '<script>alert("x")</script>&\'"'
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Page(HTMLParser):
    """The tags, texts and outside addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and value and not value.startswith(("data:", "#")):
                self.outside.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def config(config_for: Callable[..., Config]) -> Config:
    """A grown digits."""
    made = config_for("digits")
    grow(made)
    return made


def page(config: Config) -> str:
    report.run(None, config)
    return Path(runs.home(config), "report.html").read_text("utf-8")


def test_it_says_what_the_run_came_to(config: Config) -> None:
    """Headline, gain, stages, refusals with reasons, generators: all are on the page, and in metrics.json."""
    text = Page(page(config)).text
    for said in (
        "Your 100 rows now work like 230",
        "better",
        "outlier",
        "1,797",
        "train.image_gan",
        "kept the state of step 1200",
        "ceiling",
        "image.affine",
    ):
        assert said in text, said
    metrics = json.loads(Path(runs.home(config), "metrics.json").read_text())
    assert metrics["headline"]["worth"] == 230 and metrics["balanced"] is True


def test_the_worth_is_told_by_every_judge(config_for: Callable[..., Config]) -> None:
    """Judges that learn differently value the same rows differently: the page names them all."""
    config = config_for("digits")
    svc = {"judge": "svc", "worth": 230, "interval": [180, 310], "extrapolated": False, "text": "like 230"}
    cnn = {"judge": "cnn", "worth": 1410, "interval": [900, 2000], "extrapolated": True, "text": "like 1,410"}
    grow(config, headlines={"svc": svc, "cnn": cnn})
    text = " ".join(Page(page(config)).text.split())
    assert "worth: cnn 1,410 (900 to 2,000, extrapolated); svc 230 (180 to 310)." in text


def test_it_is_one_small_file(config: Config) -> None:
    """Nothing is fetched from elsewhere, no script runs, and it stays under 5 MB."""
    text = page(config)
    found = Page(text)
    assert (
        found.outside == []
        and "script" not in found.tags
        and "@import" not in text
        and "url(" not in text.replace("url(#", "")
    )
    assert len(text.encode()) < report.MAX_BYTES


def test_the_same_run_gives_the_same_page(config: Config) -> None:
    """No clock and no random order in it."""
    assert page(config) == page(config)


def test_what_people_named_is_escaped(config_for: Callable[..., Config]) -> None:
    """Labels, names and notes come from files and recipes: none may become markup or mathematics."""
    config = config_for("digits", f"about={json.dumps(EVIL)}")
    grow(config, headline={"judge": "svc", "worth": 5, "interval": [4, 6], "text": f"{EVIL} $\\frac{{"})
    found = Page(page(config))
    assert "script" not in found.tags and EVIL in found.text


def test_labels_cannot_break_the_charts() -> None:
    """A label is text in a chart too: markup is escaped, a $ starts no formula."""
    from jobs import report_figures as figures

    label = "<b>$\\frac{"
    drawn = figures.class_counts({"real": {label: 3}}, [label])
    assert "<b>" not in drawn and html.escape(label, quote=False) in drawn


def test_credentials_are_left_out(config_for: Callable[..., Config]) -> None:
    """A URI's user, password and signature do not reach the page, however they came into the recipe."""
    config = config_for("digits")
    secret = config.recipe.model_copy(update={"data": "s3://user:hunter2@bucket/x?sig=topsecret&v=1"})
    config = dataclasses.replace(config, recipe=secret)
    shown = report.resolved(config)
    assert "hunter2" not in shown and "topsecret" not in shown and "bucket/x" in shown


def gains(*intervals: tuple[float, float]) -> list[dict[str, Any]]:
    from jobs.report_facts import in_words

    return [
        {"judge": f"j{n}", "arm": "all", "interval": list(each), "words": in_words(*each)}
        for n, each in enumerate(intervals)
    ]


@pytest.mark.parametrize(
    ("intervals", "kind", "said"),
    [
        ([(0.1, 0.2), (0.05, 0.3)], "good", "fewer errors"),
        ([(0.1, 0.2), (-0.1, 0.3)], "good", "1 other saw no difference"),
        ([(-0.1, 0.2), (-0.3, 0.1)], "none", "gain nothing that could be measured"),
        ([(-0.2, -0.1)], "bad", "do harm"),
        ([(-0.2, -0.1), (0.1, 0.2)], "mixed", "help"),
        ([], "none", "no gain to report"),
    ],
)
def test_the_verdict_is_what_the_intervals_say(intervals: list[tuple[float, float]], kind: str, said: str) -> None:
    """An interval that holds zero is no gain, and the page says so plainly."""
    told = verdict(gains(*intervals), "all")
    assert told["kind"] == kind and said in told["text"]


def test_no_gain_is_said_at_the_top(config_for: Callable[..., Config]) -> None:
    """Where the made rows gain nothing, the first thing under the headline says so."""
    config = config_for("digits")
    none = {
        judge: {arm: {"error_cut": 0.01, "interval": [-0.1, 0.1]} for arm in ("augmented", "all", "synthetic")}
        for judge in ("cnn", "svc")
    }
    grow(config, gain=none)
    text = Page(page(config)).text
    assert 0 < text.index("gain nothing that could be measured") < text.index("What the made rows are worth")


def test_a_stage_that_loses_rows_is_told(config: Config) -> None:
    """in = out + refused + merged + left out, else the page says that it does not add up."""
    done = runs.done(config, "clean")
    assert done is not None and stage_row(done)["adds_up"] is True
    lost = runs.Done(**{**done.__dict__, "counts": {**done.counts, "kept": 1789}})
    assert stage_row(lost)["adds_up"] is False
    assert facts(config, {"clean": lost})["balanced"] is False


def test_only_real_rows_make_a_report_too(config_for: Callable[..., Config], tmp_path: Path) -> None:
    """A recipe that makes no rows still gets its page."""
    config = config_for("digits", "augment=null", "generate=[]")
    told = evaluated(config)
    only = {judge: {"real": arms["real"]} for judge, arms in told["judges"].items()}
    from tests.jobs import grown

    for name in ("ingest", "clean", "normalize", "merge"):
        place = runs.locate(config, name)
        runs.finish(place, grown.STAGES[name](config, place), 1.0)
    place = runs.locate(config, "evaluate")
    runs.finish(
        place,
        grown.STAGES["evaluate"](
            config, place, {"judges": only, "gain": {}, "headline": {}, "quality": {}, "privacy": {}}
        ),
        1.0,
    )
    assert "Nothing was added: the recipe makes no rows" in Page(page(config)).text


def test_an_older_report_is_put_back(config: Config) -> None:
    """Where a recipe goes back and its report is not made anew, the older page is the one that people see again."""
    first = page(config)
    Path(runs.home(config), "report.html").write_text("another recipe's")
    publish_report(config, runs.locate(config, "report").folder)
    assert Path(runs.home(config), "report.html").read_text("utf-8") == first


def test_many_large_pictures_still_fit(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the page would be too large it shows fewer pictures, not a larger page."""
    whole = len(page(config).encode())
    monkeypatch.setattr(report, "MAX_BYTES", whole - 1000 + report.ROOM_BYTES)
    assert len(page(config).encode()) < whole - 1000


# ---- in a browser ----


def browser() -> str:
    found = next((name for name in BROWSERS if shutil.which(name)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    return found


MEASURE = """<body style="margin:0">
<iframe id=f style="border:0;width:{width}px;height:9000px" srcdoc="{page}"></iframe>
<pre id=o></pre><script>
f.onload = () => {{ const d = f.contentDocument;
  const outside = e => e.getBoundingClientRect().right > {width} + 1 && !e.closest(".scroll, pre, svg");
  const wide = [...d.querySelectorAll("body *")].filter(outside);
  const pictures = [...d.images].filter(i => !i.complete || !i.naturalWidth).length;
  o.textContent = JSON.stringify({{width: d.documentElement.scrollWidth,
    wide: wide.map(e => e.tagName + "." + e.className),
    broken: pictures, pictures: d.images.length,
    charts: d.querySelectorAll("svg").length, height: d.documentElement.scrollHeight}}) }}</script>"""


def seen_in_a_browser(page: str, width: int, folder: Path) -> dict[str, Any]:
    """What a real browser makes of a page at this width."""
    name = browser()
    (folder / "frame.html").write_text(MEASURE.format(width=width, page=html.escape(page)), "utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={folder / 'profile'}",
    ]
    answer = subprocess.run(
        [
            name,
            *flags,
            "--virtual-time-budget=10000",
            "--window-size=1400,1000",
            "--dump-dom",
            f"file://{folder}/frame.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r'<pre id="o">({.*?})</pre>', answer.stdout)
    assert found, answer.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_a_phone_and_a_desk(width: int, config: Config, tmp_path: Path) -> None:
    """In a real browser nothing is wider than the page, every picture decodes, every chart is there."""
    seen = seen_in_a_browser(page(config), width, tmp_path)
    assert seen["width"] <= width and seen["wide"] == []
    assert seen["broken"] == 0 and seen["pictures"] > 30 and seen["charts"] >= 6


def test_pictures_are_the_rows() -> None:
    """A strip decodes to the very pixels of its rows, in order."""
    import base64

    import cv2

    from jobs.report_figures import picture

    rows = [np.full((8, 8), value, np.uint8) for value in (10, 200)]
    uri = picture([cv2.imencode(".png", row)[1].tobytes() for row in rows])
    strip = cv2.imdecode(np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert strip[..., 0][:, :8].tolist() == rows[0].tolist() and strip[..., 0][:, -8:].tolist() == rows[1].tolist()


def test_samples_stand_apart() -> None:
    """A grid of samples gets lines between its tiles, and every tile stays as it was."""
    import base64

    import cv2

    from jobs.report_figures import sheet

    grid = np.kron(np.array([[10, 60], [120, 250]], np.uint8), np.ones((8, 8), np.uint8))
    uri = sheet(cv2.imencode(".png", grid)[1].tobytes(), (8, 8))
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown.shape == (17, 17)
    assert (shown[:8, :8] == 10).all() and (shown[9:, 9:] == 250).all()
    assert len(np.unique(shown[8])) == len(np.unique(shown[:, 8])) == 1


def test_curves_that_say_how_a_training_went_come_first() -> None:
    """Quality, variety and the losses in one chart; real and fake scores in one chart; the rest after them."""
    from jobs.report_pictures import _in_order, curves

    entry = {"critic.loss": 1.0, "generator.loss": 2.0, "critic.fake_score": 0.1, "critic.real_score": 0.2}
    drawn = curves([{"step": 5, "critic.recognition": 3.0, **entry, "quality": 0.5, "variety": 1.0}])
    assert _in_order(drawn) == ["quality", "variety", "loss", "recognition", "score"]
    assert drawn["loss"] == {"critic": [(5.0, 1.0)], "generator": [(5.0, 2.0)]}
    assert drawn["score"] == {"critic.fake": [(5.0, 0.1)], "critic.real": [(5.0, 0.2)]}


@pytest.mark.parametrize(
    ("to_train", "to_others", "copies", "said"),
    [
        (36.0, 54.0, 0, "33 % nearer to a row that it learned from"),
        (50.0, 50.0, 0, "no nearer"),
        (60.0, 50.0, 3, "3 copies of train rows were found"),
    ],
)
def test_nearness_to_train_rows_is_told_as_it_is(to_train: float, to_others: float, copies: int, said: str) -> None:
    """A generator that keeps close to its train rows is called so, by how much, with its copies."""
    found = {
        "copies": copies,
        "nearest_train_same_number": {"0.5": to_train},
        "nearest_held_out": {"0.5": to_others},
    }
    assert said in nearness(found)
