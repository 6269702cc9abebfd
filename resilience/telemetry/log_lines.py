"""Writes the line of an event for people: what happened, to which operation, where, and the facts as `name=value`.

`read_line` reads such a line back, for `resilience explain` and `replay`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["line_of", "read_line"]

_WORDS = {
    "alerts_failed": "alerts cannot be sent, check the webhook",
    "attempt_failed": "attempt failed",
    "breaker_store_failed": "breaker store failed",
    "budget_exhausted": "no retry, the budget is exhausted",
    "cache_hit": "answered from the cache",
    "call_abandoned": "write cancelled while under way",
    "call_failed": "call failed",
    "call_reconciled": "settled by a lookup",
    "call_recovered": "recovered after a retry",
    "call_rejected": "call rejected, nothing was sent",
    "call_succeeded": "call succeeded",
    "circuit_closed": "circuit closed",
    "circuit_half_opened": "circuit half-open",
    "circuit_isolated": "isolated, nothing is sent",
    "circuit_opened": "circuit opened",
    "circuit_released": "released, calls are sent again",
    "code_unknown": "code in no table",
    "fallback_used": "fallback used",
    "handler_raised": "stream handler raised",
    "hedge_started": "hedge started",
    "hold_ended": "hold ended",
    "hold_started": "hold started, the API asks to wait",
    "listener_dropped": "listener raised and was dropped",
    "listener_slow": "listener is slow",
    "lookup_failed": "lookup failed, fix the reconciler",
    "policy_rejected": "policy file rejected",
    "policy_reloaded": "policy file reloaded",
    "quota_waited": "waited for the quota",
    "retries_exhausted": "no attempt is left",
    "shared_back": "shared store is back",
    "shared_lost": "shared store lost, each process goes on alone",
    "write_adopted": "write adopted from a process whose lease has ended",
    "write_settled": "write settled by hand",
    "write_unknown": "write unknown, it may have been executed",
}
_EVENTS = {words: name for name, words in _WORDS.items()}
_FACTS = (
    "code", "http_status", "category", "executed", "key", "attempt", "attempts", "wait_for", "waited_so_far",
    "duration", "retry_after", "reason", "by", "owner", "refused", "times", "scope", "breaker", "shadow", "reconciler",
    "listener", "handler", "handler_of", "source", "changes", "problems", "also", "caused_by", "registry", "policy",
    "remedy",
)  # fmt: skip
"""The fields that a line shows, in this order; the remedy is the last. All others are in the record alone."""
_SUCCEEDED = frozenset({"call_reconciled", "call_recovered"})
_PLAIN = re.compile(r"[\w.:/*+@-]+")
_LINE = re.compile(rf"(?:^|[^\w.-])({'|'.join(map(re.escape, sorted(_EVENTS, key=len, reverse=True)))}): ?")
_PAIR = re.compile(r"""(?:^|\s)([a-z_]+)=('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)""")


def line_of(event: str, fields: Mapping[str, Any]) -> str:
    """Return the line of an event, whose fields are printable and without secrets already.

    Example:
        >>> line_of("call_failed", {"operation": "price", "host": "api.example.com", "http_status": 404, "attempts": 1})
        'call failed: price api.example.com http_status=404 attempts=1'
    """
    facts = dict(fields)
    parts = [facts.get("operation"), f"{facts.get('host', '')}{facts.get('path', '')}"]
    if event in _SUCCEEDED:
        facts.pop("remedy", None)  # nobody has to do any more what the failed attempt's remedy says
    if "attempts" in facts:
        facts.pop("attempt", None)
    if facts.get("waited_so_far") == 0.0:
        del facts["waited_so_far"]
    for name in _FACTS:
        if name in facts:
            value = facts[name]
            if value != []:
                text = value if type(value) is str else _listed(value) if isinstance(value, list) else str(value)
                # A word is shown as it is, other text in quotes.
                parts.append(f"{name}={text if text.isalnum() or _PLAIN.fullmatch(text) else repr(text)}")
    return f"{_WORDS.get(event, event)}: {' '.join([part for part in parts if part])}"


def read_line(text: str) -> dict[str, Any] | None:
    """Return the fields of a line as texts, with the event's name under `event`; None for other text."""
    found = _LINE.search(text)
    if found is None or "\n" in text:
        return None
    rest = text[found.end() :]
    pairs = {name: _plain(value) for name, value in _PAIR.findall(rest)}
    operation = rest.split(" ", 1)[0]
    return {"event": _EVENTS[found[1]], **({} if "=" in operation else {"operation": operation}), **pairs}


def _listed(items: list[Any]) -> str:
    if all(isinstance(item, str) for item in items):
        return "+".join(items)
    first = items[0]
    return f"{len(items)} ({first.get('message') or first.get('path')})"


def _plain(value: str) -> str:
    return value[1:-1].replace("\\'", "'") if value[:1] in "'\"" and value[-1:] == value[:1] else value
