"""Stamps and windows are read in finished requests, whatever carries them."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.venues import venue
from resilience.venues.signed_requests import expiry_header, parsed, stamp_in, window_in

STAMP = 1_796_031_783.79
MS = "1796031783790"


@pytest.mark.parametrize(
    ("name", "url", "headers", "body"),
    [
        ("bybit", "", {"x-bapi-timestamp": MS}, "{}"),
        ("okx", "", {"OK-ACCESS-TIMESTAMP": "2026-11-30T09:43:03.790Z"}, "[]"),
        ("okx", "", {"OK-ACCESS-TIMESTAMP": "2026-11-30T09:43:03.790"}, "[]"),
        ("binance", f"https://host/api?timestamp={MS}&symbol=X", {}, None),
        ("binance", "https://host/api", {}, f"symbol=X&timestamp={MS}"),
        ("binance", "", None, {"timestamp": int(MS)}),
    ],
)
def test_stamps(name: str, url: str, headers: Any, body: Any) -> None:
    """In a header or a parameter, in milliseconds or in words."""
    assert stamp_in(venue(name).clock, url, headers, body) == pytest.approx(STAMP)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("okx", {"OK-ACCESS-TIMESTAMP": "soon"}),
        ("okx", None),
        ("bybit", {"X-BAPI-TIMESTAMP": "9" * 30}),
        ("binance", {}),
    ],
)
def test_no_stamp(name: str, headers: Any) -> None:
    """Something else is no stamp."""
    assert stamp_in(venue(name).clock, "https://host/", headers, "{}") is None


@pytest.mark.parametrize(
    ("name", "url", "headers", "body", "window"),
    [
        ("okx", "", {"expTime": str(int(MS) + 3000)}, "[]", 3.0),
        ("okx", "", {"expTime": str(int(MS) - 3000)}, "[]", 0.0),
        ("okx", "", {}, '[{"expTime":"1796031786790"}]', None),
        ("bybit", "", {"X-BAPI-RECV-WINDOW": "4000"}, '{"recvWindow":"1000"}', 4.0),
        ("binance", "", {}, "timestamp=1&recvWindow=2500", 2.5),
        ("binance", "", {}, '{"recvWindow": "2500"}', 2.5),
        ("binance", "", {}, {"recvWindow": 2500}, 2.5),
        ("binance", "", {}, {"symbol": "X"}, None),
    ],
)
def test_windows(name: str, url: str, headers: Any, body: Any, window: float | None) -> None:
    """A window where the venue does not look for it is none: the fence is the longer one then."""
    found = window_in(venue(name).expiry, STAMP, url, headers, body)
    assert found == (None if window is None else pytest.approx(window))


def test_an_instant_without_a_stamp() -> None:
    """It says no window."""
    assert window_in(venue("okx").expiry, None, "", {"expTime": MS}, "") is None


def test_headers() -> None:
    """OKX takes the instant of the expiry, others take a duration."""
    assert expiry_header(venue("okx").expiry, STAMP, 5.0) == str(int(MS) + 5000)
    assert expiry_header(venue("bybit").expiry, STAMP, 5.0) == "5000"


def test_bodies() -> None:
    """A body that is no mapping has no code."""
    assert [parsed(text) for text in ('{"a": 1}', "[1]", "<html>", "")] == [{"a": 1}, {}, {}, {}]
