"""A limit of a million was said as `1e+06`, which no policy file may say."""

from __future__ import annotations

import pytest

from resilience import Policy, PolicyError


def test_large_limits_are_written_out() -> None:
    """The range is written as the file would write it."""
    with pytest.raises(PolicyError, match=r"budget\.floor: '2000000/s' is out of range \(0/s to 1000000/s\)"):
        Policy(budget={"floor": "2000000/s"})  # type: ignore[arg-type]
