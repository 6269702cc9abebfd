"""Makes the `Failure` of a row and the evidence that led to it."""

from __future__ import annotations

from math import isfinite

from ..policy.codes import Category, CodeTable
from .evidence import Evidence
from .failure import Failure
from .rule_search import Match

__all__ = ["failure_of_rule"]


def failure_of_rule(match: Match, code: str, base: CodeTable, *, known: bool = True) -> Failure:
    """Return what a row says of an error.

    Args:
        match: the row, its table and the evidence.
        code: the code to report, which may be another than the row's.
        base: the table of HTTP statuses.
        known: a table has the code; False for a code that only its status or class explains.
    """
    rule, table, evidence = match
    executed = rule.executed
    enveloped = evidence.body is not None and evidence.code is not None
    asks_to_wait = evidence.retry_after is not None or evidence.retry_at is not None
    if rule.code == "503" and table is base and (enveloped or asks_to_wait):
        executed = "no"  # the API itself rejected the request: a proxy would know neither its envelope nor a wait
    return Failure(
        rule.category or Category.RETRYABLE,
        code=code,
        names=rule.names if known else (),
        registry=table.name if known else None,
        http_status=evidence.status,
        executed=executed,
        retry_after=evidence.retry_after,
        retry_at=evidence.retry_at,
        banned=evidence.banned,
        remedy=rule.remedy,
        hint=rule.hint,
        duplicate=rule.duplicate,
        known=known,
        answered_at=_server_time(table, evidence),
    )


def _server_time(table: CodeTable, evidence: Evidence) -> float | None:
    """Return the server's time in the answer, Unix seconds, where the table's envelope has one (in milliseconds)."""
    if table.envelope is None or not table.envelope.time or evidence.body is None:
        return None
    value = evidence.body.get(table.envelope.time)
    try:
        seconds = float(value) / 1000 if isinstance(value, (int, str)) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds > 0 else None
