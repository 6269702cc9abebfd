"""A short form of the table of venues: orders of every venue through the sync and async classes of ccxt."""

from __future__ import annotations

import pytest

from benchmarks.orders import drill, exchange
from benchmarks.venue_clients import client_of
from benchmarks.venues import DrillCounts, Row, is_wrong, report

VENUES = ("binance", "bitget", "bybit", "okx")
HARSH = {"lose": 0.1, "accept_drop": 0.25, "accept_500": 0.2, "refuse_503": 0.1, "accept_late": 0.1, "query_drop": 0.3}


def counts(**changes: int) -> DrillCounts:
    """Return the figures of ten orders that were executed once."""
    figures = dict.fromkeys(("duplicates", "lost", "misreported", "unknown", "requests", "seconds"), 0)
    return DrillCounts(**{**figures, "exactly_once": 10, **changes})


@pytest.mark.full
@pytest.mark.parametrize("calls", ["sync", "async"])
@pytest.mark.parametrize("venue", VENUES)
def test_orders_of_every_venue(venue: str, calls: str) -> None:
    """Each is executed once and reported as done, where plain ccxt with retries buys twice."""
    ids = [f"o{number}" for number in range(8)]
    with exchange(3, venue=venue) as address:
        ours, plain = (
            drill(address, client_of(calls, "market", ids, ours=own), "swap", HARSH, ids, 3) for own in (True, False)
        )
    assert (ours.duplicates, ours.lost, ours.misreported, ours.unknown, ours.exactly_once) == (0, 0, 0, 0, 8)
    assert plain.duplicates > 0


@pytest.mark.parametrize("figure", ["duplicates", "lost", "misreported", "unknown"])
def test_what_makes_a_row_wrong(figure: str) -> None:
    """A duplicate, a lost or a misreported order of ours. An unknown one is true, and plain ccxt does not count."""
    row = Row("okx", "sync", "spot", "market", "harsh", 10, counts(**{figure: 1}), counts())
    assert is_wrong(row) == (figure != "unknown")
    assert not is_wrong(row._replace(ours=counts(), plain=counts(**{figure: 1})))


def test_the_page_of_results() -> None:
    """It says how many orders the run had, and sums the rows of a venue and of all."""
    rows = [
        Row("okx", "sync", "spot", kind, "harsh", 10, counts(), counts(duplicates=3)) for kind in ("market", "limit")
    ]
    page = report(rows, "python -m benchmarks.venues --orders 20", 7)
    assert "20 of okx" in page
    assert "| okx | sync | spot | limit | harsh | 10 | **0** / 3 |" in page
    assert "| okx | all |  |  | harsh | 20 | **0** / 6 |" in page
