"""Encodes the arguments of a write as JSON, so that they come back exactly as they were given.

What JSON has itself is stored as it is. A few more types are stored as `{"$tag": text}`. Everything else is refused
before the write is sent: an argument that comes back as something similar could place a different order.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

__all__ = ["FORMAT", "decode_arguments", "encode_arguments"]

FORMAT = 2
"""The number of this encoding in a row. Rows of 0.1 have none: they know `$decimal` alone."""
_JSON_TYPES = frozenset({type(None), bool, str})
_MAX_BITS = 2000  # of an int: Python may refuse to convert one with more than 640 digits
_FOLD = " fold"


def _write_datetime(value: datetime) -> str:
    return value.isoformat() + (_FOLD if value.fold else "")


def _read_datetime(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(_FOLD)).replace(fold=text.endswith(_FOLD))


_CONVERTERS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    Decimal: ("$decimal", str, Decimal),
    bytes: ("$bytes", lambda value: b64encode(value).decode(), lambda text: b64decode(text, validate=True)),
    datetime: ("$datetime", _write_datetime, _read_datetime),
    date: ("$date", date.isoformat, date.fromisoformat),
    UUID: ("$uuid", str, UUID),
}
"""Exact type → its tag, what makes a string of it, and what reads that string."""
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$tuple": tuple,
    "$dict": dict,
    **{tag: decode for tag, _, decode in _CONVERTERS.values()},
}
_STORED = "None, bool, int, float, str, bytes, Decimal, datetime, date, UUID, list, tuple and dict"


def encode_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str] = ()) -> str:
    """Return the JSON text of a call's arguments.

    Args:
        args: the positional arguments.
        kwargs: the keyword arguments.
        names: the names of the positional parameters, for messages.

    Raises:
        TypeError: an argument would not come back as it was given; the message names it.
    """
    path = "an argument"
    try:
        encoded = []
        for index, value in enumerate(args):
            path = repr(names[index]) if index < len(names) else f"number {index + 1}"
            encoded.append(_encode(value, path))
        pairs = []
        for name, value in kwargs.items():
            path = repr(name)
            pairs.append((name, _encode(value, path)))
        return json.dumps([encoded, _untagged(pairs)], allow_nan=False)
    except RecursionError:
        message = f"an outbox cannot store the argument {path}: it refers to itself or is nested too deeply"
        raise TypeError(message) from None


def decode_arguments(text: str, number: int | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a row.

    Args:
        text: the JSON text.
        number: the number of the encoding; None for a row of 0.1.

    Raises:
        ValueError: the text is not what this encoding writes, or the encoding is unknown.
    """
    if number not in (None, FORMAT):
        raise ValueError(f"its arguments have the unknown format {number!r}")
    args, kwargs = json.loads(text, object_hook=_decode_0_1 if number is None else _decode)
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise ValueError("its arguments are not a list and a mapping")
    return tuple(args), kwargs


def _encode(value: Any, path: str) -> Any:
    """Return what JSON can hold of a value. Types are compared exactly: a subclass would come back as its base."""
    kind = type(value)
    if kind in _JSON_TYPES:
        return value
    if kind is int:
        if value.bit_length() > _MAX_BITS:
            raise TypeError(f"an outbox cannot store the argument {path}: an int with too many digits")
        return value
    if kind is float:
        return _finite(value, isfinite(value), path)
    if kind in (list, tuple):
        items = [_encode(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return items if kind is list else {"$tuple": items}
    if kind is dict:
        return _encode_dict(value, path)
    if kind in _CONVERTERS:
        return _encode_tagged(value, path)
    base = next((known.__name__ for known in kind.__mro__[1:] if known in _CONVERTERS or known in _BASES), None)
    hint = f": pass a plain {base}, which comes back as it was" if base else f"; it stores {_STORED}"
    raise TypeError(f"an outbox cannot store the argument {path}, a {kind.__name__}{hint}")


_BASES = frozenset({int, float, str, list, tuple, dict})


def _encode_dict(value: dict[Any, Any], path: str) -> Any:
    if all(type(key) is str for key in value):
        return _untagged([(key, _encode(item, f"{path}[{key!r}]")) for key, item in value.items()])
    # JSON would make every key a string.
    return {"$dict": [[_encode(key, f"{path} (a key)"), _encode(item, f"{path}[…]")] for key, item in value.items()]}


def _untagged(pairs: list[tuple[str, Any]]) -> Any:
    """Return a mapping with these encoded items, in a form that is not taken for a tag."""
    return {"$dict": pairs} if len(pairs) == 1 and pairs[0][0][:1] == "$" else dict(pairs)


def _encode_tagged(value: Any, path: str) -> Any:
    if isinstance(value, Decimal):
        _finite(value, value.is_finite(), path)
    tag, to_text, from_text = _CONVERTERS[type(value)]
    text = to_text(value)
    # The representation shows what a comparison hides: digits of a Decimal, the zone and the fold of a datetime.
    if repr(from_text(text)) != repr(value):
        what = "a datetime whose time zone is neither UTC nor a fixed offset" if tag == "$datetime" else f"this {tag}"
        raise TypeError(f"an outbox cannot store the argument {path}, {what}: pass it in UTC")
    return {tag: text}


def _finite(value: Any, is_finite: bool, path: str) -> Any:
    if not is_finite:
        raise TypeError(f"an outbox cannot store the argument {path}: {value} is not a finite number")
    return value


def _decode(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    ((tag, content),) = value.items()
    if tag[:1] != "$":
        return value
    if tag not in _DECODERS:
        raise ValueError(f"its arguments have the unknown tag {tag!r}")
    return _DECODERS[tag](content)


def _decode_0_1(value: dict[str, Any]) -> Any:
    return Decimal(value["$decimal"]) if set(value) == {"$decimal"} else value
