"""Provides assertions about what a bot did: how often it sent (`assert_sent`) and how it failed (`fails_with`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from .._core.classify.failure import Failure
from .._entry.public_functions import failure_of
from ..telemetry.redaction import redact, redact_fields
from .scripted_transport import ScriptedTransport

__all__ = ["Failed", "assert_sent", "fails_with"]

_FIELDS = tuple(field.name for field in fields(Failure))


def assert_sent(transport: ScriptedTransport, times: int, *, keys: int | None = None) -> None:
    """Fail unless the transport was called exactly `times` times, with `keys` different idempotency keys.

    A call beyond the end of the script counts too, even where the code under test caught the script's error.
    `keys=1` asserts that all attempts belonged to one logical write. The message shows redacted arguments.

    Raises:
        AssertionError: the number of calls or of keys differs.

    Example:
        >>> send = ScriptedTransport(["accepted"])
        >>> send("BTCUSDT")
        'accepted'
        >>> assert_sent(send, 1)
    """
    sent = len(transport.calls)
    if sent != times:
        raise AssertionError("\n".join([f"expected {_count(times, 'send')}, got {sent}", *_calls(transport)]))
    different = {key for key in transport.keys if key is not None}
    if keys is not None and len(different) != keys:
        raise AssertionError("\n".join([f"expected {_count(keys, 'key')}, got {len(different)}", *_calls(transport)]))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _calls(transport: ScriptedTransport) -> list[str]:
    lines = []
    for number, (call, key) in enumerate(zip(transport.calls, transport.keys, strict=True), 1):
        arguments = redact_fields({"args": list(call.args), **call.kwargs})
        spelled = [repr(value) for value in arguments.pop("args")]
        spelled += [f"{name}={value!r}" for name, value in arguments.items()]
        lines.append(f"  {number}. ({', '.join(spelled)}) key={key}")
    return lines


class Failed:
    """The error of a `fails_with` block. Its attributes are set when the block ends.

    Attributes:
        error: the exception that the block raised.
        failure: what `failure_of(error)` returned.
    """

    error: BaseException
    failure: Failure


@contextmanager
def fails_with(**expected: Any) -> Iterator[Failed]:
    """Fail unless the block raises an error whose `Failure` has these fields.

    A callable value is a check of the field. The error is not raised again after the block.

    Raises:
        AssertionError: nothing was raised, or a field differs; the message lists each field that differs.
        ValueError: a `Failure` has no such field.

    Example:
        >>> with fails_with(category="retryable", executed="no") as failed:
        ...     raise ConnectionRefusedError("busy")
        >>> failed.failure.code
        'connection_refused'
    """
    _check_names(expected)
    failed = Failed()
    try:
        yield failed
    except Exception as error:
        failed.error, failed.failure = error, failure_of(error)
    else:
        fields_expected = ", ".join(f"{name}={_spelled(value)}" for name, value in expected.items())
        raise AssertionError(f"expected a failure with {fields_expected or 'any fields'}, but nothing was raised")
    differences = list(_differences(failed.failure, expected))
    if differences:
        raised = redact(f"{type(failed.error).__name__}: {failed.error}")
        raise AssertionError("\n".join([f"another failure than expected: {raised}", *differences])) from failed.error


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in _FIELDS:
            similar = get_close_matches(name, _FIELDS, 1)
            hint = f"did you mean {similar[0]!r}?" if similar else f"available: {', '.join(_FIELDS)}"
            raise ValueError(f"a Failure has no field {name!r}; {hint}")


def _differences(failure: Failure, expected: Mapping[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        actual = getattr(failure, name)
        if not (value(actual) if callable(value) else value == actual):
            yield f"  {name} is {_spelled(actual)}, expected {_spelled(value)}"


def _spelled(value: Any) -> str:
    if callable(value):
        return f"<{getattr(value, '__name__', 'check')}>"
    return repr(str(value) if isinstance(value, str) else value)  # a `Category` is shown as a plain string
