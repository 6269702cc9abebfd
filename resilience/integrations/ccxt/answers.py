"""Judges the answer to each request: which is a success, and what the error of one that failed says of it."""

from __future__ import annotations

import json
from typing import Any

from .batch_log import BATCH
from .engine_state import EngineState
from .limit_marks import mark_wait
from .method_names import places_orders
from .requests_sent import ATTEMPT, SentRequest, is_set_up_under_way, set_attribute

__all__ = ["check_response", "record_failure"]


def record_failure(state: EngineState, request: SentRequest, error: Exception) -> bool:
    """Set URL, status and headers of the response on an error; return whether to request the exchange's time."""
    request.outcome = "failed"
    set_attribute(error, "resilience_url", request.url)
    if request.writes:
        request.error = error
    if request.status is None:
        return False
    _add_answer(request, request.text)
    set_attribute(error, "http_status", request.status)
    set_attribute(error, "headers", request.headers)
    if state.support is not None:
        # ccxt leaves the code out of the texts of some errors; an exchange's own code is in its answer.
        if isinstance(request.text, str) and request.text.startswith("{"):
            set_attribute(error, "resilience_body", request.text)
        mark_wait(state.support, request, error)
        ask = state.support.learn_rejection(request.text, request.sent_at)
    else:
        ask = isinstance(error, state.errors.stamp) and state.clock.can_correct(state.original)
    # The request for the time counts as a read. If that one is rejected, it is not sent again.
    return ask and not is_set_up_under_way()


def check_response(state: EngineState, engine: Any, url: str, request: SentRequest, response: Any) -> Any:
    """Return the response, unless its body says that it is not a success.

    Raises:
        Exception: `errors.unreadable` or `errors.partial`, with the response as `body`.
    """
    support, errors = state.support, state.errors
    problem = _unusable(request, response)
    if problem is not None:
        error = errors.unreadable(f"{engine.id} {request.method} {url}: {problem}")
        _reject(state, request, error, response, executed="maybe")
        raise error
    if request.path is None:
        request.outcome = "accepted"
        return response
    _add_answer(request, response)
    found = None if support is None else support.problem(request, response)
    if found is None:
        request.outcome = "accepted"
        return response
    kind, reason = found
    body = json.dumps(response, default=str) if kind == "partial" else f"{request.method} {url}: {reason}"
    error = (errors.partial if kind == "partial" else errors.unreadable)(f"{engine.id} {body}")
    # A list is the answer to a batch, of which some items may have been placed.
    _reject(state, request, error, response, executed="maybe" if isinstance(response, list) else None)
    raise error


def _add_answer(request: SentRequest, answer: Any) -> None:
    batch = BATCH.get()
    if batch is not None and request.writes:
        batch.add_answer(request, answer)


def _unusable(request: SentRequest, response: Any) -> str | None:
    """Return why a response without an error status is none to this request, or None."""
    status, attempt = request.status or 200, ATTEMPT.get()
    if status < 200:
        return f"status {status} is no answer"
    if request.writes and attempt is not None:
        if 300 <= status < 400:
            return f"status {status}: a redirect of a write is not followed"
        if response in (None, "") and places_orders(attempt.operation):
            return "the response is empty"
    # ccxt returns a body that it cannot parse as a string.
    if request.path is not None and isinstance(response, str) and response.lstrip()[:1] in ("{", "[", "<"):
        return "the response cannot be read"
    return None


def _reject(
    state: EngineState, request: SentRequest, error: Exception, response: Any, executed: str | None = None
) -> None:
    """Record that a request failed by its response."""
    request.outcome = "failed"
    if request.writes:
        request.error = error
    if state.support is not None:
        mark_wait(state.support, request, error)
    set_attribute(error, "body", response)
    set_attribute(error, "resilience_url", request.url)
    if executed is not None and request.writes:
        set_attribute(error, "resilience_executed", executed)
