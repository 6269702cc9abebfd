"""What a test of a bot claims: how often it sent, how it failed, and that nothing secret got out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from .._core.base.events import Event
from .._core.classify.failure import Failure
from .._entry.failure_of import failure_of
from ..telemetry.redaction import REDACTED, is_secret_name, redact, redact_fields, spellings
from .scripted_transport import ScriptedTransport

__all__ = ["Failed", "assert_no_secrets", "assert_sent", "fails_with"]

_FIELDS = tuple(one.name for one in fields(Failure))


def assert_sent(transport: ScriptedTransport, times: int, *, keys: int | None = None) -> None:
    """Fail unless the transport was called exactly `times` times, under `keys` different idempotency keys.

    A call beyond the script counts, even where the code under test has swallowed the script's error.
    `keys=1` says that all attempts belonged to one logical write. What is shown of the arguments is redacted.

    Raises:
        AssertionError: it was called more or less often, or under more or fewer keys.

    Example:
        >>> send = ScriptedTransport(["accepted"])
        >>> send("BTCUSDT")
        'accepted'
        >>> assert_sent(send, 1)
    """
    made = len(transport.calls)
    if made != times:
        raise AssertionError("\n".join([f"expected {_count(times, 'send')}, there were {made}", *_calls(transport)]))
    seen = {key for key in transport.keys if key is not None}
    if keys is not None and len(seen) != keys:
        told = f"expected {_count(keys, 'key')}, there were {len(seen)}"
        raise AssertionError("\n".join([told, *_calls(transport)]))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _calls(transport: ScriptedTransport) -> list[str]:
    lines = []
    for number, (call, key) in enumerate(zip(transport.calls, transport.keys, strict=True), 1):
        shown = redact_fields({"args": list(call.args), **call.kwargs})
        given = [repr(one) for one in shown.pop("args")] + [f"{name}={value!r}" for name, value in shown.items()]
        lines.append(f"  {number}. ({', '.join(given)}) key={key}")
    return lines


class Failed:
    """What a block failed with; empty until it has.

    Attributes:
        error: the exception that the block raised.
        failure: what it means, as `failure_of` tells it.
    """

    error: BaseException
    failure: Failure


@contextmanager
def fails_with(**expected: Any) -> Iterator[Failed]:
    """Fail unless the block raises an error whose `Failure` has these fields.

    A value that can be called is asked. The error ends with the block.

    Raises:
        AssertionError: nothing was raised, or a field differs; the message lists each that does.
        ValueError: a `Failure` has no such field.

    Example:
        >>> with fails_with(category="retryable", executed="no") as failed:
        ...     raise ConnectionRefusedError("busy")
        >>> failed.failure.code
        'connection_refused'
    """
    for name in expected:
        if name not in _FIELDS:
            near = get_close_matches(name, _FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_FIELDS)}"
            raise ValueError(f"a Failure has no field {name!r}; {hint}")
    failed = Failed()
    try:
        yield failed
    except Exception as error:
        failed.error, failed.failure = error, failure_of(error)
    else:
        raise AssertionError(f"expected a failure with {_spelled(expected)}, but nothing was raised")
    wrong = [
        f"  {name} is {_shown(getattr(failed.failure, name))}, expected {_shown(value)}"
        for name, value in expected.items()
        if not (value(getattr(failed.failure, name)) if callable(value) else value == getattr(failed.failure, name))
    ]
    if wrong:
        told = redact(f"{type(failed.error).__name__}: {failed.error}")
        raise AssertionError("\n".join([f"it failed otherwise than expected, with {told}", *wrong])) from failed.error


def _spelled(expected: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in expected.items()) or "anything"


def _shown(value: Any) -> str:
    if callable(value):
        return f"<{getattr(value, '__name__', 'asked')}>"
    return repr(str(value) if isinstance(value, str) else value)  # a category is shown as the word that it is


def assert_no_secrets(written: Any, *secrets: str) -> None:
    """Fail if something secret stands in what was written: one of `secrets` in any spelling, or what looks like one.

    Args:
        written: a text, an event, a log line as a mapping, an error with its notes and causes, or a list of such.
        secrets: values that may stand nowhere: URL-encoded, JSON-escaped and quoted spellings are looked for too.

    Raises:
        AssertionError: one does. The message says where and never shows it.
        ValueError: a secret is empty.

    Example:
        >>> assert_no_secrets(["GET /orders?symbol=BTC&signature=[redacted]"], "s3cr3t")
    """
    if not all(secrets):
        raise ValueError("an empty secret stands everywhere")
    forms = sorted({form for one in secrets for form in spellings(one)}, key=len, reverse=True)
    found = [line for place, text in _texts(written, "") for line in _leaks(place, text, forms)]
    if found:
        raise AssertionError("\n".join(["something secret was written:", *found]))


def _leaks(place: str, text: str, forms: list[str]) -> Iterator[str]:
    clean = text
    for form in forms:
        clean = clean.replace(form, REDACTED)
    clean = redact(clean)
    if clean != text:
        yield f"  {place or 'text'}: {clean}"


def _texts(written: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of everything that can be read in what was written."""
    if isinstance(written, BaseException):
        yield from ((place, text) for text in _told(written))
    elif isinstance(written, Event):
        yield from _texts({"name": written.name, **written.fields()}, place)
    elif is_dataclass(written) and not isinstance(written, type):
        yield from _texts({one.name: getattr(written, one.name) for one in fields(written)}, place)
    elif isinstance(written, Mapping):
        for name, value in written.items():
            inner = f"{place}.{name}" if place else str(name)
            if value and name != "key" and is_secret_name(str(name)):  # an idempotency key is no secret
                yield inner, f"{name}={value!r}"
            else:
                yield from _texts(value, inner)
    elif isinstance(written, (list, tuple, set, frozenset)):
        for number, one in enumerate(written):
            yield from _texts(one, f"{place}[{number}]")
    else:
        yield place, written.decode("utf-8", "replace") if isinstance(written, (bytes, bytearray)) else str(written)


def _told(error: BaseException) -> Iterator[str]:
    """Yield what an error, its notes and its causes say; the lines of source in a traceback are the program's own."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield "\n".join([f"{type(one).__name__}: {one}", *map(str, getattr(one, "__notes__", ()))])
            waiting += [one.__cause__, one.__context__]
