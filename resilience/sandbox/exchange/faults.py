"""Which fault meets which request: drawn from (seed, client id, attempt), never from time or order of arrival."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

__all__ = ["MIXES", "QUERY", "WRITE", "Fault", "FaultError", "draw", "fault_of", "rates_of", "share"]

WRITE = (
    "lose", "accept_drop", "accept_500", "accept_40725", "refuse_40725", "refuse_429", "refuse_503", "accept_late",
    "lag", "accept_hang", "http200_code", "code_400", "html_502", "empty_body", "numeric_code", "truncated_json",
    "slow_trickle", "code_30032", "code_45001", "cut",
)  # fmt: skip
"""Faults of orders, cancels and changes. At most one meets a request."""
QUERY = ("query_drop", "query_500", "query_stale", "query_blind")
"""Faults of order queries; `query_blind:2` knows nothing until the second attempt at the order has come."""

MIXES: Mapping[str, Mapping[str, float]] = {
    "calm": {},
    "ordinary": {
        "lose": 0.05,
        "accept_drop": 0.1,
        "accept_500": 0.1,
        "accept_40725": 0.05,
        "refuse_40725": 0.05,
        "refuse_429": 0.05,
        "refuse_503": 0.05,
        "accept_late": 0.05,
        "lag": 0.1,
        "query_drop": 0.05,
    },
    "harsh": {
        "lose": 0.1,
        "accept_drop": 0.15,
        "accept_500": 0.1,
        "accept_40725": 0.1,
        "refuse_40725": 0.1,
        "refuse_429": 0.05,
        "refuse_503": 0.05,
        "accept_late": 0.1,
        "lag": 0.1,
        "query_drop": 0.3,
    },
}
"""Named mixes of rates."""
_MEASURED = ("lag", "accept_late", "query_blind")


class FaultError(ValueError):
    """The faults asked for are none that the exchange has."""


class Fault(NamedTuple):
    """A fault and how much of it; an empty name is none.

    Attributes:
        amount: of `lag` the seconds, of `accept_late` the share of the window after the stamp; None is drawn.
    """

    name: str
    amount: float | None = None


def fault_of(text: str, kind: tuple[str, ...]) -> Fault:
    """Return the fault that a text such as `lag` or `lag:3.0` names.

    Raises:
        FaultError: it is none of this kind, or takes no such amount.
    """
    if text == "":
        return Fault("")
    name, colon, amount = str(text).partition(":")
    if name not in kind:
        raise FaultError(f"no fault {text!r}; there are {', '.join(kind)}")
    if not colon:
        return Fault(name)
    if name not in _MEASURED or not amount.replace(".", "", 1).isdecimal():
        raise FaultError(f"{text!r}: only {' and '.join(_MEASURED)} take an amount, such as lag:3.0")
    return Fault(name, float(amount))


def rates_of(faults: str | Mapping[str, Any] | None) -> dict[str, float]:
    """Return the rate of each fault.

    Raises:
        FaultError: an unknown name, or rates that are no shares or add up to more than 1.
    """
    if faults is None:
        return {}
    if isinstance(faults, str):
        if faults not in MIXES:
            raise FaultError(f"no faults {faults!r}; there are {', '.join(MIXES)}")
        return dict(MIXES[faults])
    if not isinstance(faults, Mapping):
        raise FaultError("faults are a name or a mapping of rates")
    rates: dict[str, float] = {}
    for name, rate in faults.items():
        if name not in WRITE + QUERY:
            raise FaultError(f"no fault {name!r}; there are {', '.join(WRITE + QUERY)}")
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise FaultError(f"{name}: expected a rate from 0 to 1, got {rate!r}")
        rates[str(name)] = float(rate)
    for kind, what in ((WRITE, "writes"), (QUERY, "queries")):
        if sum(rate for name, rate in rates.items() if name in kind) > 1 + 1e-9:
            raise FaultError(f"the rates of the faults of {what} add up to more than 1")
    return rates


def share(seed: int, *what: object) -> float:
    """Return a number in [0, 1) that depends on the seed and on what it is for, and on nothing else."""
    told = ":".join(map(str, (seed, *what)))
    return int.from_bytes(sha256(told.encode("utf-8", "replace")).digest()[:8], "big") / 2**64


def draw(seed: int, kind: tuple[str, ...], client_id: str, attempt: int, rates: Mapping[str, float]) -> str | None:
    """Return the fault that this attempt meets, or None."""
    left = share(seed, kind[0], client_id, attempt)
    for name in kind:
        left -= rates.get(name, 0.0)
        if left < 0:
            return name
    return None
