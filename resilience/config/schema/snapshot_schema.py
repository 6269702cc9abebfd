"""Generates the JSON schema of snapshots, which `Policies.snapshot()` returns and the server sends.

Later versions add keys, so that unknown keys are valid everywhere.
"""

from __future__ import annotations

from typing import Any

from .policy_schema import DRAFT

__all__ = ["snapshot_schema"]

Schema = dict[str, Any]

_POLICY: Schema = {"type": "string", "description": "Name of the policy."}
_OPERATION: Schema = {"type": ["string", "null"], "description": "Name of the operation."}
_BREAKER_STATES = ["closed", "half-open", "open", "isolated"]


def snapshot_schema() -> Schema:
    """Return the schema of a snapshot."""
    return {
        "$schema": DRAFT,
        "title": "A snapshot of resilience",
        "description": "The live state of the policies of one process. Later versions add keys.",
        "type": "object",
        "required": ["at", "holds"],
        "properties": {
            "at": _number("When it was taken: Unix seconds by the clock of the policies."),
            "healthy": _flag("Whether nothing is isolated, no breaker is open and no write is in doubt."),
            **{name: _rows(text, fields) for name, (text, fields) in _LISTS.items()},
            "shared": {
                "type": ["object", "null"],
                "description": "The state that several processes share; null where none is shared.",
            },
        },
    }


def _rows(description: str, fields: Schema) -> Schema:
    return {"type": "array", "description": description, "items": {"type": "object", "properties": fields}}


def _text(description: str, *, optional: bool = False, choices: list[str] | None = None) -> Schema:
    schema: Schema = {"type": ["string", "null"] if optional else "string", "description": description}
    return schema if choices is None else {**schema, "enum": choices}


def _number(description: str, *, optional: bool = False) -> Schema:
    return {"type": ["number", "null"] if optional else "number", "description": description}


def _count(description: str, *, optional: bool = False) -> Schema:
    return {"type": ["integer", "null"] if optional else "integer", "minimum": 0, "description": description}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


_LISTS: dict[str, tuple[str, Schema]] = {
    "isolated": (
        "What is switched off by hand, by the policy file or by the environment.",
        {
            "policy": _text("Name of the policy; null for all policies.", optional=True),
            "by": _text("Who switched it off: `hand`, `file` or `environment`."),
            "reason": _text("Why, in the words of whoever did it.", optional=True),
            "since": _number("Since when, Unix seconds.", optional=True),
            "cancels": _flag("Whether pure cancels are let through."),
        },
    ),
    "policies": (
        "Every policy.",
        {
            "name": _POLICY,
            "isolated": _flag("Whether its calls are rejected by hand."),
            "healthy": _flag("Whether it is not isolated, and has neither an open breaker nor a write in doubt."),
        },
    ),
    "breakers": (
        "Every circuit breaker that exists.",
        {
            "policy": _POLICY,
            "key": _text("What it guards, such as a host.", optional=True),
            "state": _text("What it does with calls.", choices=_BREAKER_STATES),
            "counts": {
                "type": "object",
                "description": "Attempts in its window, by their result.",
                "properties": {
                    "succeeded": _count("Attempts that succeeded."),
                    "failed": _count("Attempts that failed."),
                    "slow": _count("Attempts that were slow."),
                },
            },
            "consecutive_failures": _count("Failures since the last success."),
            "open_until": _number("When it next admits an attempt, Unix seconds; null if not open.", optional=True),
            "opened_by": _text("Why it is open.", optional=True),
            "shadow": _flag("Whether it only measures and rejects nothing."),
        },
    ),
    "quotas": (
        "What the API allows to send, and how much of it is used.",
        {
            "policy": _POLICY,
            "key": _text("Whose quota it is, such as an account.", optional=True),
            "rate": _text("The rate as a policy file writes it, such as `10/s`."),
            "used": _number("How much of the limit is used now."),
            "limit": _number("How much may be used."),
            "ready_in": _number("Seconds until the next attempt is allowed; 0 for at once.", optional=True),
        },
    ),
    "holds": (
        "Waits that APIs have asked for.",
        {
            "scope": _text("`host` for all operations of a host and account, or `operation`."),
            "host": _text("Host that asked.", optional=True),
            "account": _text("A digest of the account.", optional=True),
            "operation": _OPERATION,
            "reason": _text("`ban` or `retry_after`."),
            "until": _number("When it ends, Unix seconds."),
            "seconds_left": _number("Seconds until it ends."),
            "policies": {"type": "array", "items": _POLICY, "description": "The policies whose calls wait."},
        },
    ),
    "budgets": (
        "How many retries are allowed.",
        {
            "policy": _POLICY,
            "left": _number("Retries that are left now."),
            "limit": _number("The most that can be left.", optional=True),
        },
    ),
    "admission": (
        "Calls that run at once, and those that wait for a slot.",
        {
            "policy": _POLICY,
            "lane": _text("Priority of the calls.", optional=True),
            "running": _count("Calls that run."),
            "waiting": _count("Calls that wait for a slot."),
            "limit": _count("Calls that may run at once.", optional=True),
        },
    ),
    "writes_in_doubt": (
        "Writes of which nobody knows whether they took effect. A person has to look.",
        {
            "policy": _POLICY,
            "operation": _OPERATION,
            "key": _text("The idempotency key, by which the API finds the write.", optional=True),
            "since": _number("When the call ended, Unix seconds."),
            "code": _text("The API's code of the last failure.", optional=True),
            "remedy": _text("What to do.", optional=True),
            "attempts": _count("How often it was sent.", optional=True),
        },
    ),
    "counters": (
        "Calls since the start of the process, by their outcome.",
        {
            "policy": _POLICY,
            "operation": _OPERATION,
            "ok": _count("Calls that succeeded."),
            "failed": _count("Calls that ended in an error of the API or the network."),
            "rejected": _count("Calls that were refused before anything was sent."),
            "unknown": _count("Writes whose outcome is unknown."),
            "cancelled": _count("Calls that were cancelled from outside."),
        },
    ),
    "streams": (
        "WebSocket connections.",
        {
            "socket": _text("Which connection."),
            "state": _text("What it does now."),
            "reconnects": _count("How often it has reconnected."),
            "gaps": _count("How often updates were missed."),
            "dropped": _count("Updates that were discarded because the program was too slow."),
        },
    ),
}
"""The lists of a snapshot: what each contains, and the fields of its rows."""
