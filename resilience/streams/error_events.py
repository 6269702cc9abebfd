"""Turns errors of handlers, and bugs, into the exception events of a client."""

from __future__ import annotations

from typing import Any

from .._pipeline.pipeline import Pipeline
from ..telemetry.structlog import StructlogListener
from .session.stream_failure import StreamFailure, stream_failure

__all__ = ["ErrorEvents"]


class ErrorEvents:
    """Builds the exception events for errors that no session knows of. Belongs to one event loop."""

    def __init__(self, pipeline: Pipeline, registry: str | None) -> None:
        """Take the pipeline whose classifier explains the errors, and the name of the venue's code table."""
        self._pipeline, self._registry = pipeline, registry
        self._logged: set[str] = set()

    def for_handler(self, event: str, error: BaseException) -> StreamFailure | None:
        """Return the event for an error of a handler.

        An error of a handler of exception events gets no event, which would call the same handler again. It is
        logged instead, once per class of error.
        """
        if event != "exception":
            return self._build(error, phase="handler", action_text=f"continues with the next event after `{event}`")
        # Once per class: a handler that fails on every event must not flood the log.
        name = type(error).__name__
        if name not in self._logged:
            self._logged.add(name)
            StructlogListener().raised("exception", error)
        return None

    def for_bug(self, socket: str, error: BaseException) -> StreamFailure:
        """Return the event for an unexpected error in a task of a socket."""
        return self._build(error, phase="read", action_text="continues", socket=socket)

    def _build(self, error: BaseException, **details: Any) -> StreamFailure:
        failure = self._pipeline.classifier.classify(error, registry=self._registry)
        return stream_failure(failure, caused_by=type(error).__name__, **details)
