"""Defines what a venue's file says as a whole: the venue, its writes and its kinds of orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from .._core.policy.contradictions import Contradiction, Rule
from .._core.policy.section import Section
from .._core.policy.units import About
from .answer_sections import (
    AnswerSettings,
    ClockSettings,
    ExpirySettings,
    FactSettings,
    KeySettings,
    LimitSettings,
)
from .order_sections import OrderSettings

__all__ = ["Venue", "WriteSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSettings(Section):
    """Endpoints that write in the same way, and how their outcome is looked up."""

    endpoints: Annotated[
        tuple[str, ...],
        About("Implicit methods of ccxt; `socket NAME` is a message, `at /PATH` of one socket.", "[privatePostOrder]"),
    ]
    action: Annotated[
        Literal["place", "cancel", "amend", "replace"],
        About("What they do: `amend` changes an order in place, `replace` cancels it and places another.", "place"),
    ]
    order: Annotated[str, About("The kind of order, of `orders`.", "spot")]
    key: Annotated[str, About("The parameter of the client order id.", "newClientOrderId")] = ""
    id: Annotated[str, About("The parameter of the venue's id of an order that is there already.", "orderId")] = ""
    old_key: Annotated[str, About("`replace`: the client order id of the old order.", "cancelOrigClientOrderId")] = ""
    items: Annotated[str, About("The parameter that lists the orders of a batch; `.`: they are the body.", ".")] = ""
    answer_items: Annotated[
        str, About("The path of a batch's orders in the answer, where it is not that of a single order.", "result.list")
    ] = ""
    expires: Annotated[bool, About("Whether it can carry the expiry.", "true")] = False
    sets: Annotated[
        Mapping[str, str], About("`amend`: the parameters of new values → the order's fields.", "{newPx: px}")
    ] = field(default_factory=dict)
    answer_id: Annotated[
        str, About("The path of the venue's id in the answer, below the order; `a|b`: either.", "orderId")
    ] = ""
    answer_key: Annotated[str, About("The path of the client order id there.", "clientOrderId")] = ""


def _unknown_orders(venue: Any) -> Iterator[Contradiction]:
    for index, write in enumerate(venue.writes):
        if write.order not in venue.orders:
            names = ", ".join(venue.orders)
            yield Contradiction(f"writes[{index}].order", f"no kind of order {write.order!r}; available: {names}")


def _needs_name(venue: Any) -> Iterator[Contradiction]:
    if venue.expiry.carrier != "none" and not venue.expiry.name:
        yield Contradiction("expiry.name", "expected the name of the header or parameter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue(Section):
    """What is known of one exchange. Never changed: safe across threads and tasks."""

    RULES: ClassVar[tuple[Rule, ...]] = (_unknown_orders, _needs_name)

    id: Annotated[str, About("Its name here and in ccxt.", "okx")]
    name: Annotated[str, About("Its name for people.", "OKX")]
    kind: Annotated[
        Literal["idempotent_by_id", "unique_while_open", "none"],
        About("What a client order id that is sent twice does.", "unique_while_open"),
    ]
    key: Annotated[KeySettings, About("The client order id.", "{parameters: [clientOrderId], shape: '.{1,36}'}")]
    clock: Annotated[ClockSettings, About("The signed stamp.", "{carrier: header, name: X-TIMESTAMP}")]
    expiry: Annotated[ExpirySettings, About("W, and how it is sent.", "{carrier: none}")]
    orders: Annotated[Mapping[str, OrderSettings], About("The kinds of orders by name.", "{}")]
    writes: Annotated[tuple[WriteSettings, ...], About("The endpoints that write.", "[]")]
    classes: Annotated[tuple[str, ...], About("Further ids of ccxt's classes for it.", "[myokx]")] = ()
    answer: Annotated[AnswerSettings, About("The envelope of answers.", "{code: code, success: ['0']}")] = field(
        default_factory=AnswerSettings
    )
    amends_by_key: Annotated[
        bool, About("Whether `edit_order` needs a client order id of its own, since it may replace the order.", "true")
    ] = False
    duplicate_codes: Annotated[tuple[str, ...], About("Codes of a client order id that is in use.", "['51016']")] = ()
    limits: Annotated[LimitSettings, About("Limits and bans.", "{codes: ['50011']}")] = field(
        default_factory=LimitSettings
    )
    semantics: Annotated[Mapping[str, str], About("What cancels, amendments and others do, for people.", "{}")] = field(
        default_factory=dict
    )
    facts: Annotated[tuple[FactSettings, ...], About("What is known, with its source.", "[]")] = ()
    hook: Annotated[
        str,
        About("A module with what data cannot say, such as `same_order(params, row, same)`.", "my_package.my_venue"),
    ] = ""

    def write(self, endpoint: str) -> WriteSettings | None:
        """Return what is known of an endpoint that writes, or None."""
        return next((write for write in self.writes if endpoint in write.endpoints), None)
