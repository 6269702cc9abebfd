"""Defines the faults of requests and draws them from (seed, client id, attempt).

A draw never depends on time or on the order of arrival, so the same seed repeats the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

__all__ = [
    "NAMED_RATES",
    "QUERY_FAULTS",
    "WRITE_FAULTS",
    "Fault",
    "FaultError",
    "draw_fault",
    "parse_fault",
    "parse_rates",
    "seeded_fraction",
]

# The order of the names is part of the draw, and the first name is part of its key: another order changes every run.
WRITE_FAULTS = (
    "lose", "accept_drop", "accept_500", "accept_40725", "refuse_40725", "refuse_429", "refuse_503", "accept_late",
    "lag", "accept_hang", "http200_code", "code_400", "html_502", "empty_body", "numeric_code", "truncated_json",
    "slow_trickle", "code_30032", "code_45001", "cut", "unclear_late",
)  # fmt: skip
"""Faults of orders, cancels and changes. A request has at most one."""
QUERY_FAULTS = ("query_drop", "query_500", "query_stale", "query_blind", "query_restart")
"""Faults of order queries.

`query_blind:2` finds nothing until the second attempt at the order has arrived; `query_restart` empties what the
exchange keeps in memory only, before it answers.
"""

NAMED_RATES: Mapping[str, Mapping[str, float]] = {
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
"""Sets of rates that can be chosen by name."""
_WITH_AMOUNT = ("lag", "accept_late", "query_blind")


class FaultError(ValueError):
    """A fault is unknown, or its script or rate is not valid."""


class Fault(NamedTuple):
    """A fault and its amount; an empty name means no fault.

    Attributes:
        amount: seconds of `lag`; fraction of the window after the timestamp of `accept_late`; number of the attempt
            of `query_blind`. None means that it is drawn.
    """

    name: str
    amount: float | None = None


def parse_fault(text: str, faults: tuple[str, ...]) -> Fault:
    """Return the fault that a string such as `lag` or `lag:3.0` names.

    Args:
        text: the string; an empty one means no fault.
        faults: the names that are allowed.

    Raises:
        FaultError: the name is not allowed, or takes no such amount.
    """
    if text == "":
        return Fault("")
    name, colon, amount = str(text).partition(":")
    if name not in faults:
        raise FaultError(f"unknown fault {text!r} (available: {', '.join(faults)})")
    if not colon:
        return Fault(name)
    if name not in _WITH_AMOUNT or not amount.replace(".", "", 1).isdecimal():
        raise FaultError(f"{text!r}: only {' and '.join(_WITH_AMOUNT)} take an amount, such as lag:3.0")
    return Fault(name, float(amount))


def parse_rates(faults: str | Mapping[str, Any] | None) -> dict[str, float]:
    """Return the rate of each fault.

    Raises:
        FaultError: a name is unknown, a rate is not between 0 and 1, or the rates add up to more than 1.
    """
    if faults is None:
        return {}
    if isinstance(faults, str):
        if faults not in NAMED_RATES:
            raise FaultError(f"unknown faults {faults!r} (available: {', '.join(NAMED_RATES)})")
        return dict(NAMED_RATES[faults])
    if not isinstance(faults, Mapping):
        raise FaultError("faults: expected a name or a mapping of rates")
    rates = {str(name): _checked_rate(name, rate) for name, rate in faults.items()}
    _check_sums(rates)
    return rates


def _check_sums(rates: Mapping[str, float]) -> None:
    for names, requests in ((WRITE_FAULTS, "writes"), (QUERY_FAULTS, "queries")):
        if sum(rate for name, rate in rates.items() if name in names) > 1 + 1e-9:  # 1e-9: rounding of the sum
            raise FaultError(f"the rates of the faults of {requests} add up to more than 1")


def _checked_rate(name: object, rate: Any) -> float:
    if name not in WRITE_FAULTS + QUERY_FAULTS:
        raise FaultError(f"unknown fault {name!r} (available: {', '.join(WRITE_FAULTS + QUERY_FAULTS)})")
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        raise FaultError(f"{name}: expected a rate from 0 to 1, got {rate!r}")
    return float(rate)


def seeded_fraction(seed: int, *key: object) -> float:
    """Return a number in [0, 1) that depends on the seed and the key alone.

    It is the first 64 bits of a SHA-256, so it is the same in every process (`hash` of a string is not).
    """
    text = ":".join(map(str, (seed, *key)))
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8], "big") / 2**64


def draw_fault(
    seed: int, faults: tuple[str, ...], client_id: str, attempt: int, rates: Mapping[str, float]
) -> str | None:
    """Return the fault of this attempt, or None."""
    # The first name is part of the key, so that writes and queries of one id are drawn independently.
    left = seeded_fraction(seed, faults[0], client_id, attempt)
    for name in faults:
        left -= rates.get(name, 0.0)
        if left < 0:
            return name
    return None
