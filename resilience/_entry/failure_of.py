"""`failure_of`: what an error means."""

from __future__ import annotations

from dataclasses import replace

from .._core.classify.attach import attached_failure
from .._core.classify.failure import Failure
from .policies import configured_policies

__all__ = ["failure_of"]


def failure_of(error: object) -> Failure:
    """Return what the pipeline recorded for this error, or classify it afresh.

    An error that no pipeline has seen goes by its shape and by the tables of the configured policies.
    It never raises for an error, whatever its shape.

    Example:
        >>> failure_of(ConnectionRefusedError()).executed
        'no'
    """
    found = attached_failure(error)
    if found is not None:
        return found
    policies = configured_policies()
    failure = policies.classifier.classify(error)
    if failure.retry_after is not None and failure.retry_at is None:
        return replace(failure, retry_at=policies.clock.time() + failure.retry_after)
    if failure.retry_at is not None and failure.retry_after is None:
        return replace(failure, retry_after=max(0.0, failure.retry_at - policies.clock.time()))
    return failure
