"""Switches policies off by hand, by their settings or by the environment, and on again; emits each change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.policy.policy import Policy
from .._core.policy.policy_set import PolicySet
from .._core.stages.counter import Counter
from .._core.stages.hold import Holds
from .._core.stages.isolation import Isolation, new_isolation

__all__ = ["VARIABLE", "Isolations"]

VARIABLE = "RESILIENCE_ISOLATED"
"""The environment variable that isolates every policy from the start; its value is the reason."""
_OFF = ("", "0", "false", "no", "off")
_NO_REASON = ("1", "true", "yes", "on")
_BY_HAND = ("hand", "fleet")


class SwitchPart(Protocol):
    """Informs other processes. Its methods must not wait."""

    def isolated(self, policy: str | None, reason: str, *, cancels: bool) -> None:
        """Take what somebody has isolated."""

    def released(self, policy: str | None) -> None:
        """Take what somebody has released."""


class Isolations:
    """What is isolated among one set of policies. Safe across threads, tasks and signal handlers.

    Attributes:
        switch: is informed of what somebody isolates or releases by hand, so that other processes do the same; or None.
    """

    def __init__(self, holds: Holds, events: Events, clock: Clock) -> None:
        """Isolate every policy if the environment says so."""
        self._holds, self._events, self._clock = holds, events, clock
        self.switch: SwitchPart | None = None
        self._taken: dict[str, str] = {}
        self._counts: dict[str | None, Counter] = {}
        value = os.environ.get(VARIABLE, "").strip()
        if value.lower() not in _OFF:
            self.isolate(None, "environment", "" if value.lower() in _NO_REASON else value)

    def isolate(self, policy: str | None, by: str, reason: str, *, cancels: bool = False) -> None:
        """Let nothing of a policy be sent any more, or of all of them; the arguments are those of `Isolation`."""
        self._holds.isolate(new_isolation(policy, by, reason, self._clock.time(), cancels=cancels))
        self._counts.setdefault(policy, Counter()).next_number()
        if self.switch is not None and by == "hand":
            self.switch.isolated(policy, reason, cancels=cancels)
        self._events.emit("circuit_isolated", policy=policy, by=by, reason=reason)

    def release(self, policy: str | None = None, reason: str = "") -> int:
        """End the isolations of a policy, or all of them, whoever gave them; returns how many."""
        if self.switch is not None:
            self.switch.released(policy)
        return self._end([one for one in self._holds.isolations if policy is None or one.policy == policy], reason)

    def by_hand(self) -> list[Isolation]:
        """Return what somebody has isolated by hand in this process."""
        return [one for one in self._holds.isolations if one.by == "hand"]

    def follow(self, policy: str | None, reason: str, *, cancels: bool) -> None:
        """Isolate what somebody has isolated by hand in another process, in place of what was isolated here."""
        before = [one for one in self._holds.isolations if one.policy == policy and one.by in _BY_HAND]
        if [(one.reason, one.cancels) for one in before] != [(reason, cancels)]:
            self.isolate(policy, "fleet", reason, cancels=cancels)
            self._holds.end_isolations(one for one in before if one.by == "hand")

    def follow_release(self, policy: str | None) -> None:
        """End what somebody had isolated by hand, because it was released in another process."""
        self._end([one for one in self._holds.isolations if one.policy == policy and one.by in _BY_HAND])

    def of(self, policy: str) -> Isolation | None:
        """Return the first isolation that concerns a policy, or None."""
        isolations = self._holds.isolations
        return next((one for one in isolations if one.concerns(policy)), None) if isolations else None

    def count(self, policy: str) -> int:
        """Return how often a policy was isolated, by its name or with all the others."""
        return sum(self._counts[name].total() for name in (policy, None) if name in self._counts)

    def take(self, before: PolicySet, after: PolicySet) -> None:
        """Isolate what a new file isolates, and release what it isolates no more. What is equal stays as it is.

        What somebody has released by hand stays released until the file says something else, and what somebody has
        isolated by hand stays isolated.
        """
        wanted = _isolated_by(after)
        for policy, reason in _isolated_by(before).items():
            if wanted.get(policy) != reason:
                self._end([one for one in self._holds.isolations if (one.policy, one.by) == (policy, "policy")])
        for policy, reason in wanted.items():
            if _isolated_by(before).get(policy) != reason:
                self.isolate(policy, "policy", reason)

    def take_policy(self, policy: Policy) -> None:
        """Isolate a policy made in Python whose settings say so: once, because it may have been released since."""
        if policy.isolated is not None and self._taken.get(policy.name) != policy.isolated:
            self._taken[policy.name] = policy.isolated
            self.isolate(policy.name, "policy", policy.isolated)

    def describe(self) -> list[dict[str, Any]]:
        """Return the isolations as plain data, the oldest first."""
        names = ("policy", "by", "reason", "since", "cancels")
        return [{name: getattr(isolation, name) for name in names} for isolation in self._holds.isolations]

    def _end(self, isolations: list[Isolation], reason: str = "") -> int:
        ended = self._holds.end_isolations(isolations)
        for isolation in ended:
            self._events.emit(
                "circuit_released",
                policy=isolation.policy,
                by=isolation.by,
                reason=reason or isolation.reason,
                refused=next(isolation.refusals),
            )
        return len(ended)


def _isolated_by(policy_set: PolicySet) -> Mapping[str | None, str]:
    """Return the reason of everything that a file isolates, by policy; None stands for all of them."""
    named: dict[str | None, str] = {
        name: policy.isolated for name, policy in policy_set.policies.items() if policy.isolated is not None
    }
    return named if policy_set.isolated is None else {None: policy_set.isolated, **named}
