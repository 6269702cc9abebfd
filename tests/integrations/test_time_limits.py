"""The timeouts that HTTP clients get."""

from __future__ import annotations

from resilience.integrations._time_limits import shorter_timeout


def test_a_timeout_is_never_zero() -> None:
    """An attempt may have no time left; clients read 0 as no limit, or reject it."""
    assert shorter_timeout(None, 0.0) == shorter_timeout(5.0, -1.0) == 0.001
    assert (shorter_timeout(None, 3.0), shorter_timeout(2.0, 3.0), shorter_timeout(4.0, 3.0)) == (3.0, 2.0, 3.0)
