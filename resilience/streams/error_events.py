"""Turns errors of handlers, and bugs, into the exception events of a client, and logs those of handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._pipeline.callables import name_of
from .._pipeline.pipeline import Pipeline
from ..telemetry import new_event_log
from .handler_log import HandlerLog
from .session.stream_failure import StreamFailure, stream_failure

__all__ = ["ErrorEvents"]


class ErrorEvents:
    """Builds the exception events for errors that no session knows of. Belongs to one event loop."""

    def __init__(self, pipeline: Pipeline, registry: str | None) -> None:
        """Take the pipeline whose classifier explains the errors, and the name of the venue's code table."""
        self._pipeline, self._registry = pipeline, registry
        log = pipeline.compiler.current.shared.log or new_event_log(True)  # an error of a handler is always logged
        assert log is not None
        self._log = HandlerLog(log.raised)

    def for_handler(self, event: str, handler: Callable[..., Any], error: BaseException) -> StreamFailure | None:
        """Log an error of a handler and return its event.

        An error of a handler of exception events gets no event, which would call the same handler again.
        """
        name = _full_name(handler)
        self._log.record(event, name, error)
        if event == "exception":
            return None
        text = f"continues with the next event after `{event}`"
        return self._build(error, phase="handler", action_text=text, handler=name)

    def for_bug(self, socket: str, error: BaseException) -> StreamFailure:
        """Return the event for an unexpected error in a task of a socket."""
        return self._build(error, phase="read", action_text="continues", socket=socket)

    def _build(self, error: BaseException, **details: Any) -> StreamFailure:
        failure = self._pipeline.classifier.classify(error, registry=self._registry)
        return stream_failure(failure, caused_by=type(error).__name__, error=error, **details)


def _full_name(handler: Callable[..., Any]) -> str:
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return f"{module}.{name_of(handler)}"
