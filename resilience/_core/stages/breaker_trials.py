"""Keeps the trials of a half-open breaker: which attempts have a permit, and how many have succeeded."""

from __future__ import annotations

from ..policy.sections import HalfOpenSettings

__all__ = ["Permit", "Trials"]


class Permit:
    """The right to make one trial while half-open. A lost one expires, so that it blocks nothing for ever."""

    __slots__ = ("expires", "spare")

    def __init__(self, expires: float, spare: bool = False) -> None:
        self.expires = expires
        self.spare = spare


class Trials:
    """The permits that are out. Changed under the breaker's lock alone.

    Attributes:
        permits: those that nobody has settled; a permit that is not among them counts no more.
        succeeded: trials that succeeded since the breaker turned half-open.
    """

    __slots__ = ("permits", "succeeded")

    def __init__(self) -> None:
        self.permits: set[Permit] = set()
        self.succeeded = 0

    def begin(self, now: float, lost_after: float, rules: HalfOpenSettings, *, high_priority: bool) -> Permit | None:
        """Return a permit, or None while all are out.

        While all are out, one high-priority attempt at a time gets a spare one: a cancel must not wait for a trial.
        """
        self.permits = {permit for permit in self.permits if permit.expires > now}
        spares = sum(permit.spare for permit in self.permits)
        spare = len(self.permits) - spares >= rules.permits
        if spare and (spares or not high_priority):
            return None
        permit = Permit(now + lost_after, spare)
        self.permits.add(permit)
        return permit

    def discard(self, permit: Permit) -> None:
        """Take a permit back; nothing is counted."""
        self.permits.discard(permit)

    def count_success(self, permit: Permit) -> None:
        """Take a permit back and count its success."""
        self.permits.discard(permit)
        self.succeeded += 1

    def reset(self) -> None:
        """Forget all permits and successes."""
        self.permits = set()
        self.succeeded = 0
