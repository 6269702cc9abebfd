"""Settles the items of a batch one by one: each goes on as a single order that was tried once, as a part of the batch.

So an item in doubt is looked up, and one that provably did not happen is sent again, by the rules of single orders and
by no others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ..._core.base.routine import Invocation, Routine
from ..._core.call.context import CONTEXT, current_call
from ..._core.call.operation_info import OperationInfo
from ..._core.classify.attach import annotate, attach_failure, attached_failure
from ..._core.policy.codes import Category
from ..._core.policy.section import changed
from ..._pipeline.callables import is_async
from ..._pipeline.pipeline import Pipeline
from ...venues.batch_answers import ItemAnswer
from .batch_log import BatchLog
from .order_batches import BatchItem
from .requests_sent import set_attribute

__all__ = ["ItemSettlement", "SingleCall"]

_OFF: dict[str, Any] = {
    "breaker": None, "quota": (), "admission": None, "budget": None, "hedge": None, "fallback": None, "stages": (),
}  # fmt: skip
_LEAST = 0.001  # seconds; a deadline of none would be no deadline
_OWN_MARKS = ("__resilience__", "__notes__", "resilience_executed", "resilience_remedy", "resilience_seen")


class SingleCall:
    """The call that sends one order: its method, and the policy that it is under."""

    def __init__(self, method: Callable[..., Any], pipeline: Pipeline, info: OperationInfo, outbox: Any) -> None:
        self.method = method
        self.pipeline = pipeline
        self.info = info
        # A change of an order is recorded by nobody: it has no key of its own.
        records = outbox is not None and info.operation == "create_order" and outbox.covers(info)
        self._outbox = outbox if records else None
        self._begin = outbox.recorder_of(pipeline, method, info) if records else None

    def look_up(self, attempt: Callable[..., Any], seconds: float | None) -> Callable[..., Any]:
        """Compile a call whose only attempt is this one. It is over: nothing may refuse it, and it counts nowhere."""
        policy = _within(changed(self.pipeline.policy, **_OFF), seconds)
        info = replace(self.info, resumed=True, send_once=True)
        return self._compile(Pipeline(policy, shared=self.pipeline.shared), attempt, info, sends=False)

    def send(self, seconds: float | None) -> Callable[..., Any]:
        """Compile the call that sends the order anew."""
        # The answer of a fallback would look like an executed order.
        policy = _within(changed(self.pipeline.policy, fallback=None), seconds)
        pipeline = Pipeline(policy, shared=self.pipeline.shared, keep_state=True)
        return self._compile(pipeline, self.method, self.info, sends=True)

    def _compile(self, pipeline: Pipeline, fn: Any, info: OperationInfo, *, sends: bool) -> Callable[..., Any]:
        if self._outbox is None:
            return pipeline.compile(fn, info)
        return cast("Callable[..., Any]", self._outbox.continue_recorded(pipeline, fn, info, sends=sends))

    def explain(self, error: Exception, item: BatchItem) -> Exception:
        """Return the error of an attempt that was made before, with what it means where nothing can be looked up."""
        failure = self.pipeline.classifier.classify(error, registry=self.info.registry)
        final = replace(failure, key=item.key, operation=self.info.operation)
        if (failure.executed, failure.proof) != ("no", "proven"):
            final = replace(final, executed="maybe", proof="none")
            shared = self.pipeline.shared
            shared.unsettled.add(
                self.pipeline.policy.name, self.info.operation, final, shared.clock.time(),
                host=self.info.host, account=self.info.account,
            )  # fmt: skip
        attach_failure(error, final, CONTEXT.get())
        annotate(error, final)
        return error

    def record(self, item: BatchItem) -> Any:
        """Record a new order in the outbox before the batch is sent; None where nothing records it."""
        return None if self._begin is None or item.key is None else self._begin(item.key, item.args, {})


class ItemSettlement:
    """The settlement of one batch's items, after its own call has ended with an error.

    Attributes:
        log: what the batch has sent.
    """

    def __init__(
        self,
        single: SingleCall,
        log: BatchLog,
        error: Exception,
        make_error: Callable[[Any], Exception],
        *,
        is_partial: bool,
    ) -> None:
        """Begin.

        Args:
            single: the call that each item stands for.
            log: what the batch has sent.
            error: that of the items without an answer of their own.
            make_error: makes the error of an item from its answer.
            is_partial: `error` is about other items, and says nothing of those without an answer.
        """
        self._is_partial = is_partial
        self._single = single
        self._error = error
        self._make_error = make_error
        self.log = log

    def settle(
        self, item: BatchItem, answer: ItemAnswer | None, record: Any, left: Callable[[], float | None]
    ) -> Routine[Any]:
        """Return the order of an item that was not accepted at once.

        Args:
            item: the item.
            answer: what the answer to the batch says of it.
            record: the block of its record in the outbox, or one that does nothing.
            left: returns the seconds that are left for it, None without a limit.

        Raises:
            Exception: it was refused, or nobody knows what became of it.
        """
        single = self._single
        error = self._error_of(answer)
        begun: list[bool] = []
        row = getattr(record, "row", None)
        replaying = nullcontext if row is None else row.replaying
        fail = partial(_fail_again, self.log, error, item.key, replaying, begun)
        attempt = _made_before(single.method, fail)
        record.may_send_again = True
        try:
            return (yield Invocation(single.look_up(attempt, left()), item.args))
        except Exception as ended:
            if not begun:  # the time is over, say: what is true of a call that was never sent is not true of this one
                raise single.explain(error, item) from None
            seconds = left()
            if not _may_send(single, ended, seconds):
                raise
        record.may_send_again = False
        return (yield Invocation(single.send(seconds), item.args))

    def _error_of(self, answer: ItemAnswer | None) -> Exception:
        """Return the error with which the attempt has ended for an item."""
        error = _fresh(self._error) if answer is None else self._make_error(answer.body)
        set_attribute(error, "resilience_url", self.log.url)
        if answer is None and self._is_partial:
            set_attribute(error, "resilience_executed", "maybe")
        return error


def _may_send(single: SingleCall, error: Exception, seconds: float | None) -> bool:
    """Return whether an item is sent again: it provably did not happen, and would be sent again by itself."""
    failure = attached_failure(error)
    if failure is None or failure.duplicate or single.pipeline.policy.retry is None:
        return False
    has_time = seconds is None or seconds > _LEAST
    return has_time and (failure.executed, failure.category) == ("no", Category.RETRYABLE)


def _within(policy: Any, seconds: float | None) -> Any:
    """Return the policy, with its deadline no later than the end of the batch."""
    if seconds is None:
        return policy
    own = policy.deadline
    return changed(policy, deadline=max(_LEAST, seconds if own is None else min(own, seconds)))


def _fail_again(
    log: BatchLog,
    error: Exception,
    key: str | None,
    replaying: Callable[[], AbstractContextManager[None]],
    begun: list[bool],
) -> None:
    """Report what the batch has sent, and raise the error that it ended with; then there is an item in `begun`."""
    call = current_call()
    assert call is not None, "the pipeline calls it"
    # All is stored: an outbox that is busy, or that another process has now, must not look like an unsent request.
    with replaying():
        for stamp in log.stamps:
            call.stamp(stamp)
        if key is not None and key in log.unsent:
            call.report_key_missing()
        if log.fence is not None:
            call.report_fence(log.fence)
    if key is None:
        call.report_key_unused()  # of an order that is there already
    begun.append(True)
    raise error


def _made_before(method: Callable[..., Any], fail: Callable[[], None]) -> Callable[..., Any]:
    """Return a function in place of the method, which makes the attempt that was part of a batch. It sends nothing."""
    if is_async(method):

        @functools.wraps(method)  # the pipeline finds the key's parameter in the method's own signature
        async def attempt_async(*_args: Any, **_kwargs: Any) -> Any:
            fail()

        return attempt_async

    @functools.wraps(method)
    def attempt(*_args: Any, **_kwargs: Any) -> Any:
        fail()

    return attempt


def _fresh(error: Exception) -> Exception:
    """Return a copy of an error without what a pipeline has recorded on it: each item is explained by itself."""
    kind: Any = type(error)
    try:
        own: Exception = kind.__new__(kind, *error.args)
        own.args = error.args
        own.__dict__.update({name: value for name, value in vars(error).items() if name not in _OWN_MARKS})
    except Exception:
        return error  # a class that cannot be made without its own arguments
    return own


def open_record(record: Any) -> Any:
    """Return the block in which an item's record is settled; one that does nothing where there is none."""
    return nullcontext() if record is None else record


def settle_records(records: Sequence[Any], error: BaseException | None) -> None:
    """Settle the records of all items by what the whole batch has ended with."""
    for record in records:
        try:
            with record:
                if error is not None:
                    raise error
        except BaseException as raised:
            if raised is not error:
                raise
