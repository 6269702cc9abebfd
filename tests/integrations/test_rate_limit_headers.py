"""Tests of rate-limit headers: each spelling that APIs use is read, and nonsense is ignored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Pipeline, Policy, current_call
from resilience.integrations._rate_limit_headers import parse_rate_limits
from resilience.testing import FakeClock


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-mbx-used-remain-limit": "7"}, [{"remaining": 7}]),
        (
            {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "42", "X-RateLimit-Reset": "30"},
            [{"limit": 100, "remaining": 42, "resets_in": 30}],
        ),
        ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "0"}, [{"limit": 100, "remaining": 0}]),
        ({"X-Rate-Limit-Remaining": "3", "X-Rate-Limit-Reset": "1700000010"}, [{"remaining": 3, "resets_in": 10}]),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1700000010500"}, [{"remaining": 3, "resets_in": 10.5}]),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1600000000"}, [{"remaining": 3, "resets_in": 0}]),
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, [{"limit": 100, "remaining": 50, "resets_in": 5}]),
        (
            {"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'},
            [{"limit": 100, "remaining": 50, "resets_in": 30, "window": 60}],
        ),
        ([(b"X-MBX-USED-WEIGHT-1M", b"1187")], [{"used": 1187, "window": 60}]),
        ({"x-mbx-order-count-10s": "4"}, [{"used": 4, "window": 10}]),
        ({"X-RateLimit-Limit": "100", "Date": "today"}, []),
        ({"x-ratelimit-remaining": "-1"}, []),
        ({"x-ratelimit-remaining": "many", "x-mbx-used-remain-limit": "nan"}, []),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "soon"}, [{"remaining": 5}]),
        ({f"x{n}": "1" for n in range(300)} | {"x-ratelimit-remaining": "1"}, []),
        (None, []),
        (7, []),
        ({None: object()}, []),
    ],
)
def test_headers(headers: Any, expected: list[dict[str, float]]) -> None:
    """Headers of every known kind, and some nonsense."""
    assert parse_rate_limits(headers, 1_700_000_000.0) == expected


_NAMES = st.sampled_from(["RateLimit", "RateLimit-Policy", "X-RateLimit-Remaining", "X-RateLimit-Reset", "x"])
_NAMES |= st.sampled_from(["x-mbx-used-remain-limit", "x-mbx-used-weight-1m", "X-MBX-ORDER-COUNT-9999D"])


@given(st.dictionaries(_NAMES, st.one_of(st.text(), st.integers(), st.binary(), st.none(), st.floats())), st.floats())
def test_hostile_headers_never_raise(headers: dict[str, Any], now: float) -> None:
    """Headers of any values are read and reported to the quota without an error."""
    pipeline = Pipeline(Policy(quota=[{"rate": 10, "burst": 10}]), clock=FakeClock())  # type: ignore[arg-type]

    def send() -> None:
        call = current_call()
        assert call is not None
        for limits in parse_rate_limits(headers, now):
            call.report_limits(**limits)

    pipeline.call(send)
    assert 0 <= pipeline.describe()["quota"][0]["left"] <= 10
