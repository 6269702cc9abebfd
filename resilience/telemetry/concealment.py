"""Keeps credentials out of tracebacks that print local variables: in frames of ours, and of HTTP libraries beneath.

A reporter of errors prints the `repr` of each local variable. `SecretText` is a string with a repr that shows nothing,
so what is passed down as such stays hidden. HTTP libraries make other values of it: mappings of headers, pairs of
bytes, a whole request in bytes. When an attempt fails, the frames of those libraries with such a value are cleared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from functools import wraps
from traceback import walk_tb
from types import FrameType
from typing import Any, Self

from .._core.base.abstract_classes import is_mapping
from .redaction import REDACTED, is_secret_name, redact

__all__ = ["SecretText", "clear_credentials", "conceal", "conceal_arguments", "without_credentials"]

_LIBRARIES = frozenset(
    {"aiohttp", "ccxt", "h11", "h2", "http", "httpcore", "httpx", "niquests", "requests", "resilience", "urllib3"}
)
"""The packages whose frames are cleared. A program's own frames are left alone."""
_MAX_ERRORS = 16  # of a chain
_MAX_ITEMS = 256  # of one value
_MAX_DEPTH = 3  # of nested values
_MAX_TEXT = 65_536  # characters of a text that are searched; headers come first
_ARGUMENTS = ("headers", "params", "cookies", "data", "json")
"""Keyword arguments of HTTP clients whose mappings may hold credentials."""


class SecretText(str):
    """A string whose `repr` is redacted. Pickled, it is a plain string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(REDACTED)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any) -> Self:
        return self

    def __reduce_ex__(self, _protocol: Any) -> tuple[Any, ...]:
        return str, (str(self),)  # whoever unpickles it may not have this library


def conceal(values: Any) -> Any:
    """Return a mapping with its secret values, by their names, as `SecretText`; anything else as it is."""
    if not is_mapping(values):
        return values
    secrets = {name: SecretText(value) for name, value in values.items() if _is_secret(name, value)}
    if not secrets:
        return values
    if type(values) is dict or not isinstance(values, MutableMapping) or not hasattr(values, "copy"):
        return {**values, **secrets}
    copy = values.copy()  # a class of the client's own, such as one whose names ignore their case
    copy.update(secrets)
    return copy


def conceal_arguments(arguments: dict[str, Any]) -> None:
    """Conceal the credentials among the keyword arguments of a request, in place."""
    for name in _ARGUMENTS:
        if arguments.get(name):
            arguments[name] = conceal(arguments[name])
    auth: Any = arguments.get("auth")
    if isinstance(getattr(auth, "password", None), str) and hasattr(auth, "_replace"):  # aiohttp's `BasicAuth`
        arguments["auth"] = auth._replace(password=SecretText(auth.password))
    elif type(auth) is tuple:
        arguments["auth"] = tuple(SecretText(part) if isinstance(part, str) else part for part in auth)


def without_credentials(send: Callable[..., Any], *, asynchronous: bool) -> Callable[..., Any]:
    """Return a function that clears credentials from the frames of whatever this one raises."""

    @wraps(send)
    async def send_async(*args: Any, **kwargs: Any) -> Any:
        try:
            return await send(*args, **kwargs)
        except BaseException as error:
            clear_credentials(error)
            raise

    @wraps(send)
    def send_sync(*args: Any, **kwargs: Any) -> Any:
        try:
            return send(*args, **kwargs)
        except BaseException as error:
            clear_credentials(error)
            raise

    return send_async if asynchronous else send_sync


def clear_credentials(error: BaseException) -> None:
    """Clear the finished frames of HTTP libraries that hold credentials, of an error and what it came from."""
    for frame in _frames(error):
        try:
            if any(_holds_secret(value, 0) for value in list(frame.f_locals.values())):
                frame.clear()
        except Exception:
            continue  # still running, or a local variable that cannot be read: the error itself must reach the caller


def _frames(error: BaseException) -> Iterator[FrameType]:
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue and len(seen) < _MAX_ERRORS:
        current = queue.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        queue += (current.__cause__, current.__context__)
        for frame, _ in walk_tb(current.__traceback__):
            if str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES:
                yield frame


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and type(value) is not SecretText and isinstance(name, str) and is_secret_name(name)


def _holds_secret(value: Any, depth: int) -> bool:
    """Return whether the repr of a local variable shows a credential."""
    if isinstance(value, SecretText) or value is None:
        return False
    if isinstance(value, (str, bytes, bytearray)):
        text = _text(value)
        return redact(text) != text
    if depth >= _MAX_DEPTH:
        return False
    if is_mapping(value):
        return any(_is_named_secret(name, item, depth) for name, item in value.items()) or _shows_texts(value)
    if isinstance(value, Sequence):
        return any(_is_secret_item(item, depth) for item in value[:_MAX_ITEMS])
    if type(value).__module__.startswith("h11."):  # its requests show their headers
        return _holds_secret(getattr(value, "headers", None), depth)
    return False


def _shows_texts(values: Mapping[Any, Any]) -> bool:
    """Return whether a mapping's own repr shows what is concealed in it, as headers of urllib3 before 2.6 do."""
    secrets = [str(item) for _, item in values.items() if isinstance(item, SecretText)]
    shown = repr(values) if secrets and type(values) is not dict else ""
    return any(secret and secret in shown for secret in secrets)


def _is_secret_item(item: Any, depth: int) -> bool:
    is_pair = isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], (str, bytes))
    return _is_named_secret(item[0], item[1], depth) if is_pair else _holds_secret(item, depth + 1)


def _is_named_secret(name: Any, item: Any, depth: int) -> bool:
    is_text = isinstance(item, (str, bytes)) and not isinstance(item, SecretText)
    is_named = isinstance(name, (str, bytes)) and is_secret_name(_text(name))
    return (is_text and is_named and len(item) > 0) or _holds_secret(item, depth + 1)


def _text(value: str | bytes | bytearray) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else bytes(value[:_MAX_TEXT]).decode("latin-1")
