"""The table of `resilience simulate` needs 96 columns: on a terminal of 80 its lines were broken in the middle."""

import io

import pytest

from resilience.cli.terminal import show_table

COLUMNS = ("policy", "offered", "attempts a request", "success", "breaker opened", "budget exhausted", "refused")
ROWS = [
    ("read", "1,836", "0.48", "31.1%", "52", "127", "1,017"),
    ("no policy", "1,836", "1.00", "32.8%", "-", "-", "0"),
]


@pytest.mark.parametrize(("width", "first"), [("40", "policy              read   no policy"), ("20", None)])
def test_it_lies_on_its_side(width: str, first: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each figure where that fits; where nothing fits the table stands as it always did."""
    monkeypatch.setenv("COLUMNS", width)
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    show_table(COLUMNS, ROWS, out=out)
    lines = out.getvalue().splitlines()
    if first is None:
        assert len(lines) == 1 + len(ROWS)
    else:
        assert lines[0] == first
        assert len(lines) == len(COLUMNS)
        assert max(map(len, lines)) <= int(width)
