"""Draws the moving picture of the console: trouble begins beside the demo bot, and a person has an order looked up.

    python -m benchmarks.console_moving_picture [--out docs/images/console-lookup.webp] [--scheme light]

Two files are written: the animation, and beside it a PNG of the frame with the answer, for readers who want no motion.
The bot runs in real time for half a minute, and a frame is taken whenever the page shows the next part of the story.
It needs the extras `console`, `dev` and `bench` (Pillow), and Chromium.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .console_picture import console_of_demo_bot

WIDTH, HEIGHT = 860, 650  # two cards in a row; a README shows it at about this width
SCALE = 1.5  # pixels of the picture per pixel of the page
_BORDER = "#ccd2dc"  # or the page's white header would run into a white README
_POINTER = """([x, y]) => {
  document.getElementById("pointer")?.remove();
  const make = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const arrow = make("svg", { id: "pointer", width: 24, height: 30 });
  arrow.append(make("path", { d: "M2 2v20l5-4 4 9 4-2-4-8h7z", fill: "#111", stroke: "#fff", "stroke-width": 1.5 }));
  for (const [key, value] of Object.entries({ position: "fixed", left: x - 2 + "px", top: y - 2 + "px", zIndex: 9 })) {
    arrow.style[key] = value;
  }
  document.body.append(arrow);
}"""
"""Draws the arrow of a mouse into the page, since a screenshot has none."""


class Frame(NamedTuple):
    """A screenshot, for how many seconds it is shown, and whether it is the one for readers who want no motion."""

    png: bytes
    seconds: float
    still: bool = False


def story(page: Any) -> Iterator[Frame]:
    """Follow the bot into its trouble, and act as a person would."""
    health, cards = page.locator("#health"), page.locator("#needs-list .card")
    settled = cards.filter(has_text="Settled")
    page.locator("#fresh", has_text="live").wait_for()
    page.locator("#now-list .row").nth(5).wait_for()
    health.filter(has_text="All is well").wait_for()
    yield frame(page, 2.5)
    cards.first.wait_for()  # an order in doubt, and perhaps already no funds, which come in the same second
    yield frame(page, 3.0)
    cards.nth(2).wait_for()  # another order in doubt
    yield frame(page, 3.0)
    health.filter(has_text="breaker rejects").wait_for()
    yield frame(page, 3.0)
    point_at(page, cards.first.get_by_role("button"))
    yield frame(page, 2.0)
    cards.first.get_by_role("button").click()
    settled.wait_for()
    point_at(page, settled.get_by_role("button"))
    yield frame(page, 5.0, still=True)
    settled.get_by_role("button").click()
    settled.wait_for(state="detached")
    page.locator("#pointer").evaluate("(pointer) => pointer.remove()")
    yield frame(page, 2.5)
    health.filter(has_not_text="breaker rejects").wait_for()
    yield frame(page, 4.0)


def frame(page: Any, seconds: float, still: bool = False) -> Frame:
    """Take a screenshot at once, when what the page contains has been drawn."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return Frame(page.screenshot(), seconds, still)


def point_at(page: Any, target: Any) -> None:
    """Move the mouse onto a button, and draw its arrow there."""
    box = target.bounding_box()
    at = [box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.6]
    page.mouse.move(*at)
    page.evaluate(_POINTER, at)


def write(frames: list[Frame], out: Path) -> None:
    """Write the animation without loss, and the still picture; a later frame holds only the part that has changed."""
    from PIL import Image, ImageOps

    screenshots = [Image.open(io.BytesIO(one.png)).convert("RGB") for one in frames]
    images = [ImageOps.expand(one, border=2, fill=_BORDER) for one in screenshots]
    shown = [round(one.seconds * 1000) for one in frames]
    images[0].save(
        out, save_all=True, append_images=images[1:], duration=shown, loop=0, lossless=True, quality=100, method=6
    )
    still = images[[one.still for one in frames].index(True)]
    still.quantize(128).save(out.with_suffix(".png"), optimize=True)


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/console-lookup.webp"))
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    arguments = parser.parse_args()
    try:
        import PIL  # noqa: F401
    except ImportError:
        parser.error("this command needs Pillow: pip install -e '.[bench]'")
    with console_of_demo_bot(WIDTH, HEIGHT, arguments.scheme, SCALE) as page:
        frames = list(story(page))
    write(frames, arguments.out)


if __name__ == "__main__":
    main()
