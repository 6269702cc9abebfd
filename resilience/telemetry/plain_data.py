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
    if isinstance(value, dict):
        return {name: redact_all(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_all(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return redact(value) if isinstance(value, str) else value
