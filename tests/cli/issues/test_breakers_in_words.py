"""`resilience describe` printed "when 5 failures in a row" for a breaker, and "50% of them" without a noun."""

import pytest

from resilience import Pipeline, Policy
from resilience.cli.sentences import sentences


@pytest.mark.parametrize(
    ("breaker", "ending"),
    [
        ({"consecutive": 5, "failure_rate": None}, "opens when 5 attempts failed in a row."),
        (
            {"failure_rate": None, "slow_rate": 0.075, "slow_after": 2.0},
            "opens when 7.5% of at least 20 attempts took longer than 2s in 10s.",
        ),
        ({"failure_rate": None}, "opens by hand only."),
        ({"failure_rate": 0.005}, "opens when 0.5% of at least 20 attempts failed in 10s."),
    ],
)
def test_when_the_breaker_opens(breaker: dict[str, float | None], ending: str) -> None:
    """Each reason to open is a sentence of its own, with its figures as the policy gives them."""
    lines = list(sentences(Pipeline(Policy(breaker=breaker)).describe()))
    assert any(line.endswith(ending) for line in lines), lines
