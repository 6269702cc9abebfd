"""Replaces the ids in the paths of requests, so that events and log lines show a bounded number of paths.

`/api/v2/orders/123456` becomes `/api/v2/orders/*`. Which part of a path is an id is not known here, so only what looks
like a word stays: an id, a symbol in capitals or a token in a path is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["PathTemplates", "path_template", "url_in"]

MAX_PATHS = 256  # templates of one client
_MAX_PARTS = 12
_WORD = r"[A-Z]?[a-z]{2,20}(?:[A-Z][a-z]{2,20}){0,3}"
_SHOWN = re.compile(rf"{_WORD}(?:[-_.]{_WORD}){{0,5}}|[a-z]{{1,3}}[0-9]{{1,2}}|")
_OTHERS = "/*"


def path_template(path: str) -> str:
    """Return a path without ids and query.

    Example:
        >>> path_template("/api/v2/orders/123456?signature=ab12")
        '/api/v2/orders/*'
    """
    parts = path.partition("?")[0].split("/")
    shown = [part if _SHOWN.fullmatch(part) else "*" for part in parts[:_MAX_PARTS]]
    return "/".join(shown if len(parts) <= _MAX_PARTS else [*shown, "*"])


def url_in(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the URL among the arguments of a request: that of a request object, else a second argument, else `url`."""
    url = getattr(args[0], "url", None) if args else None
    if url is None:
        url = args[1] if len(args) > 1 else kwargs.get("url", "")
    return str(url)


class PathTemplates:
    """The path templates of one client, at most 256. Safe across threads and tasks."""

    def __init__(self, url_of: Callable[[tuple[Any, ...], Mapping[str, Any]], str]) -> None:
        """Take the function that returns the URL among the arguments of a request."""
        self._url_of = url_of
        self._known: set[str] = set()

    def of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Return the template of a request's path; None where it has no valid URL, `/*` for what is too many."""
        try:
            path = urlsplit(self._url_of(args, kwargs)).path
        except Exception:  # arguments of a foreign client
            return None
        template = path_template(path)
        if template not in self._known:
            if len(self._known) >= MAX_PATHS:
                return _OTHERS
            self._known.add(template)
        return template
