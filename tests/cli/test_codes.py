"""`resilience codes`: the rows it lists, as JSON and as a table."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from resilience.cli import main
from resilience.cli.table_layout import plain_table
from resilience.cli.terminal import show_table


def list_codes(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run `codes --json` and return what it printed."""
    assert main(["codes", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_current_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Bitget's current codes, those that mean success among them."""
    rows = list_codes(capsys)
    assert len(rows) >= 1040
    assert {"00000", "49021"} <= {row["code"] for row in rows if row["category"] is None}
    assert all(list(row) == ["code", "names", "category", "executed", "hint", "remedy"] for row in rows)


def test_legacy_adds_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Codes of old tables are listed with --legacy only."""
    assert len(list_codes(capsys, "--legacy")) >= max(1465, len(list_codes(capsys)) + 1)


def test_category(capsys: pytest.CaptureFixture[str]) -> None:
    """A category selects its rows, and every user-fixable row has a remedy."""
    rows = list_codes(capsys, "--category", "user_fixable")
    assert {row["category"] for row in rows} == {"user_fixable"}
    assert all(row["remedy"] for row in rows)


def test_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    """The code 40017 has two constants."""
    row = next(row for row in list_codes(capsys) if row["code"] == "40017")
    assert sorted(row["names"]) == ["ACCOUNT_NOT_COPY_TRADER", "FUTURES_POSITION_DIRECTION_EMPTY"]


@pytest.mark.parametrize("registry", ["http", "bitget-ws", "ccxt", "telegram", "discord"])
def test_other_registries(registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every built-in registry can be listed."""
    assert list_codes(capsys, "--registry", registry)


def test_codes_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are separated by tabs, one line per code below the names of the columns; no field is empty."""
    assert main(["codes", "--category", "fatal"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["code", "names", "category", "executed", "hint", "remedy"]
    assert {(row[2], len(row)) for row in rows[1:]} == {("fatal", 6)}
    assert all(all(row) for row in rows)


def test_words_that_no_row_has(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said that nothing was found; the output is the header alone."""
    assert main(["codes", "frobnicate", "--category", "fatal"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert shown.err == (
        "resilience codes: no row of bitget has frobnicate and the category fatal; --legacy searches old tables too\n"
    )


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_long_table_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, no word is broken, and a cell that is wrapped keeps its column."""
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", out)
    assert main(["codes", "--registry", "http", "unavail"]) == 0
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = out.getvalue().split()
    assert {"451", "UNAVAILABLE_FOR_LEGAL_REASONS", "SERVICE_UNAVAILABLE", "overloaded"} <= set(words)
    assert " ".join(words).count("fatal") == 1


def test_cells_cannot_move_the_cursor() -> None:
    """Control characters of foreign text are escaped, and its line breaks become spaces."""
    out = io.StringIO()
    show_table(("a", "b"), [("x\x1b[2J\ny", None), (["one", "two"], 3)], out=out)
    assert out.getvalue() == "a           b\nx\\x1b[2J y  -\none, two    3\n"


def test_a_table_for_a_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup in a cell stays text; NO_COLOR is honoured."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    show_table(("a", "b"), [("[bold]x[/bold]", "y")], title="t", out=out)
    assert "[bold]x[/bold]" in out.getvalue()
    assert not re.search(r"\x1b\[3[0-7]", out.getvalue())


def test_empty_table() -> None:
    """No rows: the header alone."""
    assert plain_table(("a", "bb"), []) == ["a  bb"]


def test_a_narrow_terminal_loses_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the columns do not fit the lines go on below; nothing is cut off."""
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    columns = ["client", "duplicates", "lost", "misreported", "unknown", "exactly once", "requests", "seconds"]
    show_table(columns, [["resilient", 0, 0, 0, 0, 123456, 456, 7.5]], out=out)
    assert "seconds" in out.getvalue()
    assert "123456" in out.getvalue()
