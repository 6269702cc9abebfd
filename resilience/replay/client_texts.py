"""Reads the texts of HTTP clients' errors: the status in them, and the errors that a client has put inside its own."""

from __future__ import annotations

import builtins
import re
from itertools import pairwise

__all__ = ["cause_in", "status_in", "system_error"]

_STATUS = re.compile(
    r"([1-5]\d\d) (?:Client|Server) Error: .*"  # requests
    r"|(?:Client error|Server error|Redirect response|Informational response) '([1-5]\d\d) .*"  # httpx
    r"|([1-5]\d\d), message=.*"  # aiohttp
    r"|HTTP Error ([1-5]\d\d): .*",  # urllib
    re.DOTALL,
)
_CLASS = re.compile(r"\b(gaierror|[A-Z]\w{3,60})\(")
_ERRNO = re.compile(r"\[Errno (-?\d{1,5})\] ([^'\"\])>]*)")
_CONNECT_CALL = "Connect call failed"
"""What asyncio says in place of the system's text; nearly always the connection was refused."""
_BAD_CERTIFICATE = "[SSL: CERTIFICATE_VERIFY_FAILED]"
_NAMES_ITS_CAUSE = frozenset({"aiohttp", "requests", "urllib", "urllib3"})
"""Packages that put the error beneath into the text of their own: `(Caused by NewConnectionError(...))`."""
_HAS_ERRNO = frozenset({"aiohttp", "httpcore", "httpx", "requests", "urllib", "urllib3"})
"""Packages whose errors repeat the text of the system's error."""
_MODULES = {
    **dict.fromkeys(("gaierror", "herror"), "socket"),
    **dict.fromkeys(("SSLCertVerificationError", "SSLEOFError", "SSLZeroReturnError"), "ssl"),
    **dict.fromkeys(("RemoteDisconnected", "BadStatusLine", "LineTooLong"), "http.client"),
    **dict.fromkeys(
        (
            "ConnectTimeoutError", "DecodeError", "EmptyPoolError", "IncompleteRead", "InvalidChunkLength",
            "LocationParseError", "MaxRetryError", "NameResolutionError", "NewConnectionError", "ProtocolError",
            "ProxyError", "ReadTimeoutError", "ResponseError", "SSLError",
        ),
        "urllib3.exceptions",
    ),
}  # fmt: skip
"""The modules of the classes that such a text names."""
_MAX_CAUSES = 8


def status_in(message: str) -> int | None:
    """Return the HTTP status at the beginning of a text that a client makes of an answer; None in other texts."""
    match = _STATUS.match(message)
    return None if match is None else int(next(group for group in match.groups() if group))


def cause_in(message: str, package: str) -> Exception | None:
    """Return the errors that the text of a client's error names, the outermost first, each the cause of the one before.

    Args:
        message: the text.
        package: the top-level package of the error's class.
    """
    names = _CLASS.findall(message)[:_MAX_CAUSES] if package in _NAMES_ITS_CAUSE else []
    causes = [error for name in names if (error := _error(name)) is not None]
    if package in _HAS_ERRNO and (error := system_error(message)) is not None:
        causes.append(error)
    for outer, inner in pairwise(causes):
        outer.__cause__ = inner
    return causes[0] if causes else None


def _error(name: str) -> Exception | None:
    if name in _MODULES:
        return _stand_in(name, _MODULES[name])
    kind = getattr(builtins, name, None)
    return kind() if isinstance(kind, type) and issubclass(kind, OSError) else None


def system_error(message: str) -> Exception | None:
    """Return the system's error that a text repeats: `[Errno 111] Connection refused`; None where there is none."""
    if _BAD_CERTIFICATE in message:
        return _stand_in("SSLCertVerificationError", "ssl")
    if _CONNECT_CALL in message:
        return ConnectionRefusedError(_CONNECT_CALL)
    found = _ERRNO.search(message)
    if found is None:
        return None
    number = int(found[1])
    # Names that cannot be resolved have negative numbers; the class of the others follows from the number.
    return _stand_in("gaierror", "socket") if number < 0 else OSError(number, found[2])


def _stand_in(name: str, module: str) -> Exception:
    kind: type[Exception] = type(name, (Exception,), {"__module__": module})
    return kind("as its text says")
