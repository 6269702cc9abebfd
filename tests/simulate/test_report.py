"""The report in a real browser: on phone and desktop, in light and dark, nothing is cut off, unreadable or fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, Policy
from resilience.simulate import Incident, Scenario, Surge
from resilience.simulate.policy_comparison import Comparison, Job, run_job
from resilience.simulate.report import render_page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]

SCENARIO = Scenario(
    title="An outage, a brownout and a surge",
    about="The service hangs, later every other request fails, and at last everybody calls at once.",
    clients=3,
    rate=10,
    capacity=50,
    incidents=(Incident(start=12, end=30), Incident(start=36, end=44, share=0.5, kind="error")),
    surges=(Surge(start=48, end=52, factor=2),),
    lasts=60,
)
VIEWS = [(width, scheme) for width in (360, 1280) for scheme in ("light", "dark")]
TEXTS = (
    "h1", ".kicker", ".about", ".facts li", ".card h3", ".reasons li", ".card dt", ".card dd", ".badge", ".legend li",
         ".ys b", ".xs b", ".names em", "summary", "th", "td", ".guide li", ".note")  # fmt: skip
LINES = (".line.attempts", ".line.good", ".line.p50", ".line.p99", ".line.budget")
BOXES = """
(all) => all.filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().toJSON())
"""
CONTRAST = """
(one) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  let under = one, back;
  do {
    back = parse(getComputedStyle(under).backgroundColor);
    under = under.parentElement;
  } while (back.length > 3 && back[3] === 0);
  const style = getComputedStyle(one);
  const front = parse(one instanceof SVGElement ? (style.stroke === "none" ? style.fill : style.stroke) : style.color);
  const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
}
"""


def comparison() -> Comparison:
    """Three policies with different verdicts, one with a long name, and the baseline."""
    built_in = Policies.builtin().policy("default")
    eager = Policy(name="eager_retries_of_an_anxious_bot", deadline="30s", retry={"max_attempts": 5})
    shy = Policy(name="shy", breaker={"failure_rate": None, "consecutive": 3, "open_for": "20s", "open_max": "20s"})
    runs = [run_job(Job(one.name, one, SCENARIO, 1)) for one in (built_in, eager, shy)]
    return Comparison(SCENARIO, 1, tuple(runs), run_job(Job("no policy", None, SCENARIO, 1)))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on disk, as a user has it."""
    path = tmp_path_factory.mktemp("report") / "out.html"
    path.write_text(render_page(comparison()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(report: Path) -> Iterator[Any]:
    """A headless browser."""
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        made = playwright.chromium.launch(executable_path=BROWSER, args=options)
        yield made
        made.close()


@pytest.fixture(
    scope="module",
    params=[pytest.param(view, marks=pytest.mark.slow if view != VIEWS[0] else ()) for view in VIEWS],
    ids=lambda view: f"{view[0]}-{view[1]}",
)
def seen(request: pytest.FixtureRequest, browser: Any, report: Path) -> Iterator[Any]:
    """The page in a browser, with its console messages and its requests."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    view = context.new_page()
    view.messages, view.requested, view.width, view.scheme = [], [], width, scheme
    view.on("console", lambda message: view.messages.append(message.text))
    view.on("pageerror", lambda error: view.messages.append(str(error)))
    view.on("request", lambda sent: view.requested.append(sent.url))
    view.goto(report.as_uri())
    yield view
    context.close()


def boxes(view: Any, selector: str) -> list[dict[str, float]]:
    """Return the boxes of the visible elements."""
    found: list[dict[str, float]] = view.locator(selector).evaluate_all(BOXES)
    return [box for box in found if box["width"] > 0]


def test_it_asks_for_nothing_and_complains_of_nothing(seen: Any, report: Path) -> None:
    """No console message, no request but for the file itself."""
    assert seen.messages == []
    assert [url for url in seen.requested if not url.startswith("data:")] == [report.as_uri()]


def test_its_parts_are_there(seen: Any) -> None:
    """Title, story, a card and four charts for each policy and for none, the table, and how to read it."""
    assert seen.locator("h1").inner_text() == SCENARIO.title
    assert seen.locator(".about").inner_text() == SCENARIO.about
    assert len(boxes(seen, ".card")) == len(boxes(seen, ".lane")) == 4
    assert len(boxes(seen, ".lane figure")) == 16
    assert len(boxes(seen, "figure svg")) == 11  # eager has neither breaker nor budget, shy no budget, none has none
    assert [one.lower() for one in seen.locator(".badge").all_inner_texts()[-1:]] == ["baseline"]
    assert len(boxes(seen, "section > .scroll tbody tr")) == 15
    assert seen.locator(".names em").all_inner_texts()[:3] == ["hangs", "50% fail", "2 times the load"]


def test_nothing_is_cut_off(seen: Any) -> None:
    """The page does not scroll sideways, and every part lies within it; charts are wide enough to be read."""
    assert seen.evaluate("document.documentElement.scrollWidth") <= seen.width
    for selector in (
        ".card",
        ".lane",
        "figure",
        "svg",
        ".legend li",
        ".xs b",
        ".ys b",
        ".badge",
        ".names em",
        ".facts li",
    ):
        for box in boxes(seen, selector):
            assert box["x"] >= 0, (selector, box)
            assert box["x"] + box["width"] <= seen.width + 0.5, (selector, box)
    assert min(box["width"] for box in boxes(seen, "figure svg")) >= 200
    assert min(box["height"] for box in boxes(seen, "figure svg")) >= 60


def test_labels_do_not_lie_on_each_other(seen: Any) -> None:
    """Labels of a chart do not overlap: those of its axes, and the names of its incidents."""
    for chart in seen.locator(".plot").all()[:4]:
        for axis, start, size in ((".ys b", "y", "height"), (".xs b", "x", "width")):
            spans = sorted((box[start], box[start] + box[size]) for box in boxes(chart, axis))
            assert all(before[1] <= after[0] + 1 for before, after in pairwise(spans)), axis
    names = sorted((box["y"], box["x"], box["x"] + box["width"]) for box in boxes(seen.locator(".plot").first, "em"))
    assert len(names) == 3
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(names))


def test_colours_can_be_distinguished(seen: Any) -> None:
    """The contrast of text is at least 4.5, of lines 3; the color scheme is the one asked for."""
    red, *_ = seen.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert red > 200 if seen.scheme == "light" else red < 60
    for selectors, least in ((TEXTS, 4.5), (LINES, 3.0)):
        for selector in selectors:
            for one in {0, seen.locator(selector).count() - 1}:
                assert seen.locator(selector).nth(one).evaluate(CONTRAST) >= least, selector


def test_it_can_be_read_without_seeing_the_charts(seen: Any) -> None:
    """Every drawing says what it shows, and the figures behind it are a click away, reached by the keyboard too."""
    labels = seen.locator("figure svg").evaluate_all("all => all.map(one => [one.getAttribute('role'), one.ariaLabel])")
    assert all(role == "img" and len(words) > 30 for role, words in labels)
    assert len(boxes(seen, "details table")) == 0
    seen.locator("summary").first.focus()
    seen.keyboard.press("Enter")
    assert len(boxes(seen, "details table")) == 1
    assert seen.evaluate("document.documentElement.scrollWidth") <= seen.width
    seen.keyboard.press("Enter")
