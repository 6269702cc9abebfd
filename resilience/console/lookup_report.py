"""Describes what the lookup of a write in doubt has shown, in a sentence and with the answer of the API."""

from __future__ import annotations

import json
from typing import Any

from .._core.call.late_lookup import LookupResult, WriteOutcome
from ..telemetry.redaction import redact
from .plain_words import duration_words

__all__ = ["report_lookup"]

_MAX_ANSWER = 4_000  # characters
_BODIES = ("json", "text")

_SENTENCES = {
    WriteOutcome.FOUND: "It took effect: the API has the order.",
    WriteOutcome.NOT_FOUND: "It did not take effect and cannot any more: it may be placed again.",
    WriteOutcome.FOREIGN: "The API has another order under this key: nothing is known of this one.",
    WriteOutcome.FORGOTTEN: "The API does not know orders of that age any more: search its history by hand.",
}


def report_lookup(result: LookupResult, key: str) -> dict[str, Any]:
    """Return the outcome, whether the write is settled, a sentence for people, and the answer of the API as text."""
    return {
        "action": "look_up",
        "key": key,
        "outcome": result.outcome.value,
        "settled": result.settles,
        "sentence": _sentence(result),
        # Redacted before it is cut: half of a secret would not be recognised.
        "answer": None if result.value is None else redact(_text_of(result.value))[:_MAX_ANSWER],
    }


def _sentence(result: LookupResult) -> str:
    if result.outcome is WriteOutcome.FAILED:
        # The text of the error may be a whole page of a proxy; the class says enough.
        return f"The lookup failed with {type(result.error).__name__}: nothing is known yet."
    if result.outcome is not WriteOutcome.NOT_YET:
        return _SENTENCES[result.outcome]
    if result.wait is None:
        return (
            "The API does not have it, which is no proof: another process may have it, or its attempts are not known."
        )
    when = duration_words(max(1.0, result.wait))
    return f"The API does not have it yet, which is no proof before {when} have passed: look again then."


def _text_of(value: Any) -> str:
    """Return an answer as text: plain data, the body of a response, or what the object says of itself."""
    if not isinstance(value, (dict, list, str, int, float)):
        value = _body_of(value)
    return value if isinstance(value, str) else json.dumps(value, indent=1, default=str)


def _body_of(response: Any) -> Any:
    for name in _BODIES:
        try:
            body = getattr(response, name)
            body = body() if callable(body) else body
        except Exception:
            continue
        if isinstance(body, (dict, list, str)):
            return body
    return str(response)
