"""Defines `Record`, which an error carries: the call's `Failure`, and what tells calls inside an attempt from others.

An error of somebody else's class travels: into a log as JSON, and into processes that do not have this library. So a
record is a mapping of plain values to `json`, and is pickled as a plain dict, which is read back where the library is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import inf
from typing import Any

from ...errors import RejectedError
from ..policy.codes import Category
from .failure import Failure

__all__ = ["Record", "failure_of_rejection", "read_record"]

_FIELDS = {field.name: field.default for field in fields(Failure) if field.name not in ("category", "items")}


class Record(dict[str, Any]):
    """A call's failure, and what tells calls inside an attempt from others.

    The failure of a rejection is None until it is read, which makes rejecting a call cheap.

    Attributes:
        failure: what the call's error means.
        outer: the context of the outer attempt in which the call was made, or None.
        number: its number among all records of this process; infinite for one that was unpickled, which has come
            from another process.
        gave_up: nobody is to send again; False for a call that was cancelled and did not happen, or is harmless.
    """

    __slots__ = ("failure", "gave_up", "number", "outer")

    def __init__(
        self, failure: Failure | None, outer: object = None, number: float = inf, *, gave_up: bool = True
    ) -> None:
        # Never empty, because `json` does not ask an empty mapping for its items.
        self["gave_up"] = gave_up
        self.failure = failure
        self.outer = outer
        self.number = number
        self.gave_up = gave_up

    def failure_of(self, outcome: object) -> Failure | None:
        """Return the failure of the outcome that has this record."""
        if self.failure is None and isinstance(outcome, RejectedError):
            self.failure = failure_of_rejection(outcome)
        return self.failure

    def items(self) -> Any:
        """Return the plain values; `json` asks for them."""
        return self._plain().items()

    def _plain(self) -> dict[str, Any]:
        failure = None if self.failure is None else _plain_failure(self.failure)
        return {"gave_up": self.gave_up, "failure": failure}

    def __deepcopy__(self, _memo: Any) -> Record:
        return self  # a copied error is no newer than the error

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self._plain(),)


def read_record(value: object) -> Record | None:
    """Return the record that an error carries; one that has come from another process is made of its plain values.

    Returns None for anything else, and never raises: the values may come from another version.
    """
    if isinstance(value, Record):
        return value
    try:
        failure: Any = value["failure"]  # type: ignore[index]
        return Record(None if failure is None else _read_failure(failure), gave_up=bool(value["gave_up"]))  # type: ignore[index]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def failure_of_rejection(rejection: RejectedError) -> Failure:
    """Return what a rejection means: nothing was sent."""
    return Failure(
        Category.RETRYABLE,
        executed="no",
        retry_after=rejection.retry_after,
        retry_at=rejection.retry_at,
        remedy="Nothing was sent; try again later",
        attempts=0,
        operation=rejection.operation,
    )


def _plain_failure(failure: Failure) -> dict[str, Any]:
    """Return category and executed, and the fields that are not at their defaults, as values of JSON."""
    plain: dict[str, Any] = {"category": failure.category.value, "executed": failure.executed}
    for name, default in _FIELDS.items():
        value = getattr(failure, name)
        if value != default:
            plain[name] = list(value) if isinstance(value, tuple) else value
    if failure.lookup_error is not None:  # any object at all, perhaps with a request in it: its class says enough
        plain["lookup_error"] = type(failure.lookup_error).__qualname__
    if failure.items:
        plain["items"] = [_plain_failure(item) for item in failure.items]
    return plain


def _read_failure(plain: Mapping[str, Any]) -> Failure:
    known = {name: plain[name] for name in _FIELDS if name in plain}
    known["names"] = tuple(plain.get("names", ()))
    items = tuple(_read_failure(item) for item in plain.get("items", ()))
    return Failure(Category(plain["category"]), items=items, **known)
