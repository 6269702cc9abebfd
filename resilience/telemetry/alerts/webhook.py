"""Posts a value as JSON to a webhook, by the standard library: under no policy, so that no alert is about an alert.

The URL of a webhook is a secret: whoever has it can post. No error and no log line has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPMessage
from time import monotonic
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import SplitResult, parse_qsl, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..._core.classify.retry_hints import retry_hint
from ..redaction import register_secret

__all__ = ["Delivery", "Webhook"]

_MAX_ANSWER = 10_000
_MIN_SECRET = 16  # characters of a part of the path that is kept secret by itself
_RETRIED = (408, 425, 429)
MAX_WAIT = 3_600.0  # seconds that a webhook can ask to wait: nobody would hear of a write in doubt for longer
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


class Delivery(NamedTuple):
    """How a request ended.

    Attributes:
        delivered: the webhook has taken the message.
        retryable: the same message may be taken later.
        http_status: status of the answer, or None.
        caused_by: class of the error where there is no answer.
        retry_after: seconds that the webhook asked to wait, or None.
    """

    delivered: bool
    retryable: bool = False
    http_status: int | None = None
    caused_by: str | None = None
    retry_after: float | None = None


class _UnfollowedRedirects(HTTPRedirectHandler):
    """Follows no redirect: it would carry the message, without its body, to a place that nobody has named."""

    def redirect_request(
        self, _req: Request, _fp: IO[bytes], _code: int, _msg: str, _headers: HTTPMessage, _newurl: str
    ) -> Request | None:
        return None


class Webhook:
    """A place where messages are posted."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Keep the address and the headers, and register what is secret of them.

        Raises:
            ValueError: the URL is none, or has a user, or a header cannot be sent; the message shows no value.
        """
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except (TypeError, ValueError, AttributeError):
            usable = False
        if not usable or any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
            raise ValueError("url: expected the URL of a webhook, such as https://hooks.example.com/services/...")
        if parts.username is not None:
            raise ValueError(
                "url: credentials before the host are not sent; give them in headers={'Authorization': ...}"
            )
        _check_headers(headers or {})
        self._url = url
        self._headers = {"Content-Type": "application/json", "User-Agent": "resilience", **(headers or {})}
        self._opener = build_opener(_UnfollowedRedirects())
        for secret in _secrets(url, parts, headers or {}):
            if len(secret) >= _MIN_SECRET:
                register_secret(secret)

    def __repr__(self) -> str:
        return "Webhook()"

    def post(self, value: Any, timeout: float) -> Delivery:
        """Send a value once. Never raises for what a network or a server does.

        Args:
            value: what `json.dumps` takes.
            timeout: seconds of silence after which the request fails.
        """
        # ASCII alone: no byte of it can be taken for another character.
        request = Request(self._url, json.dumps(value, default=str).encode(), self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return Delivery(True, http_status=answer.status)
        except HTTPError as error:
            with error:
                return _refused(error, monotonic() + timeout)
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None)  # of urllib's own error, which says no more than that
            return Delivery(False, True, caused_by=type(reason if isinstance(reason, Exception) else error).__name__)


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not isinstance(name, str) or _HEADER_NAME.fullmatch(name) is None:
            raise ValueError(f"headers: {name!r} is no name of a header")
        # A line break at its end, as of a value that was read from a file, would make each request fail.
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ValueError(f"headers: {name}: expected printable ASCII characters, without a line break")


def _secrets(url: str, parts: SplitResult, headers: Mapping[str, str]) -> Iterator[str]:
    """Yield what may be a secret: the URL, the parts of its path and query, and the headers with their words."""
    yield url
    yield from parts.path.split("/")
    yield from (value for _, value in parse_qsl(parts.query))
    for value in headers.values():
        yield value
        yield from value.split()


def _refused(error: HTTPError, until: float) -> Delivery:
    text = _beginning_of(error, until).decode("utf-8", "replace")
    # Telegram and Discord say it in the body too, where a proxy may have removed the header.
    hint = retry_hint(error, lambda name: getattr(error, name, None), None, text)
    retryable = error.code >= 500 or error.code in _RETRIED
    wait = None if hint.after is None else min(hint.after, MAX_WAIT)
    return Delivery(False, retryable, error.code, None, wait)


def _beginning_of(answer: Any, until: float) -> bytes:
    """Return the beginning of a body; what comes byte by byte is read until a moment of the monotonic clock."""
    body = b""
    try:
        while len(body) < _MAX_ANSWER and monotonic() < until and (piece := answer.read1(_MAX_ANSWER - len(body))):
            body += piece
    except (OSError, HTTPException):
        pass
    return body
