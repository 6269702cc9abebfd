"""Puts a note and a cause on an error that reaches the caller. An object that rejects them is left alone."""

from __future__ import annotations

from typing import Any

from ..._printable import printable
from .failure import Failure

__all__ = ["annotate", "note_text", "set_cause"]

_NOTE_PREFIX = "resilience: "


def annotate(error: BaseException, failure: Failure) -> None:
    """Put one note on the error, in place of an earlier one of ours: shared instances do not collect notes."""
    note = _NOTE_PREFIX + note_text(failure)
    try:
        notes: Any = getattr(error, "__notes__", None)
        if isinstance(notes, list):
            notes[:] = [other for other in notes if not (isinstance(other, str) and other.startswith(_NOTE_PREFIX))]
        error.add_note(note)
    except Exception:
        pass  # an error that rejects notes reaches the caller as it is


def note_text(failure: Failure) -> str:
    """Return a failure in one printable line: category, code, attempts, executed, key, remedy."""
    code = f" {failure.code}" if failure.code else ""
    attempts = "1 attempt" if failure.attempts == 1 else f"{failure.attempts} attempts"
    text = f"{failure.category}{code} after {attempts}, executed: {failure.executed}"
    if failure.key and failure.executed == "maybe":
        text += f", key {failure.key}"
    return printable(f"{text}; {failure.remedy}" if failure.remedy else text)


def set_cause(error: BaseException, cause: BaseException) -> None:
    """Make a rejection the cause of an error that has none."""
    try:
        if error.__cause__ is None:
            error.__cause__ = cause
    except Exception:
        pass  # an error that rejects attributes reaches the caller as it is
