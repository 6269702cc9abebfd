"""Searches everything that was written for secrets: `assert_no_secrets`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from .._core.base.event import Event
from ..telemetry.redaction import REDACTED, is_secret_name, redact, spellings

__all__ = ["assert_no_secrets"]


def assert_no_secrets(written: Any, *secrets: str) -> None:
    """Fail if what was written contains a secret: one of `secrets`, or a value that has the form of a secret.

    Args:
        written: a string, an event, a log line as a mapping, an error with its notes and causes, or a list of these.
        secrets: values to search for; their URL-encoded, JSON-escaped and quoted spellings are found too.

    Raises:
        AssertionError: there is a secret. The message says where, and never shows it.
        ValueError: one of `secrets` is empty.

    Example:
        >>> assert_no_secrets(["GET /orders?symbol=BTC&signature=[redacted]"], "s3cr3t")
    """
    if not all(secrets):
        raise ValueError("an empty secret is found in every text")
    forms = _spellings_of(secrets)
    leaks = [line for path, text in _texts(written, "") for line in _leaks(path, text, forms)]
    if leaks:
        raise AssertionError("\n".join(["a secret was written:", *leaks]))


def _leaks(path: str, text: str, forms: list[str]) -> Iterator[str]:
    clean = text
    for form in forms:
        clean = clean.replace(form, REDACTED)
    clean = redact(clean)
    if clean != text:
        yield f"  {path or 'text'}: {clean}"


def _spellings_of(secrets: Sequence[str]) -> list[str]:
    """Return all spellings, longest first: a short one inside a long one would leave the rest of the long one."""
    return sorted({form for secret in secrets for form in spellings(secret)}, key=len, reverse=True)


def _texts(written: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every string in what was written."""
    if isinstance(written, BaseException):
        yield from ((path, text) for text in _error_texts(written))
    elif isinstance(written, Event):
        yield from _texts_of_fields({"name": written.name, **written.fields()}, path)
    elif is_dataclass(written) and not isinstance(written, type):
        yield from _texts_of_fields({field.name: getattr(written, field.name) for field in fields(written)}, path)
    elif isinstance(written, Mapping):
        yield from _texts_of_fields(written, path)
    elif isinstance(written, (list, tuple, set, frozenset)):
        for index, item in enumerate(written):
            yield from _texts(item, f"{path}[{index}]")
    else:
        yield path, written.decode("utf-8", "replace") if isinstance(written, (bytes, bytearray)) else str(written)


def _texts_of_fields(written: Mapping[Any, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in written.items():
        inner = f"{path}.{name}" if path else str(name)
        if value and name != "key" and is_secret_name(str(name)):  # an idempotency key is not secret
            yield inner, f"{name}={value!r}"
        else:
            yield from _texts(value, inner)


def _error_texts(error: BaseException) -> Iterator[str]:
    """Yield the text of an error with its notes, and of its causes, each error once; without lines of source code."""
    seen: set[int] = set()
    remaining: list[BaseException | None] = [error]
    while remaining:
        current = remaining.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            yield "\n".join([f"{type(current).__name__}: {current}", *map(str, getattr(current, "__notes__", ()))])
            remaining += [current.__cause__, current.__context__]
