"""Test how the globs of operations match."""

from __future__ import annotations

import pytest

from resilience._core.policy.operation_globs import glob_matches, with_lower_method


@pytest.mark.parametrize(
    ("glob", "operation", "matches"),
    [
        ("POST /v1/*", "post /v1/*", True),
        ("post /v1/*", "post /v1/*", True),
        ("GET", "get", True),
        ("GET", "GET", True),
        ("fetch_*", "fetch_ticker", True),
        ("Trader.buy", "Trader.buy", True),
        ("Trader.BUY", "Trader.buy", False),
        ("post /V1/*", "post /v1/x", False),
    ],
)
def test_a_glob_matches(glob: str, operation: str, matches: bool) -> None:
    """Only the method of a request may be written in capitals; all else is compared as it is."""
    assert glob_matches(glob, operation) == matches


def test_a_method_in_capitals_is_lowered() -> None:
    """The path keeps its case."""
    assert with_lower_method("POST /V1/Orders") == "post /V1/Orders"
    assert with_lower_method("PRICE") == "PRICE"
