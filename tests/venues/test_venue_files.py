"""What a venue's file may say, and what its mistakes look like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from resilience.errors import PolicyError
from resilience.venues import Venue, add_venue, venue, venue_ids
from resilience.venues.shipped_venues import shipped_ids
from resilience.venues.venue_files import load_venue, read_shipped_venue, venue_problems
from resilience.venues.venue_schema import venue_schema

MINIMAL: dict[str, Any] = {
    "id": "shop",
    "name": "Shop",
    "kind": "none",
    "key": {"parameters": ["clientOrderId"], "shape": ".*"},
    "clock": {"carrier": "header", "name": "X-Time"},
    "expiry": {"carrier": "none"},
    "orders": {
        "order": {
            "queries": [{"endpoint": "privateGetOrder", "by_key": "id"}],
            "row": {"id": "id", "key": "key", "status": "status"},
            "processing": "3s",
            "lag": "2s",
            "reason": "a guess",
        }
    },
    "writes": [{"endpoints": ["privatePostOrder"], "action": "place", "order": "order"}],
}


@pytest.mark.parametrize("name", ["binance", "bybit", "okx"])
def test_shipped_venues(name: str) -> None:
    """Each has a source or "not established" for every fact, a reason for its bounds, and queries that ccxt has."""
    data = venue(name)
    assert data == read_shipped_venue(name)
    assert all(bool(fact.source) is fact.established for fact in data.facts)
    assert any(not fact.established for fact in data.facts)
    assert all(order.reason and order.queries for order in data.orders.values())
    assert {one for one, file in shipped_ids().items() if file == name} == {name, *data.classes}
    assert all(re.fullmatch(data.key.shape, text) for text in ("a" * 32, "0" * 32))


def test_endpoints_exist() -> None:
    """Each endpoint that a file names is an implicit method of ccxt."""
    ccxt = pytest.importorskip("ccxt")
    for name in ("binance", "bybit", "okx"):
        data = venue(name)
        named = {one for write in data.writes for one in write.endpoints if not one.startswith("socket ")}
        named |= {query.endpoint for order in data.orders.values() for query in order.queries}
        named |= {order.time.endpoint for order in data.orders.values() if order.time is not None}
        assert [one for one in sorted(named) if not hasattr(getattr(ccxt, name), one)] == []


def test_an_unknown_venue() -> None:
    """The error lists those that are known, and the nearest one."""
    with pytest.raises(PolicyError, match=r"no venue 'bybitt'; available: .*okx.*; did you mean 'bybit'\?"):
        venue("bybitt")


def test_other_classes_of_ccxt() -> None:
    """A venue has several in ccxt."""
    assert venue("myokx") is venue("okx")
    assert {"binance", "bybit", "okx"} <= set(venue_ids())


def test_a_mapping_is_read_as_a_file() -> None:
    """A program may add a venue, from a mapping or a file."""
    added = add_venue(MINIMAL)
    assert isinstance(added, Venue)
    assert venue("shop") is added
    assert "shop" in venue_ids()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "sometimes"}, r"kind: .*one of idempotent_by_id, unique_while_open"),
        ({"fetch": 1}, r"fetch: unknown key"),
        ({"name": None}, r"name: expected a string"),
        ({"expiry": {"carrier": "header"}}, r"expiry\.name: expected the name of the header or parameter"),
        (
            {"writes": [{"endpoints": ["x"], "action": "place", "order": "spot"}]},
            r"writes\[0\]\.order: .*available: order",
        ),
        ({"key": {"shape": ".*"}}, r"key: expected the key parameters"),
    ],
)
def test_mistakes(change: dict[str, Any], message: str) -> None:
    """Each says where it is, and what would be right."""
    with pytest.raises(PolicyError, match=message):
        load_venue({**MINIMAL, **change})


def test_mistakes_have_lines(tmp_path: Path) -> None:
    """In a file they are named with line and column, all at once."""
    path = tmp_path / "shop.yaml"
    path.write_text("id: shop\nkind: never\norders:\n  order: {lag: fast}\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_venue(path)
    assert re.search(rf"{re.escape(str(path))}:2:7: kind: ", str(caught.value))
    assert re.search(r"shop\.yaml:4:16: orders\.order\.lag: ", str(caught.value))


@pytest.mark.parametrize("text", ["", "- a\n"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    """The error lists the keys."""
    path = tmp_path / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match="expected a mapping with id, name, kind"):
        load_venue(path)


def test_missing_keys_are_named() -> None:
    """Every key without a default is needed."""
    with pytest.raises(PolicyError, match="expected the key queries"):
        load_venue({**MINIMAL, "orders": {"order": {"row": MINIMAL["orders"]["order"]["row"]}}})


ROOT = Path(__file__).parents[2]
FILES = [path.read_text("utf-8") for path in sorted((ROOT / "policies/venues").glob("*.yaml"))]
PAGE = (ROOT / "docs/howto/add-your-exchange.md").read_text("utf-8")


@pytest.mark.parametrize("text", [*FILES, *re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)])
def test_files_without_a_mistake(text: str, tmp_path: Path) -> None:
    """`check` finds none in a shipped file nor in the example of the page, and the schema allows them."""
    path = tmp_path / "venue.yaml"
    path.write_text(text, "utf-8")
    assert venue_problems(path) == []
    assert list(jsonschema.Draft202012Validator(venue_schema()).iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize("text", ["version: 1\npolicies: {p: {}}\n", "rules: {}\n", "", "[1]\n", "a: [\n"])
def test_what_is_no_file_of_a_venue(text: str, tmp_path: Path) -> None:
    """A policy file, a code table, or no YAML at all: others find its mistakes."""
    path = tmp_path / "other.yaml"
    path.write_text(text, "utf-8")
    assert venue_problems(path) is None
