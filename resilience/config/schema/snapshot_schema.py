"""Generates the JSON schema of snapshots, which `Policies.snapshot()` returns and the server sends.

Every key that this version has is required. Later versions add keys, so that unknown keys are valid everywhere.
"""

from __future__ import annotations

from typing import Any

from .policy_schema import DRAFT

__all__ = ["snapshot_schema"]

Schema = dict[str, Any]

_POLICY: Schema = {"type": "string", "description": "Name of the policy."}
_OPERATION: Schema = {"type": "string", "description": "Name of the operation."}
_BREAKER_STATES = ["closed", "half-open", "open", "isolated"]
_HEALTHY = (
    "Whether nothing is isolated and no breaker is open or half-open."
    " Breakers in shadow mode and writes in doubt do not count."
)


def snapshot_schema() -> Schema:
    """Return the schema of a snapshot."""
    about = "The live state of the policies of one process. Every number is finite. Later versions add keys."
    fields = {
        "at": _number("When it was taken: Unix seconds by the clock of the policies."),
        "healthy": _flag(_HEALTHY),
        **{name: _rows(text, fields) for name, (text, fields) in _LISTS.items()},
        "shared": {
            "type": ["object", "null"],
            "description": "What several processes share: `store`, `connected`, `lost` (why, or null), `members`,"
            " `processes`, `round_trip` in seconds, `trips`, and a key for each part of the setting `share`; null where"
            " nothing is shared.",
        },
    }
    return {"$schema": DRAFT, "title": "A snapshot of resilience", **_object(about, fields)}


def _object(description: str, fields: Schema) -> Schema:
    return {"type": "object", "description": description, "required": list(fields), "properties": fields}


def _rows(description: str, fields: Schema) -> Schema:
    items = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "array", "description": description, "items": items}


def _text(description: str, *, optional: bool = False, choices: list[str] | None = None) -> Schema:
    schema: Schema = {"type": ["string", "null"] if optional else "string", "description": description}
    return schema if choices is None else {**schema, "enum": choices}


def _number(description: str, *, optional: bool = False) -> Schema:
    return {"type": ["number", "null"] if optional else "number", "description": description}


def _amount(description: str) -> Schema:
    return {"type": "number", "minimum": 0, "description": description}


def _count(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


_LISTS: dict[str, tuple[str, Schema]] = {
    "isolated": (
        "What is switched off, the oldest first.",
        {
            "policy": _text("Name of the policy; null for all policies.", optional=True),
            "by": _text(
                "Who switched it off: a person, its settings (a policy file's `isolated`), or `$RESILIENCE_ISOLATED`.",
                choices=["hand", "policy", "environment"],
            ),
            "reason": _text("Why, in the words of whoever did it; may be empty."),
            "since": _number("Since when, Unix seconds."),
            "cancels": _flag("Whether calls are sent that cancel orders and do nothing else."),
        },
    ),
    "policies": (
        "Every policy of the file and the built-in ones, and those made in Python that are in trouble.",
        {
            "name": _POLICY,
            "isolated": _flag("Whether it is among the isolated ones, by its name or with all policies."),
            "healthy": _flag("Whether it is not isolated, and has no breaker that is open, half-open or isolated."),
        },
    ),
    "breakers": (
        "Every circuit breaker that exists and that a policy still has.",
        {
            "policy": _POLICY,
            "key": _text("What it guards, such as a host; the policy's name if it guards all of it."),
            "state": _text("What it does with calls.", choices=_BREAKER_STATES),
            "counts": _object(
                "Attempts in its window, by their result.",
                {
                    "succeeded": _count("Attempts that succeeded."),
                    "failed": _count("Attempts that failed."),
                    "slow": _count("Attempts that succeeded slowly; they are among those that succeeded."),
                },
            ),
            "consecutive_failures": _count("Failures since the last success; 0 once it has opened."),
            "open_until": _number(
                "When it next admits an attempt, Unix seconds; null if it is not open, or open until it is closed.",
                optional=True,
            ),
            "opened_by": _text(
                "What opened it: `failures`, `slow answers`, `a failed trial`, `hand` or `the state that was restored`;"
                " the class of the last error may follow, as in `failures, at last ReadTimeout`. Null while closed.",
                optional=True,
            ),
            "shadow": _flag("Whether it only measures and rejects nothing."),
        },
    ),
    "quotas": (
        "What the API allows to send, and how much of it is used.",
        {
            "policy": _text("Name of the policy; null if several policies share the quota by its name.", optional=True),
            "name": _text("Name of the quota; null if it has none.", optional=True),
            "key": _text("Whose quota it is, such as a host and an account; empty if it is everybody's."),
            "rate": _text("The limit and its time, such as `10 per 1s`."),
            "used": _count("How much of the limit is used now; all of it while a hold lasts."),
            "limit": _count("How much may be used."),
            "ready_in": {
                "type": ["number", "null"],
                "minimum": 0,
                "description": "Seconds until the next attempt is allowed: 0 for at once, null for never.",
            },
        },
    ),
    "holds": (
        "Waits that APIs have asked for, those that end first coming first.",
        {
            "scope": _text(
                "`host` for all operations of a host and account, or `operation`.", choices=["host", "operation"]
            ),
            "host": _text("Host that asked; empty if unknown."),
            "account": _text("A digest of the account; empty if unknown."),
            "operation": _text("Name of the operation whose call got the answer."),
            "reason": _text("Whether the API has banned us or asked to wait.", choices=["ban", "retry_after"]),
            "until": _number("When it ends, Unix seconds."),
            "seconds_left": _amount("Seconds until it ends."),
            "policies": {"type": "array", "items": _POLICY, "description": "The policies whose calls wait."},
        },
    ),
    "budgets": (
        "How many retries are allowed.",
        {
            "policy": _POLICY,
            "left": _amount("Retries that are left now."),
            "limit": _amount("Retries that the calls of the last ten seconds allow, those already made included."),
        },
    ),
    "admission": (
        "Attempts that run, and those that wait for a slot.",
        {
            "policy": _POLICY,
            "lane": _text("Name of the lane; `default` for all attempts without one."),
            "running": _count("Attempts that run."),
            "waiting": _count("Attempts that wait for a slot."),
            "limit": _count("Attempts that may run at once, in all lanes of the policy together."),
        },
    ),
    "writes_in_doubt": (
        "Writes of which nobody knows whether they took effect, the oldest first. A person has to look.",
        {
            "policy": _POLICY,
            "operation": _OPERATION,
            "key": _text("The idempotency key, by which the API finds the write; null if it has none.", optional=True),
            "since": _number("When the call ended, Unix seconds."),
            "code": _text("The API's code of the last failure; null if it sent none.", optional=True),
            "remedy": _text("What to do; null if unknown.", optional=True),
            "attempts": _count("How often it was sent."),
            "owner": _text(
                "The process that has it, in an outbox that several processes share; null where there is none.",
                optional=True,
            ),
            "no_lookup": _text(
                "Why it cannot be looked up by the console or by `Policies.look_up`; null where it can be.",
                optional=True,
            ),
        },
    ),
    "counters": (
        "Calls since the policies were made, by their outcome. Operations beyond the 4,096th count as `other`.",
        {
            "policy": _POLICY,
            "operation": _OPERATION,
            "ok": _count("Calls that succeeded."),
            "failed": _count("Calls that ended in an error of the API or the network."),
            "rejected": _count("Calls that were rejected before anything was sent."),
            "unknown": _count("Writes that failed and may have taken effect."),
            "cancelled": _count("Calls that were cancelled from outside."),
        },
    ),
    "streams": (
        "WebSocket connections of our stream clients.",
        {
            "socket": _text("Which connection, such as `private`."),
            "state": _text("What it does now, such as `live` or `waiting`."),
            "reconnects": _count("How often it has reconnected."),
            "gaps": _count("How often updates were missed."),
            "dropped": _count("Updates that were discarded because the program was too slow, of the whole client."),
        },
    ),
}
"""The lists of a snapshot: what each contains, and the fields of its rows."""
