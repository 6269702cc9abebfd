"""The site builds without warnings, is complete, and loads nothing from another host."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BUILT = "built"  # a file that is there when the site is complete
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ITEM = re.compile(r'<li class="doc-section-item field-body">(.*?)</li>', re.DOTALL)
pytestmark = pytest.mark.slow  # a build of the site costs what a thousand other tests cost
PICTURES = sorted((ROOT / "docs" / "images").glob("*.svg"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The docs, which one of the workers builds and the others wait for."""
    pytest.importorskip("material")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + 300
        while not (folder / BUILT).exists():
            assert folder.exists(), "the docs cannot be built; the worker that tried says why"
            assert time.monotonic() < end
            time.sleep(0.1)
    else:
        build(folder)
        (folder / BUILT).touch()
    return folder


def build(folder: Path) -> None:
    """Build the docs strictly. Without `--quiet`, which hides the warnings that `--strict` counts."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", ".ci/mkdocs.yml"]
    done = subprocess.run(
        [*command, "--site-dir", str(folder)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(folder)  # those that wait see it
    assert done.returncode == 0, done.stderr


class Loads(HTMLParser):
    """Collects the addresses that a page loads by itself, without the links that a reader may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "link"):
            self.addresses.append(attributes.get("src") or attributes.get("srcset") or attributes.get("href") or "")


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts and pictures are all the site's own; so are those that its styles name."""
    foreign = []
    for page in site.rglob("*.html"):
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        foreign += [f"{page.relative_to(site)}: {url}" for url in loads.addresses if re.match(r"(https?:)?//", url)]
    for style in site.rglob("*.css"):
        foreign += re.findall(r"url\(['\"]?(?:https?:)?//[^)]*|@import[^;]*", style.read_text("utf-8"))
    assert foreign == []


def test_every_picture_follows_the_scheme(site: Path) -> None:
    """Each picture is part of a page, has a title for readers who cannot see it, and has colours for both schemes."""
    pages = "".join(page.read_text("utf-8") for page in site.rglob("*.html"))
    for picture in PICTURES:
        text = picture.read_text("utf-8")
        if picture.name != "demo.svg":  # a terminal, which is dark in both
            assert "[data-md-color-scheme=slate]" in text
            assert "prefers-color-scheme:dark" in text
        title = re.search(r'<title id="([\w-]+)">[^<]{20,}</title>', text)
        assert title, picture.name
        assert f'aria-labelledby="{title[1]}"' in pages, f"{picture.name} is on no page"


def test_a_moving_picture_has_a_still_one_for_reduced_motion(site: Path) -> None:
    """Each page that shows one names the still one, which is there, for readers whose system asks for less motion."""
    shown = 0
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        stills = re.findall(r'<source media="\(prefers-reduced-motion: reduce\)" srcset="([^"]+)"><img ', text)
        assert len(stills) == len(re.findall(r'<img [^>]*src="[^"]+\.webp"', text)), page.name
        assert [name for name in stills if not (page.parent / name).is_file()] == []
        shown += len(stills)
    assert shown


def test_the_reference_contains_the_docstrings(site: Path) -> None:
    """The reference is generated from docstrings: the words on parameters are on the page, and examples are code."""
    pages = {page.stem: page.read_text("utf-8") for page in (site / "reference" / "python").glob("*.html")}
    assert not [name for name, page in pages.items() if '<details class="example"' in page]
    for name, sentence in (
        ("calls", "Put a function or method, sync or async, under a policy."),
        ("calls", "whether sending twice is harmless; None means a write, which is never blindly sent twice."),
        ("errors", "seconds after which a new call may be admitted, or None when that is unknown."),
        ("bitget", "Place an order: symbol side orderType size, and price force clientOid if they apply."),
    ):
        assert sentence in re.sub(r"<[^>]+>", "", pages[name])


def test_the_reference_gives_types(site: Path) -> None:
    """Each attribute, parameter and result of a documented name has its type."""
    untyped = []
    for page in (site / "reference" / "python").glob("*.html"):
        for item in re.findall(
            r'<li class="doc-section-item field-body">(.*?)</li>', page.read_text("utf-8"), re.DOTALL
        ):
            text = " ".join(re.sub(r"<[^>]+>", "", item).split())
            if item.lstrip().startswith("<b>") and not re.match(r"[*]*\w+ \( ?\S", text):
                untyped.append(f"{page.stem}: {text}")
    assert untyped == []


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The site on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


SEARCHES = {
    "metrics": "What to watch",
    "logging": "Logging and your program",
    "timeout": "Deadline and timeouts",
    "outbox": "Outbox and fleet",
    "failure_of": "Errors and failures",
}
"""What a reader searches for, and a page that has the answer, one of the first three results."""


@pytest.mark.skipif(CHROMIUM is None, reason="no browser here")
def test_in_a_browser(site: Path, served: str) -> None:
    """On a phone and on a desktop, light and dark: no page is too wide, no error is logged, and the search works."""
    sync = pytest.importorskip("playwright.sync_api")
    problems: list[str] = []
    ours = (served, "file:", "data:", "blob:")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme, width in (("light", 390), ("dark", 1366)):
            page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
            page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("request", lambda sent: None if sent.url.startswith(ours) else problems.append(sent.url))
            for path in ("", "explanation/fences.html", "strategies/quota-and-holds.html", *reference_pages(site)):
                page.goto(served + path)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    problems.append(f"{path} is wider than {width}")
            assert page.evaluate("document.body.dataset.mdColorScheme") == ("default" if scheme == "light" else "slate")
            for start in (served, f"file://{site}/index.html"):
                page.goto(start)
                assert "resilience" in search_results(page, "idempotent")
            for words, title in SEARCHES.items():
                page.goto(served)
                search_results(page, words)
                assert title in page.locator(".md-search-result__item h1").all_inner_texts()[:3], words
        browser.close()
    assert problems == []


def reference_pages(site: Path) -> list[str]:
    """Return the paths of the index of the Python reference and of its pages."""
    pages = sorted((site / "reference" / "python").glob("*.html"))
    return ["reference/python.html", *(page.relative_to(site).as_posix() for page in pages)]


def search_results(page: Any, words: str) -> str:
    """Search for words and return the text of the results."""
    button = page.locator("label.md-header__button[for=__search]")
    if button.is_visible():
        button.click()
    page.locator("input.md-search__input").press_sequentially(words)
    page.locator(".md-search-result__item").first.wait_for()
    return str(page.locator(".md-search-result__list").inner_text())
