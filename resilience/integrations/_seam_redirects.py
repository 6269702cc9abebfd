"""Recognises, in a native seam, the request by which its client follows a redirect of a write.

A seam gets each hop as a request of its own. The server that answered the first one with 307 or 308 may have executed
it, so the next hop is sent once, and its failure is uncertain.
"""

from __future__ import annotations

from contextvars import ContextVar
from urllib.parse import unquote, urljoin, urlsplit

__all__ = ["is_next_hop", "note_redirect"]

_METHOD_KEPT = (307, 308)  # RFC 9110, sections 15.4.8 and 15.4.9
_TARGET: ContextVar[tuple[str, ...] | None] = ContextVar("resilience_redirect_target", default=None)


def note_redirect(url: str, status: int, location: str | None) -> None:
    """Note that the client is about to follow a redirect of a write with its method kept."""
    if status in _METHOD_KEPT and location:
        _TARGET.set(_place(urljoin(url, location)))


def is_next_hop(url: str) -> bool:
    """Return whether a request follows the redirect that was noted in this thread or task; True once."""
    target = _TARGET.get()
    if target is None:
        return False
    _TARGET.set(None)
    return target == _place(url)


def _place(url: str) -> tuple[str, ...]:
    """Return host and path, without the spellings in which clients differ."""
    try:
        parts = urlsplit(unquote(url))
    except ValueError:
        return (url,)
    return parts.netloc.rpartition("@")[2].lower(), parts.path.rstrip("/")
