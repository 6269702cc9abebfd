"""Reads the codes at the dotted paths of an envelope, in mappings, lists of them, and lists of plain strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..base.abstract_classes import is_mapping
from ..policy.answer_envelope import Envelope
from ..policy.body_paths import Steps, steps_of, values_at
from .code_and_status import code_of

__all__ = ["FoundCode", "codes_at", "deciding_code", "message_beside"]

_MAX_MESSAGE = 1000


class FoundCode(NamedTuple):
    """A code and where it is.

    Attributes:
        code: the code; None where the place of an error holds something, but no code.
        parent: the mapping that holds it; the code itself in a list of plain strings.
        steps: the path at which it was found.
    """

    code: str | None
    parent: object
    steps: Steps


def codes_at(body: Mapping[Any, Any], steps: Steps) -> list[FoundCode]:
    """Return what is at a path: nothing, a code, or one entry for each item of a list.

    With the path `error.code`, the body `{"error": ["EOrder:Insufficient funds"]}` has this string as its code, and
    `{"error": {"message": "m"}}` has an entry without a code. Empty lists, mappings and strings have no entry.
    """
    above = steps[:-1]
    if not above:
        return [found for found in _of_mapping(body, steps) if found.code is not None]
    found: list[FoundCode] = []
    for parent in values_at(body, above):
        if is_mapping(parent):
            found += _of_mapping(parent, steps)
        elif parent:  # False, 0 and "" mean that there is no error
            found.append(FoundCode(code_of(parent), parent, steps))
    return found


def deciding_code(body: Mapping[Any, Any], envelope: Envelope) -> str | None:
    """Return the code that says most: one that is neither a success nor general, else a general one, else a success.

    Of several the first one counts. Returns None where no path has a code.
    """
    codes = [one.code for steps in envelope.code_steps for one in codes_at(body, steps) if one.code is not None]
    telling = next((code for code in codes if not envelope.says_little(code)), None)
    failed = next((code for code in codes if not envelope.is_success(code)), codes[0] if codes else None)
    return failed if telling is None else telling


def message_beside(found: FoundCode, body: Mapping[Any, Any], envelope: Envelope) -> str:
    """Return the message that belongs to a code: the one in its own item, else the body's, else an empty string."""
    for path in envelope.message_paths:
        steps = steps_of(path)
        is_beside = steps[:-1] == found.steps[:-1]
        texts = [found.parent.get(steps[-1])] if is_beside and is_mapping(found.parent) else []
        text = next((one for one in texts or values_at(body, steps) if isinstance(one, str) and one), None)
        if text is not None:
            return text
    return found.parent[:_MAX_MESSAGE] if found.code is None and isinstance(found.parent, str) else ""


def _of_mapping(parent: Mapping[Any, Any], steps: Steps) -> list[FoundCode]:
    value = parent.get(steps[-1])
    if isinstance(value, (list, tuple)):
        return [FoundCode(code_of(one), parent, steps) for one in value if one]
    code = code_of(value)
    # `{"code": null, "message": ""}` says that there is no error; a message without a code is one.
    return [FoundCode(code, parent, steps)] if code is not None or any(parent.values()) else []
