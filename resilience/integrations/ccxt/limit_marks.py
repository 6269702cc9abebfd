"""Marks the error of a limit or a ban with what the venue's data says of it: what may not be sent, and for how long."""

from __future__ import annotations

from functools import partial

from ..._core.classify.attributes import get, text_of
from ..._core.classify.retry_hints import retry_hint
from .exchange_support import ExchangeSupport
from .requests_sent import SentRequest, set_attribute

__all__ = ["mark_wait"]


def mark_wait(support: ExchangeSupport, request: SentRequest, error: Exception) -> None:
    """Mark the error of a refused request; what the answer itself says of the time counts more than the data."""
    text = request.text if isinstance(request.text, str) else ""
    wait = support.wait_of(request.status, text, request.headers or {})
    if wait is None:
        return
    scope, seconds = wait
    set_attribute(error, "resilience_hold_scope", scope)
    hint = retry_hint(error, partial(get, error), None, text_of(error))
    if seconds is not None and hint.after is None and hint.when is None:
        set_attribute(error, "retry_after", seconds)
