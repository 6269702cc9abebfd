"""What a limit or a ban keeps from being sent, and for how long, by the data of each venue."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.venues import venue
from resilience.venues.limit_waits import limit_wait

NOW = 1_700_000_000.0
RESET = {"x-bapi-limit-reset-timestamp": "1700000003500"}


@pytest.mark.parametrize(
    ("name", "status", "codes", "headers", "expected"),
    [
        ("binance", 429, {"-1003"}, {}, ("host", None)),
        ("binance", 429, {"-1015"}, {}, ("operation", None)),
        ("binance", 429, set(), {}, ("host", None)),
        ("binance", 418, {"-1003"}, {}, ("host", 120.0)),
        ("binance", 400, {"-2010"}, {}, None),
        ("okx", 429, {"50011"}, {}, ("operation", 2.0)),
        ("okx", 200, {"1", "50061"}, {}, ("operation", 2.0)),
        ("okx", 200, {"51008"}, {}, None),
        ("bybit", 200, {"10006"}, RESET, ("operation", 3.5)),
        ("bybit", 200, {"10006"}, {"X-Bapi-Limit-Reset-Timestamp": "soon"}, ("operation", 1.0)),
        ("bybit", 403, set(), {}, ("host", 600.0)),
        ("bybit", 200, {"10018"}, {}, ("host", 600.0)),
        ("bybit", None, set(), {}, None),
    ],
)
def test_waits(name: str, status: int | None, codes: set[str], headers: dict[str, str], expected: Any) -> None:
    """A code says more than its status, but for the status of a ban; a header's own time counts before the data's."""
    assert limit_wait(venue(name), status, codes, headers, NOW) == expected
