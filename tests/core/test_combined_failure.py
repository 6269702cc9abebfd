"""Tests of what several failures mean together."""

from __future__ import annotations

from resilience import Category, Failure
from resilience._core.classify.combined_failure import failure_of_group, with_items

REFUSED = Failure(Category.USER_FIXABLE, code="43012", registry="bitget", executed="no", proof="proven")
LIKELY_REFUSED = Failure(Category.RETRYABLE, code="429", registry="http", executed="no", proof="likely")
BROKEN = Failure(Category.RETRYABLE, code="connection_reset", registry="http", executed="maybe")
GUESSED = Failure(
    Category.RETRYABLE, executed="maybe", known=False, guessed=True, http_status=400, retry_after=2.0, key="batch"
)


def test_a_group_is_as_certain_as_its_least_certain_member() -> None:
    """That nothing happened is proven as well as for the member where the proof is weakest."""
    assert failure_of_group([REFUSED, LIKELY_REFUSED]).executed == "no"
    assert failure_of_group([REFUSED, LIKELY_REFUSED]).proof == "likely"
    assert failure_of_group([REFUSED, REFUSED]).proof == "proven"
    mixed = failure_of_group([REFUSED, BROKEN])
    assert (mixed.executed, mixed.proof, mixed.category) == ("maybe", "none", Category.USER_FIXABLE)


def test_a_group_has_the_code_of_the_api() -> None:
    """A status or a broken connection beside it says less, even where it is the more severe one."""
    worst = Failure(Category.FATAL, code="404", registry="http", executed="no", proof="proven", http_status=404)
    combined = failure_of_group([worst, REFUSED])
    assert (combined.category, combined.code, combined.registry) == (Category.FATAL, "43012", "bitget")


def test_a_batch_of_which_some_items_were_executed_is_uncertain() -> None:
    """Only where all items are known, and each was refused, nothing has happened."""
    items = (REFUSED, LIKELY_REFUSED)
    some, every = (with_items(BROKEN, items, all_failed=all_failed) for all_failed in (False, True))
    assert (some.executed, some.proof, some.items) == ("maybe", "none", items)
    assert (every.executed, every.proof, every.items) == ("no", "likely", items)
    assert with_items(BROKEN, (REFUSED, BROKEN), all_failed=True).executed == "maybe"


def test_an_answer_without_a_code_has_that_of_its_first_item() -> None:
    """The status and the wait are those of the answer, and no key is: it is that of one item."""
    item = Failure(Category.USER_FIXABLE, code="43012", registry="bitget", executed="no", proof="proven", key="a")
    batch = with_items(GUESSED, (item, REFUSED), all_failed=False)
    assert (batch.code, batch.category, batch.key) == ("43012", Category.USER_FIXABLE, None)
    assert (batch.http_status, batch.retry_after) == (400, 2.0)
