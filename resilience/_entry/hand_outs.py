"""Names once what an operation of a wrapped client hands out, if that talks to the API outside the policy.

Only the first result of an operation is checked: afterwards the method is called without the check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import ref

from .._core.base.deprecation import warn_safely
from .._pipeline.callables import is_async
from .later_call import LaterCall
from .proxied_value import connects, is_data, is_foreign, talks

__all__ = ["HandOut", "checking_first_result"]


class HandOut:
    """What one operation hands out. Safe across threads: at worst two first results are checked."""

    __slots__ = ("_checked", "_client", "_operation", "_proxy")

    def __init__(self, proxy: Any, client: Any, operation: str) -> None:
        self._proxy = ref(proxy)  # the proxy keeps its methods, and they must not keep it
        self._client = client
        self._operation = operation
        self._checked = False

    def passed(self, value: Any) -> Any:
        """Return what the caller gets: the proxy in place of its client, and everything else as it is."""
        if value is self._client:
            return self._proxy() or value
        if not self._checked:
            self._checked = True
            self._check(value)
        return value

    def returns_client(self, value: Any) -> bool:
        """Return whether this is the client itself, as of a method that ends with `return self`."""
        return value is self._client

    def _check(self, value: Any) -> None:
        if isinstance(value, (list, tuple)) and value:
            value = value[0]
        if _talks_outside(value, self._client):
            kind, name = type(value), type(self._client).__name__
            text = (
                f"{name}: {self._operation} hands out {kind.__module__}.{kind.__qualname__}, whose calls stay outside"
            )
            warn_safely(f"{text} the policy; wrap it too", UserWarning)


def checking_first_result(
    method: Callable[..., Any], hand_out: HandOut, settle: Callable[[Callable[..., Any], Callable[..., Any]], None]
) -> Callable[..., Any]:
    """Return a method whose first result is checked.

    Args:
        method: the method under its policy.
        hand_out: checks the result.
        settle: is called with the returned function and with what to call in its place from then on.
    """

    def check(result: Any) -> Any:
        settle(first, passing if hand_out.returns_client(result) else method)
        is_unfinished = isinstance(result, LaterCall) or hasattr(type(result), "add_done_callback")
        return result if is_unfinished else hand_out.passed(result)  # what it comes to is checked when it is there

    if is_async(method):

        async def first_async(*args: Any, **kwargs: Any) -> Any:
            return check(await method(*args, **kwargs))

        async def passing_async(*args: Any, **kwargs: Any) -> Any:
            return hand_out.passed(await method(*args, **kwargs))

        first: Callable[..., Any] = first_async
        passing: Callable[..., Any] = passing_async
    else:

        def first_sync(*args: Any, **kwargs: Any) -> Any:
            return check(method(*args, **kwargs))

        def passing_sync(*args: Any, **kwargs: Any) -> Any:
            return hand_out.passed(method(*args, **kwargs))

        first, passing = first_sync, passing_sync
    return first


def _talks_outside(value: Any, client: Any) -> bool:
    """Return whether an object talks by itself: it connects, or it holds the client or a connection of the client.

    An answer is no such object: a record, a collection, or an HTTP client's response.
    """
    kind = type(value)
    if not is_foreign(value) or is_data(value) or kind.__name__.endswith("Response"):
        return False
    fields = _fields(value)
    return "_resilience_client" not in fields and (connects(kind) or _holds_part_of(fields, client))


def _holds_part_of(fields: Mapping[str, Any], client: Any) -> bool:
    parts = {id(client)} | {id(part) for part in _fields(client).values() if talks(part)}
    return any(id(field) in parts for field in fields.values())


def _fields(value: Any) -> Mapping[str, Any]:
    """Return an object's own attributes. One that makes attributes on demand is not asked for any."""
    try:
        fields: Mapping[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return fields
