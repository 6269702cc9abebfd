"""Makes the `Failure` of a row and the evidence that led to it."""

from __future__ import annotations

from math import isfinite

from ..policy.codes import Category, CodeTable, Executed
from .code_match import NO_PROOF, Match
from .evidence import Evidence
from .failure import Failure, changed

__all__ = ["failure_of_rule", "with_executed"]

_EMPTY = Failure(Category.RETRYABLE)


def failure_of_rule(match: Match, code: str, *, known: bool = True) -> Failure:
    """Return what a row says of an error.

    Args:
        match: the row, its table and the evidence.
        code: the code to report, which may be another than the row's.
        known: a table has the code; False for a code that only its status or class explains.
    """
    rule, table, evidence, proof = match
    # Without any proof a "no" is not believed, and a likely one would send the write again after any 5xx.
    is_doubtful = proof == "none" or (
        proof == "likely" and rule.category is Category.RETRYABLE and _proves_nothing(evidence)
    )
    executed = "maybe" if rule.executed == "no" and is_doubtful else rule.executed
    return changed(
        _EMPTY,
        category=rule.category or Category.RETRYABLE,
        code=code,
        names=rule.names if known else (),
        registry=table.name if known else None,
        http_status=evidence.status,
        executed=executed,
        retry_after=evidence.retry_after,
        retry_at=evidence.retry_at,
        banned=evidence.banned,
        hold_scope=evidence.hold_scope,
        remedy=rule.remedy,
        hint=rule.hint,
        duplicate=rule.duplicate,
        known=known,
        answered_at=_server_time(table, evidence),
        proof=proof if executed == "no" else "none",
    )


def _proves_nothing(evidence: Evidence) -> bool:
    status = evidence.status
    return status is not None and (status >= 500 or status in NO_PROOF)


def with_executed(failure: Failure, executed: Executed) -> Failure:
    """Return the failure with what the error, or the part of the program that raised it, knows of its effect."""
    return changed(failure, executed=executed, proof="proven" if executed == "no" else "none")


def _server_time(table: CodeTable, evidence: Evidence) -> float | None:
    """Return the server's time in the answer, Unix seconds, where the table's envelope has one (in milliseconds)."""
    if table.envelope is None or not table.envelope.time or evidence.body is None:
        return None
    value = table.envelope.time_in(evidence.body)
    try:
        seconds = float(value) / 1000 if isinstance(value, (int, str)) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds > 0 else None
