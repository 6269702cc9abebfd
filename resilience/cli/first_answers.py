"""Answers what somebody with an error asks: whether to send the request again, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["answer_style", "first_answers", "unknown_word"]

_AGAIN = {
    ("retryable", "no"): "Yes, after a wait: nothing was executed.",
    ("retryable", "maybe"): "A read, yes. A write only after a lookup: it may have been executed.",
    ("retryable", "n_a"): "Yes, after a wait: there was nothing to execute.",
    ("user_fixable", "no"): "Not as it is: nothing was executed, and the same request would fail again.",
    ("fatal", "no"): "No: nothing was executed, and the same request would fail again.",
}
_AGAIN_BY_OUTCOME = {
    "unknown": "No, not before a lookup: it is a write, and it may have been executed.",
    "under way": "No: the call was still under way.",
    "succeeded": "No: the call succeeded in the end.",
}
_NOT_AGAIN = "No: the same request would fail again."
_NOT_AGAIN_UNSURE = "No: the same request would fail again, and this one may have been executed."
_DO = {
    "retryable": "Try again later.",
    "user_fixable": "Change the request, the account or its settings; the code's documentation says which.",
    "fatal": "Find the mistake in the program or the request.",
}
_RECOVER = (
    "If the API finds the key, the write happened. Not found is proof only when the request can no longer arrive. "
    "The page 'Recover from unknown outcomes' says when, and how to ask."
)
_LOOK = "Look a write up by its key before you send it again."
_UNKNOWN = "When you know what it means, add a row for it to a table of `codes`."
_STYLES = (
    ("Yes", "green"),
    ("No: it succeeded", "green"),
    ("No: the call succeeded", "green"),
    ("A read, yes", "yellow"),
    ("No, not before", "yellow"),
    ("No", "red"),
)


def first_answers(explanation: Mapping[str, Any]) -> dict[str, str]:
    """Return the answers by question, as sentences, to an explanation as `explain` returns it."""
    category, executed = explanation["category"], explanation["executed"]
    if category is None:
        return {"may I send it again?": "No: it succeeded.", "what do I do?": "Nothing."}
    unsure = _NOT_AGAIN_UNSURE if executed == "maybe" else _NOT_AGAIN
    by_code = _AGAIN.get((category, executed), unsure)
    return {
        "may I send it again?": _AGAIN_BY_OUTCOME.get(explanation["outcome"] or "", by_code),
        "what do I do?": " ".join(_what_to_do(explanation)),
    }


def _what_to_do(explanation: Mapping[str, Any]) -> list[str]:
    if explanation["outcome"] == "succeeded":
        return ["Nothing."]
    sentences = _remedy(explanation) or [_DO[explanation["category"]]]
    if explanation["outcome"] == "under way":
        return ["Wait for the call's last line: it says how the write ended."]
    if explanation["outcome"] == "unknown":
        sentences.append(_RECOVER)
    if explanation["retry_after"]:
        sentences.append(f"Wait {explanation['retry_after']:g} s first.")
    if not explanation["known"]:
        sentences.append(_UNKNOWN)
    return sentences


def _remedy(explanation: Mapping[str, Any]) -> list[str]:
    """Return the remedy as a sentence, and that a write is looked up if the remedy does not say so itself."""
    remedy = str(explanation["remedy"] or "")
    sentences = [remedy if remedy.endswith((".", "!", "?")) else f"{remedy}."] if remedy else []
    doubtful = explanation["category"] == "retryable" and explanation["executed"] == "maybe"
    if doubtful and not any(word in remedy.lower() for word in ("look", "query", "find")):
        sentences.append(_LOOK)
    return sentences


def answer_style(answer: str) -> str:
    """Return the style of an answer by its first words; empty for one that neither allows nor forbids."""
    return next((style for start, style in _STYLES if answer.startswith(start)), "")


def unknown_word(explanation: Mapping[str, Any], registry: str | None) -> str:
    """Return the sentence that no table knows the error, with the nearest constant; empty if one does."""
    if explanation["known"]:
        return ""
    tables = "No table knows" if registry is None else f"The table {registry} does not know"
    if explanation["code"] is None:
        return f"{tables} this error."
    near = explanation["near"]
    meant = f" Did you mean {near}?" if near else ""
    return f"{tables} {explanation['code']!r}.{meant}"
