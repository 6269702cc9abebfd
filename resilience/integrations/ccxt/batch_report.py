"""Puts the results of a batch on its error: each order or the error in place of it, and what they mean together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..._core.call.context import CONTEXT
from ..._core.classify.attach import annotate, attach_failure, attached_failure
from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category
from .order_batches import BatchItem

__all__ = ["keep_results", "report_results"]


def keep_results(error: BaseException, results: list[Any]) -> None:
    """Leave what is known of the items on what interrupts their settlement."""
    try:
        error.results = results  # type: ignore[attr-defined]  # ours
    except (AttributeError, TypeError):
        pass


def report_results(error: Exception, results: list[Any], items: Sequence[BatchItem], operation: str) -> None:
    """Put the results on the error of the batch, an operation of this name, and what they mean together."""
    failures = []
    for one, item in zip(results, items, strict=True):
        if isinstance(one, Exception):
            # One that no policy has explained says nothing of its order.
            failure = attached_failure(one) or Failure(Category.FATAL, executed="maybe", operation=operation)
            failures.append(replace(failure, key=failure.key or item.key))
    keep_results(error, results)
    if not failures:
        return
    whole = attached_failure(error) or replace(failures[0], key=None, operation=operation)
    final = _together(whole, failures, done=len(results) - len(failures))
    attach_failure(error, final, CONTEXT.get())
    annotate(error, final)


def _together(whole: Failure, failures: list[Failure], *, done: int) -> Failure:
    """Return the failure of a batch from those of its items: `maybe` unless provably nothing was executed."""
    unknown = sum(failure.executed == "maybe" for failure in failures)
    refused = len(failures) - unknown
    remedy = (
        f"of {done + len(failures)} orders {done} are done, {refused} did not happen and {unknown} are unknown: "
        "`results` of this error has each order or its error, in the order given"
    )
    items = tuple(failures)
    if done or unknown:
        first = next((failure for failure in failures if failure.executed == "maybe"), failures[0])
        return replace(
            whole, executed="maybe", proof="none", items=items, remedy=remedy, category=first.category, code=first.code
        )
    return replace(failures[0], key=None, operation=whole.operation, items=items, remedy=remedy)
