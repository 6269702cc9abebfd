"""The table of `resilience simulate` needs 96 columns: a terminal of 80 columns broke its lines."""

import io

import pytest

from resilience.cli.terminal import show_table

COLUMNS = ("policy", "offered", "attempts a request", "success", "breaker opened", "budget exhausted", "refused")
ROWS = [
    ("read", "1,836", "0.48", "31.1%", "52", "127", "1,017"),
    ("no policy", "1,836", "1.00", "32.8%", "-", "-", "0"),
]


@pytest.mark.parametrize(("width", "first"), [("40", "policy              read   no policy"), ("30", None)])
def test_a_wide_table_is_transposed(width: str, first: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure is a row if that fits; else each row is a block of lines."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", width)
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    show_table(COLUMNS, ROWS, out=out)
    lines = out.getvalue().splitlines()
    if first is None:
        assert lines[:3] == ["read", "  offered             1,836", "  attempts a request  0.48"]
        assert max(map(len, lines)) <= int(width)
    else:
        assert lines[0] == first
        assert len(lines) == len(COLUMNS)
        assert max(map(len, lines)) <= int(width)
