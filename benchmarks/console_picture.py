"""Draws the picture of the console in the docs: the page beside the demo bot, when it is in trouble.

    python -m benchmarks.console_picture [--seconds 20] [--out docs/images/console.png] [--scheme light]

It needs the extras `console` and `dev`, and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from resilience.cli.demo_bot import DemoBot
from resilience.console import start_console

WIDTH, HEIGHT = 1320, 820


def draw(seconds: float, out: Path, scheme: str) -> None:
    """Run the demo bot for a while and save what the page shows then."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with DemoBot() as bot, start_console(bot.policies, host="127.0.0.1", port=0, token=None) as console:
        time.sleep(seconds)  # the bot works in real time, and the picture is of its last minute
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            scheme_of_page: Any = scheme  # playwright wants a literal
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme_of_page)
            page.goto(console.url)
            page.locator("#needs-list .card").first.wait_for()
            page.wait_for_timeout(1500)
            page.screenshot(path=out)
            browser.close()


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="for which the bot runs before; default: 20")
    parser.add_argument("--out", type=Path, default=Path("docs/images/console.png"))
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    args = parser.parse_args()
    draw(args.seconds, args.out, args.scheme)


if __name__ == "__main__":
    main()
