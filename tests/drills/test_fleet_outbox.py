"""Bots with one outbox in PostgreSQL are killed and stopped, and the server too: every order is placed exactly once."""

from __future__ import annotations

import sys

import pytest

from benchmarks.fleet_outbox import DRILLS, run
from benchmarks.postgres_server import NoServerError

pytestmark = [pytest.mark.full, pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no processes")]


@pytest.mark.parametrize("drill", DRILLS)
def test_every_order_is_placed_exactly_once(drill: str) -> None:
    """Whoever died or was stopped, and whatever its clocks say."""
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    try:
        counts = run(drill, orders=36, bots=3, seed=5, stop_share=0.1, limit=400.0)
    except NoServerError as error:
        pytest.skip(f"no PostgreSQL server can be started: {error}")
    wrong = ("duplicates", "lost", "misreported", "open", "unrecorded")
    assert {name: counts[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert counts["orders"] == 36
