"""What the commands print on terminals and in pipes: wrapped sentences, and progress with an estimate."""

from __future__ import annotations

import io
import sys

import pytest

from resilience.cli import main, progress, terminal

SENTENCE = "Look a write up by its key before you send it again, because the first one may have been executed."


class Terminal(io.StringIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [30, 60, 200])
def test_sentences_wrap(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no line is longer than its width, and no word is broken; in a pipe it stays one line."""
    monkeypatch.setenv("COLUMNS", str(width))
    shown, piped = Terminal(), io.StringIO()
    for out in (shown, piped):
        terminal.show_text(SENTENCE, bullet="  - ", out=out)
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert [line[:4] for line in lines] == ["  - "] + ["    "] * (len(lines) - 1)
    assert " ".join(line[4:] for line in lines) == SENTENCE
    assert piped.getvalue() == f"  - {SENTENCE}\n"


def test_control_characters_are_not_printed() -> None:
    """A sentence that quotes a server cannot move the cursor."""
    out = io.StringIO()
    terminal.show_text("a\x1b[2Jb", out=out)
    assert out.getvalue() == "a\\x1b[2Jb\n"


@pytest.mark.parametrize("command", [["explain", "40725"], ["describe"], ["explain", "43012"]])
@pytest.mark.parametrize("rich", [True, False])
@pytest.mark.parametrize("width", [60, 80])
def test_commands_keep_the_width(command: list[str], rich: bool, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rich and without it, no line of these commands is wider than the terminal."""
    shown = Terminal()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", shown)
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.box", None)
    assert main(command) == 0
    lines = shown.getvalue().splitlines()
    assert max(len(line) for line in lines if "\x1b" not in line) <= width
    assert len(lines) > 10


def test_progress_has_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich, a terminal shows the steps and the time that is left, on a line that is cleared at the end."""
    now = iter([0.0, 2.0, 4.0, 65.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    out = Terminal()
    with terminal.progress_bar("simulating", 4, out=out) as step:
        for _ in range(3):
            step()
    assert [part.removeprefix("\x1b[K") for part in out.getvalue().split("\r")] == [
        "",
        "simulating 1/4, about 0:06 left",
        "simulating 2/4, about 0:04 left",
        "simulating 3/4, about 0:22 left",
        "",
    ]


def test_progress_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run prints a line every half minute; a short one prints nothing."""
    now = 0.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    out = io.StringIO()
    with terminal.progress_bar("simulating", 100, out=out) as step:
        for _ in range(29):
            now += 1.0
            step()
        assert out.getvalue() == ""
        for _ in range(33):
            now += 1.0
            step()
    assert out.getvalue().splitlines() == ["simulating 30/100, about 1:10 left", "simulating 60/100, about 0:40 left"]
