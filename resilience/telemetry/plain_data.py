"""Removes secrets from plain data before it is printed or sent as JSON."""

from __future__ import annotations

from math import isfinite
from typing import Any

from .redaction import redact

__all__ = ["redact_all"]


def redact_all(value: Any) -> Any:
    """Return plain data whose strings are redacted. Keys are kept: they are ours, such as `key`, and name no secret.

    A number that JSON cannot express (infinity, or not a number) becomes None.
    """
    return _plain(value, {})


def _plain(value: Any, redacted: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item, redacted) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, redacted) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    if not isinstance(value, str):
        return value
    # The rows of a snapshot repeat a few names.
    text = redacted.get(value)
    if text is None:
        text = redacted[value] = redact(value)
    return text
