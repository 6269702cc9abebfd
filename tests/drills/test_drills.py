"""Every fault script through every client, spot and futures, market and limit: once, and told truthfully."""

from __future__ import annotations

import pytest

from benchmarks.clients import OURS, Client
from benchmarks.drills import DRILLS, ends
from benchmarks.mutations import MUTATIONS, caught

ROWS = [pytest.param(client, market, id=f"{client.name}, {market}") for client in OURS for market in client.markets]


@pytest.mark.parametrize(("client", "market"), ROWS)
def test_every_script_ends_right(client: Client, market: str) -> None:
    """Each order is executed as often as it must be, and the caller is told what is true."""
    assert ends(client, market, DRILLS) == {}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_clause_is_held_by_a_drill(mutation: str) -> None:
    """With a clause taken out of the rule at least one drill notices."""
    assert caught(mutation)
