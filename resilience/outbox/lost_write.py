"""Corrects the record of an error that says "not executed" of a write which another process may have sent."""

from __future__ import annotations

from dataclasses import replace

from .._core.classify.attach import attach_failure, attached_failure

__all__ = ["mark_uncertain"]


def mark_uncertain(error: BaseException, key: str) -> None:
    """Let `failure_of` say `maybe` of an error whose call sent nothing, but no longer had the write when it ended.

    Args:
        error: the error, or the cancellation, with which the call ends.
        key: the write's key.
    """
    failure = attached_failure(error)
    if failure is not None and failure.executed == "no":
        remedy = f"Another process may have sent it: look for key {key} before sending it again"
        attach_failure(error, replace(failure, executed="maybe", proof="none", key=key, remedy=remedy), None)
