"""Draws the still picture of the console in the docs: the page beside the demo bot, when it is in trouble.

    python -m benchmarks.console_picture [--seconds 20] [--out docs/images/console.png] [--scheme light]

It needs the extras `console` and `dev`, and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resilience.cli.demo_bot import DemoBot
from resilience.console import start_console

__all__ = ["console_of_demo_bot"]

WIDTH, HEIGHT = 1320, 820


@contextmanager
def console_of_demo_bot(width: int, height: int, scheme: str = "light", scale: float = 1.0) -> Iterator[Any]:
    """Start the demo bot and its console, and open the page in a browser that has the token and shows no motion."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    scheme_of_page: Any = scheme  # playwright wants a literal
    with sync_playwright() as play, play.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser:
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme=scheme_of_page,
            device_scale_factor=scale,
            reduced_motion="reduce",
        )
        # The bot starts when the browser is there, so that the page shows its first seconds.
        with DemoBot() as bot, start_console(bot.policies, host="127.0.0.1", port=0, token=None) as console:
            page.add_init_script(f"sessionStorage.setItem('resilience-token', '{console.token}')")
            page.goto(console.url)
            yield page
            page.close()  # before the console ends, which the page would show


def draw(seconds: float, out: Path, scheme: str) -> None:
    """Run the demo bot for a while and save what the page shows then."""
    with console_of_demo_bot(WIDTH, HEIGHT, scheme) as page:
        page.wait_for_timeout(seconds * 1000)  # the bot works in real time, and the picture is of its last minute
        page.locator("#needs-list .card").first.wait_for()
        page.screenshot(path=out)


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
