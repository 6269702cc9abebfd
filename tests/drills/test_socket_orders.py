"""The drill of orders over a socket that breaks, in small: none twice, none lost, and every report is true."""

from __future__ import annotations

import pytest

from benchmarks.socket_orders import Row, drill


@pytest.mark.parametrize("row", [Row(2, "spot"), Row(3, "mix", -20.0)], ids=["V2", "V3, a clock that is off"])
def test_orders_over_a_socket_that_breaks(row: Row) -> None:
    """Thirty orders while connections and looks fail: each is executed once and reported as done."""
    seen = drill(row, orders=30, seed=11, workers=8)
    assert seen.faults.total() > 3
    assert (seen.count.duplicates, seen.count.lost, seen.count.misreported) == (0, 0, 0)
    assert seen.count.exactly_once == 30
