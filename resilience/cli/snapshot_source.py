"""Reads a snapshot from a running bot's URL or from a file, and checks that it is one."""

from __future__ import annotations

import json
import os
import re
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from ..errors import ResilienceError
from ..telemetry.plain_data import redact_all

__all__ = ["is_url", "read_snapshot"]

_TIMEOUT = 5.0
_MAX_SIZE = 16_000_000
_LISTS = (
    "isolated",
    "policies",
    "breakers",
    "quotas",
    "holds",
    "budgets",
    "admission",
    "writes_in_doubt",
    "counters",
    "streams",
)


def is_url(source: str) -> bool:
    """Return whether a source is a URL and not a file."""
    return re.match(r"[a-z][a-z0-9+.-]*://", source, re.IGNORECASE) is not None


def read_snapshot(source: str) -> dict[str, Any]:
    """Return the snapshot of a URL, of a file, or of standard input for `-`. Secrets in it are removed.

    Raises:
        ResilienceError: it cannot be read or is no snapshot; the message is one line.
    """
    content = _fetch(source) if is_url(source) else _read_file(source)
    source = "standard input" if source == "-" else source
    if len(content) > _MAX_SIZE:
        raise ResilienceError(f"{source}: more than {_MAX_SIZE // 1_000_000} MB is no snapshot")
    try:
        snapshot = json.loads(content, parse_int=_bounded_int)
    except (ValueError, RecursionError) as error:
        raise ResilienceError(f"{source}: not a snapshot: no JSON") from error
    if wrong := _mistake(snapshot):
        raise ResilienceError(f"{source}: not a snapshot: {wrong}")
    plain: dict[str, Any] = redact_all(snapshot)
    return plain


def _mistake(snapshot: Any) -> str:
    if not isinstance(snapshot, dict):
        return "expected a JSON object"
    at: Any = snapshot.get("at")
    if type(at) not in {int, float} or not 0 <= at < 1e12:
        return "at: expected Unix seconds"
    for name in _LISTS:
        rows = snapshot.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return f"{name}: expected a list of objects"
    return ""


def _bounded_int(digits: str) -> float:
    # An int of any length could not be subtracted from a float; as a float it is infinite, which is shown as a dash.
    return int(digits) if len(digits) <= 20 else float(digits)


def _read_file(source: str) -> bytes:
    try:
        if source == "-":
            return sys.stdin.buffer.read(_MAX_SIZE + 1)
        with Path(source).open("rb") as file:
            return file.read(_MAX_SIZE + 1)
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        hint = "; a URL begins with http://" if isinstance(error, FileNotFoundError) else ""
        raise ResilienceError(f"{source}: {getattr(error, 'strerror', None) or error}{hint}") from error


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: it would take the token to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _fetch(source: str) -> bytes:
    try:
        request = Request(_snapshot_url(source), headers=_headers())
        with build_opener(ProxyHandler({}), _NoRedirects).open(request, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read(_MAX_SIZE + 1)
            return content
    except HTTPError as error:
        with error:
            raise ResilienceError(f"{source}: HTTP {error.code}{_reason(error)}") from error
    except URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise ResilienceError(f"{source}: no answer: {reason}") from error
    except (OSError, HTTPException) as error:
        raise ResilienceError(f"{source}: no answer: {str(error) or type(error).__name__}") from error
    except ValueError as error:
        raise ResilienceError(f"{source}: not a URL: {error}") from error


def _snapshot_url(source: str) -> str:
    """Return the URL of the snapshot: `top` takes the server's URL and the snapshot's."""
    parts = urlsplit(source)
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected one such as http://127.0.0.1:8700")
    if parts.path in {"", "/"}:
        return parts._replace(path="/snapshot").geturl()
    return source


def _headers() -> dict[str, str]:
    token = os.environ.get("RESILIENCE_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _reason(error: HTTPError) -> str:
    """Return what the server said, and where the token comes from if it wants one."""
    try:
        said = json.loads(error.read(2_000))["error"]
    except (OSError, ValueError, TypeError, KeyError, HTTPException):
        said = f"{error.reason}; expected the URL of policies.serve_snapshot()"
    hint = "; $RESILIENCE_TOKEN is sent as the token" if error.code == 401 else ""
    return f": {said}{hint}"
