"""Runs recorded calls through the real pipeline, on an event loop whose time jumps.

Nothing here decides. Each recorded call is a task that begins when the call began. Its attempts take as long as they
took and fail as they failed; everything else is done by the pipeline. If the pipeline makes an attempt that the log
does not have, the replay of that call ends there, because its answer is not known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._core.policy.policy_set import OperationSettings, PolicySet
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState
from ..errors import RejectedError
from ..simulate.virtual_loop import VirtualClock, run_virtual
from .recorded_calls import RecordedCall
from .recorded_transport import NotRecorded, ReplayedCall, draw, look_up, note_event, replaying, send

__all__ = ["replay"]

_MAX_SUCCESSES = 2_000_000  # per policy


def replay(calls: Sequence[RecordedCall], policies: PolicySet, *, successes: float | None = None) -> list[ReplayedCall]:
    """Return what happens to each call under the policies.

    Args:
        calls: the calls of a log.
        policies: the changed policies.
        successes: successful calls per second and policy, which a log does not have. Without it breakers and budgets,
            which depend on all calls, are switched off, and calls that were rejected are not judged.
    """
    return run_virtual(_replay(calls, policies, successes))


def _operations_by_policy(runner: _Runner, calls: Sequence[RecordedCall]) -> Iterable[tuple[str, list[str]]]:
    operations: dict[str, list[str]] = {}
    for call in calls:
        operations.setdefault(runner.policy_of(call)[0], []).append(call.operation)
    return operations.items()


async def _replay(calls: Sequence[RecordedCall], policies: PolicySet, successes: float | None) -> list[ReplayedCall]:
    loop = asyncio.get_running_loop()
    runner = _Runner(policies, VirtualClock(loop), traffic_known=successes is not None)
    replayed = [ReplayedCall(call) for call in calls]
    begin = min((call.began for call in calls), default=0.0)
    end = max((call.settled_at or call.began for call in calls), default=0.0) - begin
    tasks = [loop.create_task(runner.run(call, call.recorded.began - begin)) for call in replayed]
    # Operations of the same policy take turns, so that per-operation settings get their share.
    if successes:
        by_policy = _operations_by_policy(runner, calls)
        tasks += [loop.create_task(runner.succeed(name, names, successes, end)) for name, names in by_policy]
    await asyncio.gather(*tasks)
    return replayed


class _Runner:
    """Runs calls under the changed policies. Belongs to one event loop."""

    def __init__(self, policies: PolicySet, clock: VirtualClock, *, traffic_known: bool) -> None:
        self._traffic_known = traffic_known
        adapt: Callable[[Policy], Policy] = _without_unlogged if traffic_known else _without_traffic
        changed = {name: adapt(policy) for name, policy in policies.policies.items()}
        self._policies = replace(policies, policies=changed)
        self._shared = SharedState(clock, note_event, random=draw)
        self._shared.take(PolicySet({}), self._policies)
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def policy_of(self, call: RecordedCall) -> tuple[str, OperationSettings | None]:
        """Return the name of a call's policy under the changed file, and the entry that matches its operation."""
        rule = self._policies.rule_for(call.operation)
        return (rule.policy if rule is not None and rule.policy else call.policy), rule

    async def run(self, call: ReplayedCall, begins_in: float) -> None:
        """Wait for the call's beginning, in seconds, and make it."""
        await asyncio.sleep(begins_in)
        name, rule = self.policy_of(call.recorded)
        if name not in self._policies.policies:
            return
        call.policy, call.settings = name, self._policies.policies[name]
        if call.recorded.outcome == "refused" and not self._traffic_known:
            return
        with replaying(call):
            try:
                await self._compile(name, call.recorded.operation, call.recorded.retry_safety, rule)()
                call.outcome = call.outcome if call.outcome == "reconciled" else "recovered"
            except NotRecorded:
                call.outcome = "not recorded"
            except RejectedError as rejection:
                call.outcome, call.rejected_by = "refused", type(rejection).__name__
            except Exception:
                call.outcome = "failed"

    async def succeed(self, name: str, operations: Sequence[str], rate: float, seconds: float) -> None:
        """Make the successful calls of a policy that the log does not have, evenly over its time."""
        if name not in self._policies.policies:
            return
        for number in range(min(int(rate * seconds), _MAX_SUCCESSES)):
            operation = operations[number % len(operations)]
            rule = self._policies.rule_for(operation)
            try:
                await self._compile(name, operation, "read", rule)()
            except RejectedError:
                pass  # it would have been rejected as well
            await asyncio.sleep(1.0 / rate)

    def _compile(
        self, policy: str, operation: str, retry_safety: str, rule: OperationSettings | None
    ) -> Callable[..., Any]:
        # Compiled once per kind of call: a log has few kinds and many calls.
        key = policy, operation, retry_safety
        compiled = self._compiled.get(key)
        if compiled is None:
            setting = None if rule is None else rule.idempotent
            info = OperationInfo(
                operation=operation,
                idempotent=retry_safety in ("read", "idempotent") if setting is None else setting,
                read=retry_safety == "read",
                reconcile=look_up if retry_safety == "reconciled" else None,
            )
            pipeline = Pipeline(
                self._policies.policies[policy], operation=operation, shared=self._shared, keep_state=True
            )
            compiled = self._compiled[key] = pipeline.compile(send, info)
        return compiled


def _without_unlogged(policy: Policy) -> Policy:
    """Switch off what a log does not record: hedges, fallbacks and custom stages."""
    return replace(policy, hedge=None, fallback=None, stages=())


def _without_traffic(policy: Policy) -> Policy:
    """Switch off, in addition, what depends on all calls: breaker and budget."""
    return replace(_without_unlogged(policy), breaker=None, budget=None)
