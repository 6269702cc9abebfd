"""Writes each decision as a plain sentence: what happened to which operation, why, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .plain_words import count_of, duration_words

__all__ = ["sentence_of"]

Fields = Mapping[str, Any]


def sentence_of(name: str, fields: Fields) -> str | None:
    """Return the sentence of an event; None where another event of the same call says more."""
    write = _SENTENCES.get(name)
    return None if write is None else write(fields)


def _failed_attempt(fields: Fields) -> str | None:
    if "wait_for" not in fields:
        return None  # the end of the call follows at once
    wait = fields["wait_for"]
    then = "tries again at once" if wait < 0.001 else f"tries again in {duration_words(wait)}"
    return f"{_what(fields)} failed with {_why(fields)} and {then}."


def _failed_call(fields: Fields) -> str | None:
    if "write_unknown" in fields.get("also", ()):
        return None
    attempts = count_of(fields.get("attempts", 1), "attempt")
    remedy = _remedy(fields) if fields.get("category") == "user_fixable" else ""
    return f"{_what(fields)} failed with {_why(fields)} after {attempts}.{remedy}"


def _unknown(fields: Fields) -> str:
    return f"Nobody knows whether {_what(fields)}{_key(fields)} took effect: {_why(fields)}.{_remedy(fields)}"


def _recovered(fields: Fields) -> str:
    return f"{_what(fields)} succeeded in attempt {fields.get('attempts', 2)}."


def _reconciled(fields: Fields) -> str:
    return f"The outcome of {_what(fields)} was uncertain; a lookup found it, and it was not sent again."


def _settled(fields: Fields) -> str:
    found = "it took effect" if fields.get("reason") == "found" else "it did not take effect"
    return f"{_what(fields)}{_key(fields)} was settled by hand: {found}."


def _opened(fields: Fields) -> str:
    then = "it is a shadow breaker and rejects nothing" if fields.get("shadow") else "calls are rejected"
    return f"The breaker of {_guarded(fields)} opened: {then}."


def _closed(fields: Fields) -> str:
    refused = fields.get("refused")
    count = f"; {count_of(refused, 'call')} were rejected meanwhile" if refused else ""
    return f"The breaker of {_guarded(fields)} closed{count}.{_quoted(fields)}"


def _isolated(fields: Fields) -> str:
    return f"{_policy(fields)} isolated by {_by(fields)}: nothing is sent.{_quoted(fields)}"


def _released(fields: Fields) -> str:
    refused = fields.get("refused")
    count = f"; {count_of(refused, 'call')} were rejected meanwhile" if refused else ""
    return f"{_policy(fields)} released{count}.{_quoted(fields)}"


def _held(fields: Fields) -> str:
    until = fields.get("until")
    left = max(0.0, until - fields["at"]) if until is not None and "at" in fields else fields.get("retry_after", 0.0)
    why = "banned this client" if fields.get("reason") == "ban" else "asked to wait"
    return f"{fields.get('host') or 'The API'} {why}: nothing is sent for {duration_words(left)}."


def _hold_ended(fields: Fields) -> str:
    how = "was released" if fields.get("reason") == "released" else "is over"
    return f"The wait that {fields.get('host') or 'the API'} asked for {how}."


def _lookup_failed(fields: Fields) -> str:
    return f"The lookup {fields.get('reconciler', '')} of {_what(fields)} is broken: {_why(fields)}."


def _rejected_file(fields: Fields) -> str:
    problems = fields.get("problems") or [{}]
    first = problems[0].get("message", "it has mistakes")
    return f"The policy file {fields.get('source', '')} was rejected: {first}. The old settings stay in force."


def _reloaded(fields: Fields) -> str:
    changes = count_of(len(fields.get("changes", ())), "change")
    return f"The policy file {fields.get('source', '')} was reloaded: {changes}."


def _what(fields: Fields) -> str:
    return str(fields.get("operation") or fields.get("socket") or "a call")


def _why(fields: Fields) -> str:
    code, status, caused_by = (fields.get(name) for name in ("code", "http_status", "caused_by"))
    if code is not None and str(code) != str(status):
        return f"code {code}"
    return f"status {status}" if status is not None else str(caused_by or "an error")


def _remedy(fields: Fields) -> str:
    remedy = str(fields.get("remedy") or "").rstrip(".")
    return f" {remedy}." if remedy else ""


def _key(fields: Fields) -> str:
    return f" with key {fields['key']}" if fields.get("key") else ""


def _guarded(fields: Fields) -> str:
    policy, breaker = fields.get("policy"), fields.get("breaker")
    return str(policy if breaker in (None, "", policy) else f"{policy} for {breaker}")


def _policy(fields: Fields) -> str:
    return f"Policy {fields['policy']} was" if fields.get("policy") else "All policies were"


def _by(fields: Fields) -> str:
    words = {"policy": "the policy file", "environment": "the environment", "fleet": "a hand in another process"}
    return words.get(fields.get("by", ""), "hand")


def _quoted(fields: Fields) -> str:
    return f" Reason: {fields['reason']}" if fields.get("reason") else ""


_SENTENCES: dict[str, Callable[[Fields], str | None]] = {
    "attempt_failed": _failed_attempt,
    "breaker_store_failed": lambda fields: f"The breaker store failed with {_why(fields)}.",
    "budget_exhausted": lambda fields: f"{_what(fields)} is not tried again: the retry budget is exhausted.",
    "call_abandoned": lambda fields: f"{_what(fields)}{_key(fields)} was cancelled while under way.{_remedy(fields)}",
    "call_failed": _failed_call,
    "call_reconciled": _reconciled,
    "call_recovered": _recovered,
    "circuit_closed": _closed,
    "circuit_half_opened": lambda fields: f"The breaker of {_guarded(fields)} lets a trial through.",
    "circuit_isolated": _isolated,
    "circuit_opened": _opened,
    "circuit_released": _released,
    "code_unknown": lambda fields: f"{_what(fields)} failed with code {fields.get('code')}, which is in no table.",
    "fallback_used": lambda fields: f"The caller of {_what(fields)} got the fallback.",
    "hold_ended": _hold_ended,
    "hold_started": _held,
    "lookup_failed": _lookup_failed,
    "policy_rejected": _rejected_file,
    "policy_reloaded": _reloaded,
    "shared_back": lambda _: "The shared store is back.",
    "shared_lost": lambda fields: f"The shared store is lost: {fields.get('reason', '')}. Each process goes on alone.",
    "write_adopted": lambda fields: f"{_what(fields)}{_key(fields)} was adopted from a process that has ended.",
    "write_settled": _settled,
    "write_unknown": _unknown,
}
