"""Tells retries of other libraries when a call of ours has given up, so that the two do not multiply.

Neither tenacity nor backoff is imported: these are plain functions that both accept.
"""

from __future__ import annotations

from typing import Any

from .._core.classify.attach import has_given_up as _has_given_up

__all__ = ["has_given_up", "retry_unless_given_up"]


def has_given_up(error: BaseException) -> bool:
    """Return whether a call of this library has ended with this error, so that no other layer should send it again.

    It is True for an error on which a call has given up, whether its retries are used up, the error is fatal or the
    outcome is unknown; for our rejections; and for an error that another library made from one of these. It is False
    for an error that no call of ours has seen.

    Example:
        >>> has_given_up(ConnectionRefusedError())
        False
    """
    return _has_given_up(error)


def retry_unless_given_up(retry_state: Any) -> bool:
    """Return whether tenacity may retry an attempt: it raised an `Exception`, and no call of ours has given up.

    Pass it as `retry=`, alone or together with another condition: `retry_if_exception_type(OSError) &
    retry_unless_given_up`. It serves `Retrying` and `AsyncRetrying`.

    Args:
        retry_state: tenacity's `RetryCallState`.
    """
    outcome = retry_state.outcome
    error = outcome.exception() if outcome is not None and outcome.failed else None
    return isinstance(error, Exception) and not _has_given_up(error)
