"""A short drill of orders over a socket that breaks: no duplicates, no losses, and correct reports."""

from __future__ import annotations

import pytest

from benchmarks.socket_orders import Row, drill


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(Row(2, "spot"), id="V2"),
        pytest.param(Row(3, "mix", -20.0), id="V3, a clock that is off", marks=pytest.mark.slow),
    ],
)
def test_orders_over_a_socket_that_breaks(row: Row) -> None:
    """Thirty orders while connections and lookups fail: each is executed once and reported as done."""
    result = drill(row, orders=30, seed=11, workers=8)
    assert result.faults.total() > 3
    assert (result.counts.duplicates, result.counts.lost, result.counts.misreported) == (0, 0, 0)
    assert result.counts.exactly_once == 30
