"""The log of handlers' errors: a traceback once for each kind, then counts."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.streams.handler_log import HandlerLog


class Lines:
    """Records what is written."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, int]] = []

    def __call__(self, event: str, handler: str, _error: BaseException, trace: str, times: int) -> None:
        self.rows.append((event, handler, trace, times))


def raised(error: BaseException) -> BaseException:
    """Return an error with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def test_the_first_of_a_kind_has_a_traceback() -> None:
    """The others are counted: a line for the 10th, the 100th and the 1000th."""
    lines = Lines()
    log = HandlerLog(lines)
    for number in range(1500):
        log.record("update", "bot.on_price", raised(ValueError(f"number {number}")))
    assert [(trace != "", times) for _, _, trace, times in lines.rows] == [
        (True, 1), (False, 10), (False, 100), (False, 1000),
    ]  # fmt: skip
    assert lines.rows[0][2].endswith("ValueError: number 0")
    assert "raise error" in lines.rows[0][2]


def test_kinds_of_errors() -> None:
    """Another handler, another class and another line are other kinds."""
    lines = Lines()
    log = HandlerLog(lines)
    error = ValueError("no traceback")
    for event, handler, one in (
        ("update", "a", error), ("update", "b", error), ("gap", "b", error), ("gap", "b", raised(ValueError())),
        ("gap", "b", raised(KeyError("x"))),
    ):  # fmt: skip
        log.record(event, handler, one)
    assert [times for *_, times in lines.rows] == [1] * 5
    for number in range(300):
        log.record("update", f"handler {number}", error)
    log.record("update", "a", error)  # forgotten meanwhile, so that memory stays bounded
    assert lines.rows[-1][3] == 1


@pytest.mark.parametrize("text", ["\x1b[2J\x07", "\u202eabc", "x" * 100_000])
def test_a_traceback_is_safe_to_print(text: str) -> None:
    """It controls no terminal, keeps its lines, and has a limit."""
    lines = Lines()
    HandlerLog(lines).record("update", "a", raised(ValueError(text)))
    trace = lines.rows[0][2]
    assert all(char.isprintable() or char == "\n" for char in trace)
    assert len(trace) <= 8000


def test_what_cannot_be_written_ends_nothing() -> None:
    """An error whose text cannot be read is logged by its class; a logger that raises is ignored."""

    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    lines = Lines()
    HandlerLog(lines).record("update", "a", raised(OddError()))
    assert "OddError" in lines.rows[0][2]

    def broken(*_: Any) -> None:
        raise RuntimeError("the logger is configured wrongly")

    HandlerLog(broken).record("update", "a", ValueError())
