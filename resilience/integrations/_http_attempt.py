"""Describes what passes between a class derived from `HttpClientSupport` and us: a request, and an attempt to make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ._http_messages import replace_header
from ._time_limits import TimeLimits, shorter_timeout

__all__ = ["ClientRequest", "HttpAttempt"]


class ClientRequest(NamedTuple):
    """A request, as its client describes it.

    Attributes:
        method: the HTTP method.
        url: the complete URL, with its query.
        headers: a mapping or pairs; None for no headers.
        body: text, bytes, or a mapping or pairs of form fields. None for no body, and for one that reading consumes.
        is_replayable: False if the body can be sent only once, such as that of a stream.
    """

    method: str
    url: str
    headers: Any = None
    body: Any = None
    is_replayable: bool = True


class HttpAttempt(NamedTuple):
    """What a client must do in one attempt.

    Attributes:
        headers: headers to add: the key of the write, and the number of the attempt if the policy wants that.
        follows_redirects: False if the client must return a redirect as the answer; True leaves that to the caller.
        limits: the seconds that are left, `connect` to connect and `other` for everything else; None for no limit.
    """

    headers: Mapping[str, str]
    follows_redirects: bool
    limits: TimeLimits | None

    def with_headers(self, headers: Any) -> dict[str, str]:
        """Return the caller's headers, a mapping or pairs or None, with those of the attempt."""
        pairs = list(headers.items() if hasattr(headers, "items") else headers or ())
        for name, value in self.headers.items():
            pairs = replace_header(pairs, name, value)
        return dict(pairs)

    def timeout(self, own: float | None) -> float | None:
        """Return the shorter of the caller's timeout (None for no limit) and the seconds left, at least 1 ms."""
        return own if self.limits is None else shorter_timeout(own, self.limits.other)
