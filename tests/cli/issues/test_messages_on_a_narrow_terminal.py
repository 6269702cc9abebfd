"""Problems of files and wrong use are wrapped on a terminal, and stay one line each in a pipe."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from resilience.cli import main, terminal

BAD = "version: 1\npolicies:\n  read: {deadline: soon, retry: {max_attempts: many}}\n"
WRONG_USE = [
    ["describe", "--policy", "nope"],
    ["check", "--nope", "x.yaml"],
    ["check", "--format", "yaml", "x.yaml"],
    ["explain", ""],
    ["explain", " "],
    ["explain", "--scope", "usdm", "40010"],
    ["codes", "--registry", "nope"],
    ["simulate", "--scenario", "nope"],
    ["sandbox", "--host", ".."],
    ["nope"],
]


class Terminal(io.StringIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(command: list[str], stream: str, monkeypatch: pytest.MonkeyPatch, *, out: io.StringIO) -> list[str]:
    """Return the lines that a command prints to one of its streams."""
    monkeypatch.setattr(sys, stream, out)
    assert main(command) in (1, 2)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize(("command", "stream"), [("check", "stdout"), ("describe", "stderr")])
def test_problems_of_a_file(
    command: str, stream: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins at the margin, and its further lines hang; together they are the lines that a pipe gets."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.chdir(tmp_path)
    Path("bot.yaml").write_text(BAD)
    piped = shown([command, "bot.yaml"], stream, monkeypatch, out=io.StringIO())
    assert [line.split(": ")[1] for line in piped] == [
        "policies.read.deadline",
        "policies.read.retry.max_attempts",
    ]
    wrapped = shown([command, "bot.yaml"], stream, monkeypatch, out=Terminal())
    assert max(map(len, wrapped)) <= width
    assert " ".join(wrapped).replace("   ", " ").split(" bot") == " ".join(piped).split(" bot")
    assert [line[:9] for line in wrapped if line[:2] != "  "] == ["bot.yaml:"] * 2


@pytest.mark.parametrize("command", WRONG_USE)
def test_wrong_use(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One message: one line in a pipe, and lines that hang on a terminal of 40 columns."""
    monkeypatch.setenv("COLUMNS", "40")
    (piped,) = shown(command, "stderr", monkeypatch, out=io.StringIO())
    first, *more = shown(command, "stderr", monkeypatch, out=Terminal())
    assert max(map(len, (first, *more))) <= 40
    assert more
    assert all(line.startswith("  ") for line in more)
    assert " ".join([first, *(line[2:] for line in more)]) == piped


def test_a_name_that_no_address_has(capsys: pytest.CaptureFixture[str]) -> None:
    """The bytes of a shell that are no text are no host; the message says what is."""
    assert main(["sandbox", "--host", "\udc80"]) == 2
    assert "--host: expected an address such as 127.0.0.1, got '\\udc80'" in capsys.readouterr().err


def test_a_long_first_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that becomes a block of lines has a title that is no wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    title = "how long the query of one order knows filled orders"
    rows = [(title, "90 days", "https://example.invalid/docs/orders")] * 7
    terminal.show_table(("what", "value", "source"), rows, out=out)
    assert max(map(len, out.getvalue().splitlines())) <= 40
