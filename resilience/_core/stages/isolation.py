"""Keeps which policies somebody has isolated by hand: nothing of them is sent until they are released.

An isolation stands among the holds of each operation that it concerns, so that the success path reads one attribute
for both. A lookup of a write in doubt passes, and, where the isolation says so, a call that only cancels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

__all__ = ["Isolation", "cancels_only", "isolation_text", "new_isolation"]

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# Words beside "cancel" that say that something else is done as well: cancel-and-replace takes on risk like any order.
_FURTHER = frozenset(
    {
        "amend", "and", "buy", "close", "create", "edit", "flatten", "hedge", "modify", "new", "place", "rebalance",
        "recreate", "reopen", "replace", "requote", "resend", "retry", "reverse", "sell", "send", "submit", "then",
        "update",
    }
)  # fmt: skip
# "cancel" as an adjective or noun says what the orders are, and not what is done with them.
_NO_VERB = ("cancelable", "canceled", "cancellable", "cancellation", "cancelled")

_BY = {
    "environment": "by $RESILIENCE_ISOLATED",
    "fleet": "by hand in another process",
    "policy": "by its settings",
}


class Isolation(NamedTuple):
    """One order to send nothing. Never changed: a later one replaces it.

    Attributes:
        policy: the policy's name; None for all.
        by: who gave it: `hand`, `policy` (a policy file, or a policy in Python), `environment`, or `fleet` for a
            hand in another process.
        reason: why, in the words of whoever gave it.
        since: when, Unix seconds.
        cancels: calls that only cancel pass.
        refusals: `next(refusals)` counts a call that was rejected.
    """

    policy: str | None
    by: str
    reason: str
    since: float
    cancels: bool
    refusals: Iterator[int]

    def concerns(self, policy: str) -> bool:
        """Return whether calls under this policy are rejected."""
        return self.policy is None or self.policy == policy


def new_isolation(policy: str | None, by: str, reason: str, since: float, *, cancels: bool = False) -> Isolation:
    """Return an isolation that has rejected nothing yet; its fields are those of `Isolation`."""
    return Isolation(policy, by, reason, since, cancels, count())


def isolation_text(isolation: Isolation) -> str:
    """Return by whom and why, for the error that a rejected call gets."""
    what = "every policy" if isolation.policy is None else f"policy {isolation.policy!r}"
    by = _BY.get(isolation.by, "by hand")
    why = f": {isolation.reason}" if isolation.reason else ""
    return f"{what} is isolated {by}, nothing was sent{why}"


def cancels_only(operation: str) -> bool:
    """Return whether an operation's name or path says that it cancels orders and does nothing else."""
    words = [word.lower() for word in _WORD.findall(operation)]
    if not _FURTHER.isdisjoint(words):
        return False
    if any(word.startswith("cancel") and not word.startswith(_NO_VERB) for word in words):
        return True
    # ccxt's implicit methods have the verb inside: `privateDeleteOrder`.
    return "delete" in words and any(word.startswith("order") for word in words)
