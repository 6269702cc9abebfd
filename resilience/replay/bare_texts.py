"""Recognizes errors of HTTP clients and of the system by a class and its text, by a `repr`, or by the text alone.

That is how a program's own log shows an error: `log.error("failed: %s", error)`.
"""

from __future__ import annotations

import ast
import builtins
import re
from itertools import islice

from .client_texts import system_error
from .error_stand_ins import rebuild_error

__all__ = ["recognized_error", "recognized_in_line"]

_NAMED = re.compile(r"([A-Za-z]\w*):(?: (.*))?", re.DOTALL)
_REPR = re.compile(r"([A-Za-z]\w*)\((.*)\)", re.DOTALL)
_OF_URLLIB3 = re.compile(r"HTTPS?Connection(?:Pool)?\(host=|\('Connection (?:aborted|broken)|\(Caused by ")
_CLASSES = {
    **dict.fromkeys(
        (
            "CloseError", "ConnectError", "ConnectTimeout", "LocalProtocolError", "PoolTimeout", "ReadError",
            "ReadTimeout", "RemoteProtocolError", "TransportError", "UnsupportedProtocol", "WriteError", "WriteTimeout",
        ),
        "httpx",
    ),
    **dict.fromkeys(
        (
            "ClientConnectionError", "ClientConnectionResetError", "ClientConnectorCertificateError",
            "ClientConnectorDNSError", "ClientConnectorError", "ClientConnectorSSLError", "ClientOSError",
            "ClientPayloadError", "ClientProxyConnectionError", "ClientResponseError", "ConnectionTimeoutError",
            "ServerConnectionError", "ServerDisconnectedError", "ServerFingerprintMismatch", "ServerTimeoutError",
            "SocketTimeoutError",
        ),
        "aiohttp.client_exceptions",
    ),
    **dict.fromkeys(
        (
            "ConnectTimeoutError", "EmptyPoolError", "IncompleteRead", "InvalidChunkLength", "MaxRetryError",
            "NameResolutionError", "NewConnectionError", "ProtocolError", "ReadTimeoutError",
        ),
        "urllib3.exceptions",
    ),
    **dict.fromkeys(("ChunkedEncodingError", "ProxyError", "TooManyRedirects"), "requests.exceptions"),
    **dict.fromkeys(("gaierror", "herror"), "socket"),
    **dict.fromkeys(("SSLCertVerificationError", "SSLEOFError", "SSLZeroReturnError"), "ssl"),
    **dict.fromkeys(("BadStatusLine", "RemoteDisconnected"), "http.client"),
    "URLError": "urllib.error",
}  # fmt: skip
"""The modules of classes whose names alone say which client they belong to, or mean the same in several clients."""
_SHARED = frozenset({"ConnectTimeout", "ConnectionError", "HTTPError", "ReadTimeout", "SSLError"})
"""Classes of requests whose names other modules use too: the text shows that they are made of an error of urllib3."""
_UNRESOLVED = (
    r"(?:Name or service not known|Temporary failure in name resolution|nodename nor servname|getaddrinfo failed)"
)
_TEXTS = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (r"HTTPS?ConnectionPool\(.*\(Caused by ProxyError\(", "requests.exceptions.ProxyError"),
        (r"HTTPS?ConnectionPool\(.*\(Caused by SSLError\(", "requests.exceptions.SSLError"),
        (r"HTTPS?ConnectionPool\(.*\(Caused by ConnectTimeoutError\(", "requests.exceptions.ConnectTimeout"),
        (r"HTTPS?ConnectionPool\(.*\(Caused by ", "requests.exceptions.ConnectionError"),
        (r"HTTPS?Connection(?:Pool)?\(.*: Failed to resolve ", "urllib3.exceptions.NameResolutionError"),
        (r"HTTPS?Connection(?:Pool)?\(.*: Failed to establish a new", "urllib3.exceptions.NewConnectionError"),
        (r"HTTPS?Connection(?:Pool)?\(.* timed out\. \(connect timeout=", "requests.exceptions.ConnectTimeout"),
        (r"HTTPS?ConnectionPool\(.*: Read timed out\.", "requests.exceptions.ReadTimeout"),
        (r"\('Connection aborted\.', ", "requests.exceptions.ConnectionError"),
        (r"\(['\"]Connection broken: ", "requests.exceptions.ChunkedEncodingError"),
        (r"<urlopen error .*>", "urllib.error.URLError"),
        (rf"Cannot connect to host \S+ ssl:.*\[{_UNRESOLVED}", "aiohttp.client_exceptions.ClientConnectorDNSError"),
        (r"Cannot connect to host \S+ ssl:", "aiohttp.client_exceptions.ClientConnectorError"),
        (r"Server disconnected without sending a response", "httpx.RemoteProtocolError"),
        (r"Server disconnected$", "aiohttp.client_exceptions.ServerDisconnectedError"),
        (r"(?:The read operation )?timed out$", "TimeoutError"),
    )
)
_MAX_COLONS = 8
_ERRNO = re.compile(r"\[(?:Errno|WinError) -?\d{1,5}\] ")


def recognized_error(text: str) -> Exception | None:
    """Return the error that a text shows, without the module of its class; None for any other text."""
    text = text.strip()
    if (match := _REPR.fullmatch(text)) and (module := _module(match[1], text)) is not None:
        return rebuild_error(_qualified(module, match[1]), _message(match[2]))
    if (match := _NAMED.fullmatch(text)) and (module := _module(match[1], text)) is not None:
        return rebuild_error(_qualified(module, match[1]), match[2] or "")
    name = next((name for pattern, name in _TEXTS if pattern.match(text)), None)
    if name is not None:
        return rebuild_error(name, text)
    return system_error(text) if _ERRNO.match(text) else None


def recognized_in_line(line: str) -> Exception | None:
    """Return the error at the end of a log line, after what the program says itself: `ERROR bot: order failed: …`."""
    ends = (match.end() for match in islice(re.finditer(": ", line), _MAX_COLONS))
    return next((error for end in ends if (error := recognized_error(line[end:])) is not None), None)


def _module(name: str, text: str) -> str | None:
    if name in _SHARED and _OF_URLLIB3.search(text):
        return "requests.exceptions"
    kind = getattr(builtins, name, None)
    is_builtin = isinstance(kind, type) and issubclass(kind, OSError)
    return _CLASSES.get(name, "" if is_builtin else None)


def _qualified(module: str, name: str) -> str:
    return f"{module}.{name}" if module else name


def _message(arguments: str) -> str:
    """Return the message among an error's arguments, as `repr` shows them; errors among them stay as they are shown."""
    try:
        values: tuple[object, ...] = ast.literal_eval(f"({arguments},)") if arguments else ()
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return arguments
    if len(values) == 2 and isinstance(values[0], int):
        return f"[Errno {values[0]}] {values[1]}"
    return str(values[0]) if len(values) == 1 else str(values or "")
