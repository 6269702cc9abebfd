"""Defines what a venue's file says of requests and answers: keys, stamps, expiry, envelope, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from .._core.policy.section import Section
from .._core.policy.units import About, Spec

__all__ = [
    "AnswerSettings",
    "ClockSettings",
    "ExpirySettings",
    "FactSettings",
    "KeySettings",
    "LimitSettings",
    "WaitSettings",
]

_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings(Section):
    """The client order id: where callers give it, and which ones the venue accepts."""

    parameters: Annotated[
        tuple[str, ...], About("Names in `params` by which ccxt takes it; the first is filled in.", "[clientOrderId]")
    ]
    shape: Annotated[str, About("A regular expression that the whole id must match.", "'[0-9A-Za-z]{1,32}'")]
    replacing: Annotated[
        tuple[str, ...],
        About(
            "`edit_order`: the names of the id of the order that replaces another, if they differ.", "[newClientOid]"
        ),
    ] = ()
    prefix: Annotated[str, About("What a generated id begins with.", "x-")] = ""
    digits: Annotated[int, Spec("count", 8, 32, "Random hexadecimal digits of a generated id.", "32")] = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpirySettings(Section):
    """How long the venue may accept a request after its stamp (W), and how the request says so."""

    carrier: Annotated[
        Literal["header", "parameter", "option", "none"],
        About("What carries it: a header, a parameter that is signed, an option of ccxt, or nothing.", "header"),
    ]
    name: Annotated[str, About("The name of the header or parameter on the wire.", "recvWindow")] = ""
    option: Annotated[str, About("The option of ccxt from which the header is made.", "recvWindow")] = ""
    form: Annotated[
        Literal["milliseconds", "until"],
        About("Milliseconds after the stamp, or the Unix milliseconds after which the request is refused.", "until"),
    ] = "milliseconds"
    stamp: Annotated[
        str, About("A parameter that must carry the same stamp beside it, where the venue wants one.", "requestTime")
    ] = ""
    send: Annotated[float, Spec("duration", 0, _HOUR, "What is sent where the policy says nothing.", "5s")] = 5.0
    most: Annotated[
        float, Spec("duration", 0, _HOUR, "The longest that the venue takes, sent in place of a longer one.", "60s")
    ] = _HOUR
    without: Annotated[float, Spec("duration", 0, _HOUR, "How long a request without it is accepted.", "30s")] = 30.0
    reason: Annotated[str, About("Why these figures.", "the documented tolerance")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSettings(Section):
    """The signed stamp, and how a refused one is recognised."""

    carrier: Annotated[Literal["header", "parameter"], About("What carries the stamp.", "header")]
    name: Annotated[str, About("The header or parameter of the stamp.", "X-BAPI-TIMESTAMP")]
    form: Annotated[Literal["milliseconds", "iso8601"], About("How it is written.", "milliseconds")] = "milliseconds"
    codes: Annotated[tuple[str, ...], About("Codes by which a stamp is refused.", "['10002']")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings(Section):
    """The envelope of answers. Paths are dotted; a path that meets a list goes into each item."""

    code: Annotated[str, About("The path of the code.", "retCode")] = ""
    success: Annotated[tuple[str, ...], About("Codes that mean success.", "['0']")] = ()
    time: Annotated[str, About("The path of the server's Unix milliseconds in every answer.", "time")] = ""
    order: Annotated[str, About("The path of the order, or of the orders, in the answer to a write.", "result")] = ""
    listed: Annotated[bool, About("Whether the order is in a list there.", "true")] = False
    results: Annotated[
        str, About("The path of the results of a batch, where they stand apart from the orders.", "retExtInfo.list")
    ] = ""
    item_code: Annotated[
        str, About("The key of an item's own code, beside the order's fields or in `results`.", "sCode")
    ] = ""
    failed: Annotated[
        str, About("The path of the items of a batch that failed, where they have a list of their own.", "data.failed")
    ] = ""
    failed_code: Annotated[str, About("The key of the code of an item there.", "errorCode")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSettings(Section):
    """What a limit or a ban keeps from being sent, and for how long."""

    covers: Annotated[
        Literal["address", "account", "endpoint"],
        About("All that the account sends from this address, all that it sends, or the operation alone.", "endpoint"),
    ]
    least: Annotated[
        float, Spec("duration", 0, 24 * _HOUR, "How long, where the answer does not say; 0 is not at all.", "2s")
    ] = 0.0
    until: Annotated[str, About("A header with the Unix milliseconds of its end.", "X-Bapi-Limit-Reset-Timestamp")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings(Section):
    """What the venue says of limits and bans."""

    headers: Annotated[tuple[str, ...], About("Headers that say what is used or left.", "[X-Bapi-Limit]")] = ()
    codes: Annotated[tuple[str, ...], About("Codes of a limit.", "['10006']")] = ()
    ban_statuses: Annotated[tuple[str, ...], About("HTTP statuses of a ban.", "['418']")] = ()
    holds: Annotated[Mapping[str, str], About("By code or status: what a hold covers.", "{'418': address}")] = field(
        default_factory=dict
    )
    waits: Annotated[
        Mapping[str, WaitSettings], About("By code, else by status: what takes effect.", "{'418': {covers: address}}")
    ] = field(default_factory=dict)
    may_follow_acceptance: Annotated[
        bool, About("Whether a bare 429 may come after the order was accepted.", "true")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSettings(Section):
    """One fact for people: what it is about, what is known, and from where."""

    about: Annotated[str, About("What it is about.", "client order id")]
    says: Annotated[str, About("What is known, or what is not.", "unique among open orders")]
    source: Annotated[str, About("Where it is from.", "the venue's documentation")] = ""
    date: Annotated[str, About("The day as of which it was read.", "'2026-07-24'")] = ""
    established: Annotated[bool, About("false: nobody has established it.", "true")] = True
