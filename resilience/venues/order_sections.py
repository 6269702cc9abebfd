"""Defines what a venue's file says of its kinds of orders: queries, bounds and retention, and what is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Annotated

from .._core.policy.section import Section
from .._core.policy.units import About, Spec

__all__ = ["OrderSettings", "PageSettings", "QuerySettings", "RowSettings", "TimeSettings"]

_HOUR, _TEN_YEARS = 3600.0, 3660 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSettings(Section):
    """The query of the venue's clock, asked before the orders where answers have no time of their own."""

    endpoint: Annotated[str, About("The implicit method of ccxt.", "publicGetTime")]
    field: Annotated[str, About("The path of the Unix milliseconds.", "serverTime")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSettings(Section):
    """The fields of an order in the answers to queries."""

    id: Annotated[str, About("The venue's id.", "orderId")]
    key: Annotated[str, About("The client order id.", "clientOrderId")]
    status: Annotated[str, About("The status.", "status")]
    created: Annotated[str, About("When it was made, Unix milliseconds.", "time")] = ""
    updated: Annotated[str, About("When it was last changed, Unix milliseconds.", "updateTime")] = ""
    market: Annotated[
        str, About("The market, by the same name as in writes: an order of another one settles nothing.", "symbol")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings(Section):
    """How a list is read on to its end: the next page begins at the last order of this one, or at a cursor."""

    size: Annotated[int, Spec("count", 1, 1000, "Orders of a full page; a shorter one is the last.", "100")]
    parameter: Annotated[str, About("The parameter by which the next page is asked for.", "idLessThan")]
    row: Annotated[str, About("Its value: this field of the last order.", "orderId")] = ""
    cursor: Annotated[str, About("Its value: what is at this path of the answer; none ends the list.", "cursor")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings(Section):
    """One query of a lookup. `{name}` in a parameter stands for the write's own parameter of that name."""

    endpoint: Annotated[str, About("The implicit method of ccxt.", "privateGetOrder")]
    params: Annotated[
        Mapping[str, str], About("Parameters; one whose placeholder has no value is left out.", "{symbol: '{symbol}'}")
    ] = field(default_factory=dict)
    by_key: Annotated[str, About("The parameter of the client order id; none: a list, searched here.", "clOrdId")] = ""
    by_id: Annotated[str, About("The parameter of the venue's id.", "ordId")] = ""
    rows: Annotated[str, About("The path of the order or the orders.", "result.list")] = ""
    unknown: Annotated[tuple[str, ...], About("Codes that say: no such order.", "['-2013']")] = ()
    after: Annotated[
        float, Spec("duration", 0, _TEN_YEARS, "How old the write must be before it is asked at all.", "2h")
    ] = 0.0
    null_is_empty: Annotated[bool, About("Whether null in place of the list means that it is empty.", "true")] = False
    pages: Annotated[
        PageSettings | None, About("How a long list is read on.", "{size: 100, parameter: after, row: ordId}")
    ] = None
    sees: Annotated[str, About("What it can see.", "open orders at once, closed ones for two hours")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSettings(Section):
    """One kind of order: the bounds P and L, its queries in the order in which they are asked, and what they mean."""

    queries: Annotated[
        tuple[QuerySettings, ...], About("Asked in this order; all must say so before 'not found'.", "[]")
    ]
    row: Annotated[RowSettings, About("The fields of an order.", "{id: orderId, key: clientOrderId, status: status}")]
    processing: Annotated[float, Spec("duration", 0, _HOUR, "P: how long a request may be processed.", "5s")]
    lag: Annotated[float, Spec("duration", 0, _HOUR, "L: how long an order may be missing from queries.", "5s")]
    reason: Annotated[str, About("Why these figures.", "no bound is documented")]
    time: Annotated[TimeSettings | None, About("The query of the clock.", "{endpoint: publicGetTime, field: t}")] = None
    retention: Annotated[
        float,
        Spec("duration", 0, _TEN_YEARS, "How long after the order 'not found' is an answer.", "2h", above=True),
    ] = inf
    kept: Annotated[Mapping[str, str], About("By state of the order: how long queries see it.", "{open: always}")] = (
        field(default_factory=dict)
    )
    compare: Annotated[
        Mapping[str, str], About("The write's parameters → the fields that must agree.", "{side: side}")
    ] = field(default_factory=dict)
    ended: Annotated[tuple[str, ...], About("The statuses of an order that has ended.", "[FILLED, CANCELED]")] = ()
    cancelled: Annotated[tuple[str, ...], About("The statuses of an order that was cancelled.", "[CANCELED]")] = ()
