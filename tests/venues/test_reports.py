"""What is shown of venues, and where it is published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience.venues import venue, venue_ids
from resilience.venues.venue_report import fact_rows, markdown_table, order_rows, plain_venue
from resilience.venues.venue_schema import venue_schema

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SHIPPED = ("binance", "bitget", "bybit", "okx")


def test_the_schema_file_is_up_to_date() -> None:
    """The file of the reference, which the wheel ships, is what `resilience schema --venues` prints."""
    assert json.loads((REFERENCE / "venue.schema.json").read_text("utf-8")) == venue_schema()


def test_the_page_of_the_reference_is_up_to_date() -> None:
    """It ends with what `resilience venues --markdown` prints."""
    page = (REFERENCE / "venues.md").read_text("utf-8")
    assert page.endswith(markdown_table([venue(name) for name in SHIPPED]))


@pytest.mark.parametrize("name", SHIPPED)
def test_what_nobody_has_established_is_shown(name: str) -> None:
    """In the table as a count, and among the facts of one venue by words."""
    unknown = [fact for fact in venue(name).facts if not fact.established]
    assert all(row[-1] == f"{len(unknown)} facts" for row in order_rows(venue(name)))
    shown = [says for _, says in fact_rows(venue(name)) if says.startswith("NOT ESTABLISHED: ")]
    assert len(shown) == len(unknown) > 0


def test_windows_say_how_they_are_sent() -> None:
    """The window of an order that cannot carry one is the longer one."""
    windows = {row[1]: row[3] for row in order_rows(venue("okx"))}
    assert windows == {"order": "5s (header expTime)", "algo": "30s"}


def test_plain_data() -> None:
    """All of a venue can be written as JSON."""
    plain = json.loads(json.dumps(plain_venue(venue("bybit"))))
    assert (plain["expiry"]["send"], plain["orders"]["order"]["retention"]) == (5.0, 86400.0)
    assert set(SHIPPED) <= set(venue_ids())
