"""Tests of durations, rates, ratios and counts: parsing, ranges and messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from resilience._core.policy.units import Calls, Kind, Spec, parse_duration, parse_rate, parse_ratio


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("5s", 5.0),
        (" 5 s ", 5.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1.5s", 1.5),
        ("999999999999s", 999999999999.0),
        ("0.000000001s", 1e-9),
        (3, 3.0),
        (0.5, 0.5),
        (timedelta(minutes=2), 120.0),
        (timedelta.max, timedelta.max.total_seconds()),
        ("9999999999999s", None),
        ("0.0000000001s", None),
        ("5", None),
        ("5 w", None),
        ("-5s", None),
        (True, None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ([], None),
    ],
)
def test_durations(written: Any, seconds: float | None) -> None:
    """Seconds, or None for anything else."""
    assert parse_duration(written) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("written", "a_second"),
    [
        ("10/s", 10.0),
        ("600/m", 10.0),
        ("1200/10s", 120.0),
        (" 3 / h ", 3 / 3600),
        ("1/1ms", 1000.0),
        ("1/999999s", 1 / 999999),
        ("1/1000000s", None),
        ("1/0s", None),
        ("10", None),
        ("10/w", None),
        (2.5, 2.5),
        (False, None),
    ],
)
def test_rates(written: Any, a_second: float | None) -> None:
    """Events per second, or None for anything else."""
    assert parse_rate(written) == (None if a_second is None else pytest.approx(a_second))


@pytest.mark.parametrize(
    ("written", "share"), [("20%", 0.2), (" 5 % ", 0.05), (0.2, 0.2), (1, 1.0), ("20", None), (True, None)]
)
def test_ratios(written: Any, share: float | None) -> None:
    """A ratio, or None for anything else."""
    assert parse_ratio(written) == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("spec", "written", "read"),
    [
        (Spec("count", 1, 10), 1, 1),
        (Spec("count", 1, 10), 10.0, 10),
        (Spec("factor", 1, 100), 1.5, 1.5),
        (Spec("window", 0, 60), "1 call", Calls(1)),
        (Spec("window", 0, 60), " 100000 calls ", Calls(100_000)),
        (Spec("window", 0, 60), "1calls", Calls(1)),
        (Spec("window", 0, 60), Calls(7), Calls(7)),
        (Spec("window", 0, 60), "60s", 60.0),
        (Spec("duration", 0, 60), 0, 0.0),
    ],
)
def test_a_value_in_its_range_is_read(spec: Spec, written: Any, read: Any) -> None:
    """Both ends are in the range; a count is an int."""
    assert (spec.read(written), type(spec.read(written))) == (read, type(read))


@pytest.mark.parametrize(
    ("spec", "written", "message"),
    [
        (Spec("count", 1, 10), 0, "0 is out of range (1 to 10)"),
        (Spec("count", 1, 10), 11, "11 is out of range (1 to 10)"),
        (Spec("count", 1, 10), 1.5, "expected a whole number, got 1.5"),
        (Spec("count", 1, 10), "3", "expected a whole number, got '3'"),
        (Spec("factor", 1, 100), "2", "expected a number, got '2'"),
        (Spec("ratio", 0, 1, above=True), 0, "0 is out of range (more than 0%, up to 100%)"),
        (Spec("rate", 0, 9), "x", "expected a rate such as 10/s or 600/m, got 'x'"),
        (Spec("rate", 0, 9), "10/s", "'10/s' is out of range (0/s to 9/s)"),
        (Spec("ratio", 0, 1), None, "expected a ratio such as 20% or 0.2, got None"),
        (Spec("duration", 0.25, 3600), "1ms", "'1ms' is out of range (250ms to 1h)"),
        (Spec("duration", 1, 90), True, "expected a duration such as 250ms, 5s, 2m or 1h, got True"),
        (Spec("duration", 60, 86400), [], "expected a duration such as 250ms, 5s, 2m or 1h, got a list"),
        (Spec("duration", 60, 172800), 1, "1 is out of range (1m to 2d)"),
        (Spec("duration", 90, 129600), 1, "1 is out of range (90s to 36h)"),
        (Spec("duration", 1, 3600), 0, "0 is out of range (1s to 1h)"),
        (
            Spec("window", 1, 60),
            "0 calls",
            "'0 calls' is out of range (1s to 1m, or 1 to 100000 calls)",
        ),
        (Spec("window", 1, 60), Calls(100_001), "'100001 calls' is out of range"),
        (Spec("window", 1, 60), "999999999999 calls", "'999999999999 calls' is out of range"),
        (Spec("duration", 1, 60), 10**400, "expected a duration"),
    ],
)
def test_a_value_out_of_range_is_rejected(spec: Spec, written: Any, message: str) -> None:
    """The message has the value and the range in the syntax of a policy file."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared below
        spec.read(written)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("length", "shown"), [(58, 60), (59, 60)])
def test_a_long_value_is_cut(length: int, shown: int) -> None:
    """A value is shown with at most 60 characters, including the dots."""
    with pytest.raises(ValueError, match="got") as caught:
        Spec("count", 1, 2).read("x" * length)
    quoted = str(caught.value).partition("got ")[2]
    assert len(quoted) == shown
    assert quoted.endswith("..." if length > 58 else "x'")


@pytest.mark.parametrize("kind", ["duration", "rate", "ratio", "count", "factor", "window"])
def test_a_written_number_is_read_back(kind: Kind) -> None:
    """`read` returns the number that `write` wrote."""
    spec = Spec(kind, 0, 1_000_000)
    for number in (0, 0.5, 1) if kind == "ratio" else (0, 1, 2, 59, 60, 61, 3600, 86400):
        written = spec.write(number)
        assert spec.read(int(written) if kind in ("count", "factor") else written) == pytest.approx(number)


def test_a_number_of_calls_as_text() -> None:
    """A number of calls is written as in a policy file."""
    assert str(Calls(3)) == "3 calls"
