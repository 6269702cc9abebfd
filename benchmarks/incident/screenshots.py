"""Takes screenshots of the console during the incident: with the extra `console`, playwright and Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resilience import Policies
from resilience.console import serve

__all__ = ["Screenshots", "console_in_browser"]

_SIZE = {"width": 1240, "height": 800}
_PICTURES = {"outage": "console-outage.png", "ban": "console-ban.png", "wrong key": "console-wrong-key.png"}
"""The phases of which there is a picture."""
_SETTLE = 700  # milliseconds for the page to show what is so now


class Screenshots:
    """A page of the console, of which a picture is taken at the end of some phases.

    Attributes:
        pictures: the files that were written.
    """

    def __init__(self, page: Any, folder: Path) -> None:
        self._page, self._folder = page, folder
        self.pictures: list[Path] = []

    def take(self, phase: str) -> None:
        """Take the picture of a phase, if there is one: pass it to `Incident.run`."""
        if phase in _PICTURES:
            picture = self._folder / _PICTURES[phase]
            self._page.wait_for_timeout(_SETTLE)
            self._page.screenshot(path=picture)
            self.pictures.append(picture)


@contextmanager
def console_in_browser(policies: Policies, folder: Path) -> Iterator[Screenshots]:
    """Open the console of these policies in a browser."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with serve(policies) as console, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=_SIZE, color_scheme="light")
        page.goto(console.url)
        yield Screenshots(page, folder)
        browser.close()
