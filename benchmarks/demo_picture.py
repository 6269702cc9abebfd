"""Runs `resilience demo` on a terminal of its own, and draws what it shows as a moving picture.

    python -m benchmarks.demo_picture [--orders 60] [--seed 7] [--out docs/images/demo.svg]

A picture that does not move (a printed page, a viewer without animation) shows the last state.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from html import escape
from pathlib import Path
from typing import NamedTuple

COLUMNS, ROWS = 80, 24
LINE, CHARACTER = 19, 8.43  # pixels of a line and of a character at 14 px
QUICKER = 2.0  # the picture shows the run at this speed
PAUSE = 6.0  # seconds for which the last state is shown
_CODE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-z]")
_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" class="demo" viewBox="0 0 {width} {height}"
 role="img" aria-labelledby="demo-title">
<title id="demo-title">{title}</title>
<style>
.demo text{{font:14px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#d7dce2;white-space:pre}}
.demo .b{{font-weight:700}}.demo .g{{fill:#7bd88f}}.demo .r{{fill:#ff8f85}}.demo .y{{fill:#f2c14e}}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#1b2027"/>
<rect width="1" height="1" opacity="0">
<animate id="t" attributeName="x" from="0" to="0" dur="{seconds:.1f}s" begin="0s;t.end"/></rect>
"""
_CLASSES = {"1": "b", "31": "r", "32": "g", "33": "y"}


class Shown(NamedTuple):
    """One text of one line of the screen, and from when to when it is there; `until` is None for the last state."""

    row: int
    text: str
    since: float
    until: float | None


def main() -> None:
    """Run the demo, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("docs/images/demo.svg"))
    arguments = parser.parse_args()
    command = ["resilience", "demo", "--orders", str(arguments.orders), "--seed", str(arguments.seed)]
    pieces = list(recorded([sys.executable, "-m", *command]))
    arguments.out.write_text(picture("$ " + " ".join(command), list(shown(pieces))), encoding="utf-8")


def recorded(command: list[str]) -> Iterator[tuple[float, str]]:
    """Yield what a command writes to a terminal, each piece with its time in seconds since the start."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    started = time.monotonic()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break  # the other end is closed
            yield time.monotonic() - started, piece.decode("utf-8", "replace")
    os.close(ours)


def shown(pieces: list[tuple[float, str]]) -> Iterator[Shown]:
    """Follow the cursor: a carriage return begins a line anew, a line feed ends it."""
    row, text, since = 0, "", 0.0
    for at, piece in pieces:
        for part in re.split(r"(\r\n|\r|\n)", piece):
            if part == "\r" and text:
                yield Shown(row, text, since, at)
                text = ""
            elif "\n" in part:
                yield Shown(row, text, since, None)
                row, text = row + 1, ""
            elif part and part != "\r":
                text, since = text + part, at
    yield Shown(row, text, since, None)


def picture(command: str, texts: list[Shown]) -> str:
    """Return the picture: every text is hidden but for its time."""
    texts = [one for one in texts if _CODE.sub("", one.text).strip() and (one.until is None or one.until > one.since)]
    end = max(one.since for one in texts) / QUICKER + 0.8
    height = (max(one.row for one in texts) + 3) * LINE + 16
    title = "The demo in a terminal. " + " ".join(_CODE.sub("", one.text).strip() for one in texts[-2:])
    head = _HEAD.format(width=round(COLUMNS * CHARACTER) + 24, height=height, title=escape(title), seconds=end + PAUSE)
    lines = [f'<text x="12" y="{LINE + 6}" class="b">{escape(command)}</text>']
    lines += [line(one) for one in texts]
    return head + "\n".join(lines) + "\n</svg>\n"


def line(one: Shown) -> str:
    """Return one text with its animation."""
    start = f"t.begin+{one.since / QUICKER + 0.8:.2f}s"
    if one.until is None:
        timing = f'<set attributeName="visibility" to="hidden" begin="t.begin" end="{start}"/>'
        hidden = ""
    else:
        end = f"t.begin+{one.until / QUICKER + 0.8:.2f}s"
        timing = f'<set attributeName="visibility" to="visible" begin="{start}" end="{end}"/>'
        hidden = ' visibility="hidden"'
    return f'<text x="12" y="{(one.row + 2) * LINE + 10}"{hidden}>{spans(one.text)}{timing}</text>'


def spans(text: str) -> str:
    """Return a text with its colours as spans."""
    result, classes, position = "", "", 0
    for code in _CODE.finditer(text):
        result += span(text[position : code.start()], classes)
        position = code.end()
        if code[1] is not None:
            classes = " ".join(_CLASSES[number] for number in code[1].split(";") if number in _CLASSES)
    return result + span(text[position:], classes)


def span(text: str, classes: str) -> str:
    """Return one run of characters of one colour."""
    if not text or not classes:
        return escape(text, quote=False)
    return f'<tspan class="{classes}">{escape(text, quote=False)}</tspan>'


if __name__ == "__main__":
    main()
