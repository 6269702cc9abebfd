"""Every order drill through every client, on every market: each order is executed once and reported correctly."""

from __future__ import annotations

import pytest

from benchmarks.clients import OURS, Client
from benchmarks.drills import DRILLS, find_problems
from benchmarks.mutations import MUTATIONS, problems_under

SLOW = pytest.mark.slow
ROWS = [
    pytest.param(
        client, market, id=f"{client.name}, {market}", marks=SLOW if (client, market) != (OURS[0], "spot") else ()
    )
    for client in OURS
    for market in client.markets
]


@pytest.mark.parametrize(("client", "market"), ROWS)
def test_every_script_ends_right(client: Client, market: str) -> None:
    """Each order is executed as often as it must be, and the caller gets the correct report."""
    assert find_problems(client, market, DRILLS) == {}


@pytest.mark.parametrize(
    "mutation", [pytest.param(name, marks=SLOW if name != "no fence" else ()) for name in MUTATIONS]
)
def test_a_drill_protects_every_clause(mutation: str) -> None:
    """Without one clause of the rule at least one drill fails."""
    assert problems_under(mutation)
