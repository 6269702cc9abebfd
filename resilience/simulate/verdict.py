"""A run's figures in one sentence, and how good that is: what a person reads first."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .figures import Figures
from .scenario import Scenario

__all__ = ["Grade", "Verdict", "verdict"]

Grade = Literal["good", "mixed", "harmful"]

_STORM, _HEAVY = 2.0, 1.35  # attempts a request while the service is in trouble
_SOON_ENOUGH = 0.6  # share of the answers that must have come soon
_QUICK, _SLOW = 3.0, 15.0  # seconds from the end of the trouble


class Verdict(NamedTuple):
    """How good it is, and why: each reason with a grade of its own. The whole is as good as its worst part."""

    grade: Grade
    reasons: tuple[tuple[Grade, str], ...]

    @property
    def text(self) -> str:
        """The reasons as sentences."""
        return " ".join(f"{words}." for _, words in self.reasons)


def verdict(found: Figures, bare: Figures | None, scenario: Scenario) -> Verdict:
    """Judge a policy's figures against those of clients without any policy, where there are some."""
    parts = [_deceived(found), _helped(found, bare, scenario), _load(found), _back(found, bare, scenario)]
    told = [part for part in parts if part is not None]
    if not told:
        told = [("good" if found.good >= 0.99 else "mixed", f"{found.good:.1%} of the requests got a good answer")]
    grades = [grade for grade, _ in told]
    worst: Grade = "harmful" if "harmful" in grades else "mixed" if "mixed" in grades else "good"
    return Verdict(worst, tuple((grade, words[0].upper() + words[1:]) for grade, words in told))


def _deceived(found: Figures) -> tuple[Grade, str] | None:
    if not found.deceived:
        return None
    share = found.deceived / max(1, found.offered)
    return "harmful", f"{share:.1%} of the callers took an error for a success: the policy's codes lack its registry"


def _load(found: Figures) -> tuple[Grade, str] | None:
    """Say what the trouble makes of the load."""
    if found.trouble is None:
        return None
    sent = found.trouble["attempts_a_request"]
    if sent >= _STORM:
        return "harmful", f"multiplies the load on the troubled service by {sent:.1f}"
    if sent >= _HEAVY:
        return "mixed", f"adds {sent - 1:.0%} to the load on the troubled service"
    if sent < 0.6:
        return "good", f"spares the troubled service: {sent:.2f} attempts for each request"
    return "good", f"sends the troubled service {sent:.2f} attempts for each request"


def _back(found: Figures, bare: Figures | None, scenario: Scenario) -> tuple[Grade, str] | None:
    """Say how soon it is well again; what without a policy does not become well either is not the policy's doing."""
    if not found.recovers:
        return None
    since = scenario.last_trouble
    left = scenario.lasts - (0.0 if since is None else since)
    if found.recovery is None:
        told = f"was not well again within {left:g} s of the end of the trouble"
        if bare is not None and bare.recovery is None:
            return "mixed", f"{told}, nor was it without a policy"
        return "harmful", told
    grade: Grade = "good" if found.recovery <= _QUICK else "mixed" if found.recovery <= _SLOW else "harmful"
    when = "at once" if found.recovery == 0 else f"{found.recovery:.1f} s after the trouble ended"
    return grade, f"was well again {when}"


def _helped(found: Figures, bare: Figures | None, scenario: Scenario) -> tuple[Grade, str] | None:
    """Say what became of the requests, beside what would have become of them with no policy at all."""
    if bare is None:
        return None
    where = found.trouble is not None and bare.trouble is not None
    ours = found.trouble["success"] if where and found.trouble else found.success
    plain = bare.trouble["success"] if where and bare.trouble else bare.success
    place = "in the trouble" if where else "in all"
    if plain < 0.02 and ours < 0.02:
        return None  # nothing could be won
    words = f"{ours:.0%} of the requests succeeded {place}, {plain:.0%} without a policy"
    good = found.trouble["good"] if found.trouble is not None else found.good
    if good < _SOON_ENOUGH * ours:
        return "mixed", f"{words}, but only {good:.0%} got their answer within {scenario.soon:g} s"
    return ("good" if ours >= plain - 0.02 else "mixed" if ours >= plain - 0.10 else "harmful"), words
