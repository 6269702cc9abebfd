"""Combines several failures into one: those of the members of an exception group, and those of the items of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from ..policy.codes import Category
from .failure import Failure, changed
from .rule_search import UNCERTAINTY

__all__ = ["failure_of_group", "with_items"]

_SEVERITY = {Category.FATAL: 2, Category.USER_FIXABLE: 1, Category.RETRYABLE: 0}
_PROOFS = ("none", "likely", "proven")


def failure_of_group(members: Sequence[Failure]) -> Failure:
    """Return the most severe one, with an API's code if there is one; it is uncertain if any member is."""
    worst = max(members, key=lambda failure: (_SEVERITY[failure.category], _has_api_code(failure)))
    coded = max(filter(_has_api_code, members), key=lambda failure: _SEVERITY[failure.category], default=worst)
    least_certain = max(members, key=lambda failure: UNCERTAINTY[failure.executed])
    proof = _weakest_proof(members) if least_certain.executed == "no" else "none"
    code = {name: getattr(coded, name) for name in ("code", "names", "registry", "http_status", "known")}
    return changed(worst, executed=least_certain.executed, proof=proof, **code)


def with_items(failure: Failure, items: tuple[Failure, ...], *, all_failed: bool) -> Failure:
    """Return the failure of a batch with those of its items.

    Args:
        failure: what the answer as a whole means.
        items: the failures of its items, at least one.
        all_failed: they are all items of the batch.
    """
    # Where each item was refused, nothing has happened. Otherwise some have succeeded.
    certain = all_failed and all(item.executed == "no" for item in items)
    proof = _weakest_proof(items) if certain else "none"
    if failure.guessed:  # the answer itself has no code: its first failed item says what is wrong
        failure = changed(items[0], key=None, http_status=failure.http_status, retry_after=failure.retry_after)
    return changed(failure, items=items, executed="no" if certain else "maybe", proof=proof)


def _weakest_proof(failures: Sequence[Failure]) -> str:
    return min((failure.proof for failure in failures), key=_PROOFS.index)


def _has_api_code(failure: Failure) -> bool:
    """Return whether the code is an API's own: no status, and no name of ours for an error of Python or a client."""
    return failure.code is not None and (failure.registry not in (None, "http") or not failure.known)
