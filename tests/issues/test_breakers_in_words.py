"""`resilience describe` said of a breaker that it opens "when 5 failures in a row", and "50% of them" of nothing."""

import pytest

from resilience import Policy
from resilience._pipeline.pipeline import Pipeline
from resilience.cli.sentences import sentences


@pytest.mark.parametrize(
    ("breaker", "told"),
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
def test_when_it_opens(breaker: dict[str, float | None], told: str) -> None:
    """Each reason is a sentence of its own, with its figures as they were given."""
    said = list(sentences(Pipeline(Policy(breaker=breaker)).describe()))
    assert any(one.endswith(told) for one in said), said
