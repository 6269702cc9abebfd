"""A limit of a million was printed as `1e+06`, which a policy file does not accept."""

from __future__ import annotations

import pytest

from resilience import Policy, PolicyError


def test_large_limits_are_written_out() -> None:
    """The message writes the range as a policy file would."""
    with pytest.raises(PolicyError, match=r"budget\.floor: '2000000/s' is out of range \(0/s to 1000000/s\)"):
        Policy(budget={"floor": "2000000/s"})  # type: ignore[arg-type]
