"""Implements the stage cache: answers of reads are kept for a short time and handed to later calls as copies.

Answers are kept per client object, policy, operation and arguments. No lock is held: two calls that miss at the same
time both ask the API, and either answer is kept. What is kept are copies, which nobody else has.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol
from weakref import ref

from ..base.bounded_dict import BoundedDict
from ..base.routine import Invocation, Routine
from ..policy.policy import Policy
from ..policy.policy_set import OperationSettings
from ..policy.sections import CacheSettings
from .answer_copy import copy_of
from .built_in_stage import BuiltInStage, Layer, LayerInputs, StageView, Warnings
from .call_key import CallKey, key_maker
from .duration_text import format_duration
from .flowchart import Flowchart

__all__ = ["MISSING", "AnswerBounds", "CacheStage", "KeptAnswers"]

_FORGOTTEN_AT_ONCE = 2  # for each that is kept: the old ones become fewer, and no call pays for all of them
MISSING = object()
"""Returned where no answer is kept: None may be one."""
_Entries = BoundedDict[Hashable, tuple[float, Any]]


class AnswerBounds(Protocol):
    """How long and how many answers are kept of each client and operation."""

    @property
    def max_age(self) -> float:
        """Seconds from which on an answer is too old."""

    @property
    def max_entries(self) -> int:
        """The number of answers from which on the oldest is forgotten."""


class KeptAnswers:
    """The answers of one function and operation, for each object that it belongs to. Safe across threads and tasks.

    An owner is compared by identity: two clients that are equal may have two accounts. Its entries end with it.

    Attributes:
        settings: how long and how many answers are kept; a reload may change them.
    """

    __slots__ = ("_copy", "_owners", "settings")

    def __init__(self, settings: AnswerBounds, copy: Callable[[Any], Any] = copy_of) -> None:
        """Keep answers by these settings; `copy` raises for one that cannot be kept."""
        self.settings: AnswerBounds = settings
        self._copy = copy
        self._owners: dict[int, tuple[ref[Any], _Entries]] = {}

    def find(self, call: CallKey, now: float) -> Any:
        """Return a copy of the answer to this call, or `MISSING` where none is kept that is young enough."""
        reference, entries = self._owners.get(id(call.owner), (None, None))
        # The identity again, because a number may be used again once its object has ended.
        if reference is None or entries is None or reference() is not call.owner:
            return MISSING
        asked_at, answer = entries.get(call.key, (None, None))
        if asked_at is None:
            return MISSING
        if now - asked_at >= self.settings.max_age:
            entries.pop(call.key, None)
            return MISSING
        return self._copy(answer)

    def keep(self, call: CallKey, answer: Any, asked_at: float) -> None:
        """Keep a copy of an answer; nothing where it is no plain data, or where the owner has no weak references."""
        try:
            copied = self._copy(answer)
            entries = self._entries_of(call.owner)
            entries.pop(call.key, None)  # so that it moves to the end
            self._forget_old(entries, asked_at)
            entries[call.key] = asked_at, copied
        except Exception:
            return  # whatever an odd object raises: the caller gets the answer

    def __len__(self) -> int:
        return sum(len(entries) for _, entries in tuple(self._owners.values()))

    def _forget_old(self, entries: _Entries, now: float) -> None:
        """Forget the answers that are too old: the first ones, since each goes to the end when it is kept."""
        for key, (asked_at, _) in tuple(entries.items())[:_FORGOTTEN_AT_ONCE]:
            if now - asked_at < self.settings.max_age:
                return
            entries.pop(key, None)

    def _entries_of(self, owner: Any) -> _Entries:
        number, owners, limit = id(owner), self._owners, self.settings.max_entries
        reference, entries = owners.get(number, (None, None))
        if reference is not None and entries is not None and reference() is owner and entries.limit == limit:
            return entries  # a reload that has changed the limit begins anew
        # The callback holds the mapping alone: it must not keep this object alive.
        begun = ref(owner, lambda _: owners.pop(number, None)), BoundedDict[Hashable, tuple[float, Any]](limit)
        owners[number] = begun
        return begun[1]


class CacheStage(BuiltInStage):
    """Answers of reads from memory. Inside the fallback, so that no substitute is kept."""

    name = "cache"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return how long and how many answers are kept, and of which operations of one's own code."""
        rules = view.policy.cache
        if rules is None:
            return {"cache": None}
        limits = {"max_age": rules.max_age, "max_entries": rules.max_entries}
        return {"cache": {**limits, "operations": list(rules.operations)}}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is kept and what is not."""
        cache = described["cache"]
        if cache is None:
            return
        if described["idempotent"] is False:
            yield "No answer is kept: it is a write."
            return
        own = f" and of {', '.join(cache['operations'])}" if cache["operations"] else ""
        limits = f"{format_duration(cache['max_age'])}, the last {cache['max_entries']} of each client and operation"
        yield f"Answers of reads{own} are kept for {limits}."
        yield "Answers that are no plain data, such as HTTP responses and streams, are not kept."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw the question whether an answer is kept."""
        cache = described["cache"]
        if cache is not None and described["idempotent"] is not False:
            text = f"a read with an answer of the last {format_duration(cache['max_age'])}?"
            chart.step("cached", text, "question", then="no")
            chart.arrow("cached", "answer", "yes")

    def operation_warnings(self, policy: Policy, operations: Sequence[OperationSettings]) -> Warnings:
        """Yield a cache whose policy is only used for writes."""
        writes = [entry for entry in operations if entry.idempotent is False or entry.key is not None]
        if policy.cache is not None and operations and len(writes) == len(operations):
            message = "the cache keeps answers of reads, and each entry of `operations` with this policy is a write"
            yield ("cache",), f"{message}: it has no effect"

    def layer(self, inputs: LayerInputs) -> Layer | None:
        """Return what answers from memory; None for operations that are not known to be reads."""
        plan, settings = inputs.plan, inputs.plan.policy.cache
        if settings is None or not _is_read(plan.info, settings) or plan.info.is_error_response is not None:
            return None  # a client whose answers are responses: none of them could be kept
        kept: KeptAnswers = inputs.memory().setdefault("kept", KeptAnswers(settings))
        kept.settings = settings  # a reload may have changed them: they count for the answers that are kept, too
        key_of = key_maker(inputs.fn, inputs.skip)

        def cached(send: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Routine[Any]:
            # The key is made before the call, which may change its arguments.
            call = None if inputs.needs_fresh_reads() else key_of(args, kwargs)
            asked_at = plan.clock.monotonic()
            if call is not None:
                answer = kept.find(call, asked_at)
                if answer is not MISSING:
                    plan.emit("cache_hit")
                    yield Invocation(inputs.let_others_run)
                    return answer
            answer = yield Invocation(send, args, kwargs)
            if call is not None and not _is_error(plan, answer):
                kept.keep(call, answer, asked_at)
            return answer

        return cached


def _is_read(info: Any, settings: CacheSettings) -> bool:
    """Return whether an operation only reads.

    To be idempotent is not enough: "set the leverage to 5" from memory, after it was set to 10, would not set it. Of
    functions and clients of one's own only the policy can say it.
    """
    if info.read:
        return not info.always_sent
    own = info.check_answers and info.idempotent and info.key is None
    return bool(own) and any(fnmatchcase(info.operation, glob) for glob in settings.operations)


def _is_error(plan: Any, answer: Any) -> bool:
    """Return whether an answer is an error body, also where the policy lets error bodies through as answers.

    Where the client raises its API's errors itself, what it returns is none.
    """
    return plan.info.classify_results and plan.classifier.error_in(answer, plan.longest_batch) is not None
