"""Recorded calls through the real pipeline, on an event loop whose time jumps.

The law of this file: nothing here decides. Each recorded call is a task that begins when it began; its
attempts take the time that they took and fail as they failed, and everything else is the pipeline's
own doing. What a log does not tell is not made up: an attempt that was never made ends the call there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from .._core.base.events import Event
from .._core.call.operation_info import OperationInfo
from .._core.call.reconcile import NOT_FOUND, Found
from .._core.policy.backoff import bounds
from .._core.policy.policy import OperationSettings, Policy, PolicySet
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState
from ..errors import RejectedError
from ..simulate.virtual_loop import VirtualClock, run_virtual
from .log_reader import Recorded

__all__ = ["Replayed", "replay"]

_MIDDLE = 0.5  # of a wait's range, where the log tells none
_MOST_SUCCESSES = 2_000_000


class _NotRecorded(BaseException):
    """An attempt was made that the log knows nothing of."""


@dataclass(slots=True)
class Replayed:
    """What the changed policies made of a call.

    Attributes:
        recorded: the call as the log tells it.
        rules: the settings of that policy.
        policy: the policy that it would have had; None where the file has none of that name.
        attempts: attempts made; one more than were recorded where it would have been tried again.
        waited: seconds waited between attempts.
        outcome: as in the log, or `not recorded` where an attempt would have been made that was not, or `not judged`.
        failures: (category, code, registry) of each attempt, by the new tables.
        executed: whether the call may have taken effect.
        refused_by: class of the refusal.
    """

    recorded: Recorded
    policy: str | None = None
    rules: Policy | None = None
    attempts: int = 0
    waited: float = 0.0
    outcome: str = "not judged"
    failures: list[tuple[str | None, str | None, str | None]] = field(default_factory=list)
    executed: str | None = None
    refused_by: str | None = None


_CALL: ContextVar[Replayed | None] = ContextVar("resilience_replayed", default=None)


def replay(calls: Sequence[Recorded], policies: PolicySet, *, successes: float | None = None) -> list[Replayed]:
    """Return what the policies make of each call.

    Args:
        calls: what the log tells.
        policies: the changed ones.
        successes: good calls a second of each policy, which a log is silent about. Without it what goes by shares of
            all calls (breaker, budget) is left out, and what was refused is not judged.
    """
    return run_virtual(_replay(calls, policies, successes))


async def _replay(calls: Sequence[Recorded], policies: PolicySet, successes: float | None) -> list[Replayed]:
    loop = asyncio.get_running_loop()
    bench = _Bench(policies, VirtualClock(loop), counted=successes is not None)
    found = [Replayed(call) for call in calls]
    begin = min((call.began for call in calls), default=0.0)
    end = max((call.settled_at or call.began for call in calls), default=0.0) - begin
    tasks = [loop.create_task(bench.run(one, one.recorded.began - begin)) for one in found]
    if successes:
        operations: dict[str, list[str]] = {}
        for call in calls:
            operations.setdefault(bench.policy_of(call)[0], []).append(call.operation)
        tasks += [loop.create_task(bench.succeed(name, names, successes, end)) for name, names in operations.items()]
    await asyncio.gather(*tasks)
    return found


class _Bench:
    """The changed policies, made to run for recorded calls."""

    def __init__(self, policies: PolicySet, clock: VirtualClock, *, counted: bool) -> None:
        self._counted = counted
        keep: Callable[[Policy], Policy] = _plain if counted else _uncounted
        self._policies = replace(policies, policies={name: keep(one) for name, one in policies.policies.items()})
        self._shared = SharedState(clock, _hear, random=_drawn)
        self._shared.take(PolicySet({}), self._policies)
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def policy_of(self, call: Recorded) -> tuple[str, OperationSettings | None]:
        """Return the name of a call's policy by the changed file, and the entry that matches its operation."""
        rule = self._policies.rule_for(call.operation)
        return (rule.policy if rule is not None and rule.policy else call.policy), rule

    async def run(self, one: Replayed, after: float) -> None:
        """Make one call again."""
        await asyncio.sleep(after)
        name, rule = self.policy_of(one.recorded)
        if name not in self._policies.policies:
            return
        one.policy, one.rules = name, self._policies.policies[name]
        if one.recorded.outcome == "refused" and not self._counted:
            return
        token = _CALL.set(one)
        try:
            await self._call(name, one.recorded.operation, one.recorded.retry_safety, rule)()
            one.outcome = one.outcome if one.outcome == "reconciled" else "recovered"
        except _NotRecorded:
            one.outcome = "not recorded"
        except RejectedError as refusal:
            one.outcome, one.refused_by = "refused", type(refusal).__name__
        except Exception:
            one.outcome = "failed"
        finally:
            _CALL.reset(token)

    async def succeed(self, name: str, operations: Sequence[str], rate: float, seconds: float) -> None:
        """Make the good calls of a policy that no log tells of, evenly over its time."""
        if name not in self._policies.policies:
            return
        number = min(int(rate * seconds), _MOST_SUCCESSES)
        for turn in range(number):
            operation = operations[turn % len(operations)]
            rule = self._policies.rule_for(operation)
            try:
                await self._call(name, operation, "read", rule)()
            except RejectedError:
                pass  # it would have been refused as well
            await asyncio.sleep(1.0 / rate)

    def _call(
        self, policy: str, operation: str, retry_safety: str, rule: OperationSettings | None
    ) -> Callable[..., Any]:
        key = policy, operation, retry_safety
        found = self._compiled.get(key)
        if found is None:
            harmless = retry_safety in ("read", "idempotent")
            told = None if rule is None else rule.idempotent
            info = OperationInfo(
                operation=operation,
                idempotent=harmless if told is None else told,
                read=retry_safety == "read",
                reconcile=_look if retry_safety == "reconciled" else None,
            )
            pipeline = Pipeline(
                self._policies.policies[policy], operation=operation, shared=self._shared, keep_state=True
            )
            found = self._compiled[key] = pipeline.compile(_send, info)
        return found


def _plain(policy: Policy) -> Policy:
    """Leave out what a log says nothing of: attempts beside each other, what stands in for errors, parts of others."""
    return replace(policy, hedge=None, fallback=None, stages=())


def _uncounted(policy: Policy) -> Policy:
    return replace(_plain(policy), breaker=None, budget=None)


async def _send() -> Any:
    """Do what the recorded attempt of this number did."""
    one = _CALL.get()
    if one is None:
        return None  # a silent success
    attempts, one.attempts = one.recorded.attempts, one.attempts + 1
    if one.attempts <= len(attempts):
        attempt = attempts[one.attempts - 1]
        await asyncio.sleep(attempt.duration)
        raise attempt.error()
    if one.recorded.outcome == "recovered" and one.attempts == len(attempts) + 1:
        return None
    raise _NotRecorded


async def _look(call: Any) -> Any:
    """Answer as the recorded looks must have: found where the log says so, else not there by the server's time."""
    one = _CALL.get()
    assert one is not None
    if one.recorded.outcome == "reconciled" and call.attempt >= len(one.recorded.attempts):
        return Found(None)
    return NOT_FOUND


def _drawn() -> float:
    """Draw the wait that was recorded, where the changed policy could have drawn it too."""
    one = _CALL.get()
    if one is None or one.rules is None or one.rules.retry is None:
        return _MIDDLE
    recorded = one.recorded.waits.get(one.attempts)
    if recorded is None:
        return _MIDDLE
    least, most = bounds(one.rules.retry.backoff, one.attempts)
    return (recorded - least) / (most - least) if least <= recorded <= most and most > least else _MIDDLE


def _hear(event: Event) -> None:
    """Note what the pipeline tells of the call that this task makes."""
    one = _CALL.get()
    if one is None:
        return
    if event.name == "attempt_failed":
        one.failures.append((event.category, event.code, event.registry))
    elif event.name == "call_reconciled":
        one.outcome = "reconciled"
    if event.waited_so_far is not None:
        one.waited = event.waited_so_far
    one.executed = event.executed or one.executed
