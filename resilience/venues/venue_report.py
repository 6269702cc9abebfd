"""Says what is known of venues, for people and for programs: the table of all, and the facts of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from math import inf
from typing import Any

from .._core.policy.section import Section
from .._core.stages.duration_text import format_duration
from .known_venue import Venue
from .order_sections import OrderSettings

__all__ = ["COLUMNS", "fact_rows", "markdown_table", "order_rows", "plain_venue"]

COLUMNS = ("venue", "orders", "client order id", "W", "P", "L", "not found is no proof after", "not established")
"""The columns of the table of all venues."""
_KINDS = {
    "idempotent_by_id": "never makes a second order",
    "unique_while_open": "unique among open orders",
    "none": "no protection",
}
_SENT = {"header": "header", "parameter": "parameter", "option": "header", "none": ""}


def order_rows(venue: Venue) -> Iterator[list[str]]:
    """Yield a row of the table of all venues for each kind of order of one."""
    unknown = [fact for fact in venue.facts if not fact.established]
    for name, order in venue.orders.items():
        yield [
            venue.id,
            name,
            _KINDS[venue.kind],
            _window(venue, name),
            _seconds(order.processing),
            _seconds(order.lag),
            _seconds(order.retention),
            f"{len(unknown)} facts",
        ]


def _window(venue: Venue, name: str) -> str:
    """Return W for placing an order of a kind, and what carries it."""
    expiry = venue.expiry
    expires = any(write.expires for write in venue.writes if write.order == name and write.action == "place")
    sent, without = _seconds(expiry.send), _seconds(expiry.without)
    return f"{sent} ({_SENT[expiry.carrier]} {expiry.name})" if expires and expiry.carrier != "none" else without


def fact_rows(venue: Venue) -> Iterator[tuple[str, str]]:
    """Yield what is known of a venue in pairs for people; what nobody has established says so first."""
    yield "client order id", f"{_KINDS[venue.kind]}; {venue.key.shape}; in params: {', '.join(venue.key.parameters)}"
    yield "expiry (W)", venue.expiry.reason
    for name, order in venue.orders.items():
        yield f"orders: {name}", _bounds(order)
        yield from ((f"  asks {query.endpoint}", query.sees) for query in order.queries)
        yield from ((f"  sees {state}", time) for state, time in order.kept.items())
    yield from venue.semantics.items()
    yield from ((f"a limit, {code}", holds) for code, holds in venue.limits.holds.items())
    for fact in venue.facts:
        source = f" ({fact.source}, {fact.date})" if fact.source else ""
        mark = "" if fact.established else "NOT ESTABLISHED: "
        yield fact.about, f"{mark}{fact.says}{source}"


def _bounds(order: OrderSettings) -> str:
    return f"P {_seconds(order.processing)}, L {_seconds(order.lag)}. {order.reason}"


def plain_venue(value: Any) -> Any:
    """Return a venue, or a part of one, as plain data for JSON, with seconds; null never ends."""
    if isinstance(value, Section):
        return {field.name: plain_venue(getattr(value, field.name)) for field in fields(value)}  # type: ignore[arg-type]
    if isinstance(value, Mapping):
        return {name: plain_venue(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [plain_venue(one) for one in value]
    return None if value == inf else value


def markdown_table(venues: list[Venue]) -> str:
    """Return the table of all venues for the documentation, and a section for each with what is known of it."""
    lines = [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
    lines += [_row(row) for one in venues for row in order_rows(one)]
    for one in venues:
        lines += ["", f"## {one.name}", "", _row(("what", "known")), _row(("---", "---"))]
        lines += [_row((about.strip(), says)) for about, says in fact_rows(one)]
    return "\n".join(lines) + "\n"


def _row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _seconds(value: float) -> str:
    return "always" if value == inf else format_duration(value)
