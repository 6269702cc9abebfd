"""Defines one entry of the inbox: something that needs a person, with what to do about it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "InboxEntry"]

KINDS = (
    "write_in_doubt",
    "isolated",
    "hold",
    "breaker_open",
    "lookup_failed",
    "policy_rejected",
    "user_fixable",
    "shared_lost",
)
"""The kinds of entries, the most urgent first."""


class InboxEntry(NamedTuple):
    """One thing that needs a person. Its texts may contain what an API or a user chose: redact and escape them.

    Attributes:
        id: identifies the entry; it stays the same while the entry is there.
        kind: one of `KINDS`.
        title: what has happened, in one sentence without a full stop.
        remedy: what a person can do; None if that is unknown.
        since: when it began, Unix seconds.
        last: when it happened last, Unix seconds; for a state that lasts, the time of the snapshot.
        times: how often it has happened since then.
        policy: name of the policy; None if it concerns several, or all.
        operation: name of the operation, or None.
        key: the idempotency key of a write in doubt, or what a breaker guards; None otherwise.
        code: the API's code, or None.
    """

    id: str
    kind: str
    title: str
    remedy: str | None
    since: float
    last: float
    times: int = 1
    policy: str | None = None
    operation: str | None = None
    key: str | None = None
    code: str | None = None
