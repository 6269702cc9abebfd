"""Judges how many requests succeeded under a policy against no policy, and says what a loss of success gained.

With few requests chance decides: one request more or less is never a reason to blame a policy.
"""

from __future__ import annotations

from typing import Literal

from .figures import Figures
from .number_format import format_count, format_seconds, format_share
from .scenario import Scenario

__all__ = ["FEW", "Grade", "judge_success"]

Grade = Literal["good", "mixed", "harmful"]

_SMALL_LOSS, _LOSS = 0.05, 0.10  # of the share of successful requests
_SMALL_LOSS_DURING = 0.02  # of that during an incident
_MIN_GOOD = 0.6  # share of the answers that must come within `soon`
FEW = 20
"""Requests; of fewer, chance decides."""
_LESS, _SOONER = 0.9, 0.5  # of the load and of the seconds until a request fails, against no policy


def judge_success(figures: Figures, baseline: Figures | None, scenario: Scenario) -> list[tuple[Grade, str]]:
    """Judge the shares of successful requests, during the incidents and over the whole run."""
    if baseline is None:
        return []
    gains = _gains(figures, baseline, scenario)
    during = figures.incident is not None and baseline.incident is not None
    reasons = [_judge_incident(figures, baseline, scenario, gains) if during else None]
    # What a policy does after an incident counts too. Without a loss the incident says enough.
    if not during or figures.success < baseline.success:
        reasons.append(_judge_run(figures, baseline, scenario, gains))
    return [reason for reason in reasons if reason is not None]


def _judge_incident(
    figures: Figures, baseline: Figures, scenario: Scenario, gains: list[str]
) -> tuple[Grade, str] | None:
    ours, theirs = figures.incident or {}, baseline.incident or {}
    shares = ours["success"], theirs["success"]
    # A service that answers nobody cannot be helped by any policy.
    if max(shares) < 0.02:
        return None
    reason = f"{shares[0]:.0%} of the requests succeeded during the incident, {shares[1]:.0%} without a policy"
    requests = int(ours["offered"])
    if requests < FEW:
        reason += f" (of only {requests} request{'s' if requests > 1 else ''})"
    graded = _grade(shares, requests, _SMALL_LOSS_DURING, gains)
    return _with_loss(shares, graded, reason, ours["good"], scenario.soon, gains)


def _judge_run(figures: Figures, baseline: Figures, scenario: Scenario, gains: list[str]) -> tuple[Grade, str] | None:
    shares = figures.success, baseline.success
    if max(shares) < 0.02:
        return None
    shown = [format_share(share) for share in shares]
    reason = f"{shown[0]} of the requests succeeded over the whole run, {shown[1]} without a policy"
    fewer = round((shares[1] - shares[0]) * figures.counted)
    if fewer > 0 and shown[0] == shown[1]:
        reason += f" (about {format_count(fewer)} of {format_count(figures.counted)} fewer)"
    graded = _grade(shares, figures.counted, _SMALL_LOSS, gains)
    return _with_loss(shares, graded, reason, figures.good, scenario.soon, gains)


def _grade(shares: tuple[float, float], requests: int, small: float, gains: list[str]) -> Grade:
    """Grade the share of success under a policy and without one, of so many requests."""
    lost, one = shares[1] - shares[0], 1 / max(1, requests) + 1e-9
    if lost <= 0 or (gains and lost <= max(small, one)):
        return "good"
    return "mixed" if lost <= max(_LOSS, one) else "harmful"


def _with_loss(
    shares: tuple[float, float], grade: Grade, reason: str, good: float, soon: float, gains: list[str]
) -> tuple[Grade, str]:
    """Say what a loss gained, and whether the answers came too late."""
    if shares[0] < shares[1]:
        reason += f"; in return {', and '.join(gains)}" if gains else "; nothing was gained for that"
    if good < _MIN_GOOD * shares[0]:
        return "mixed", f"{reason}, but only {good:.0%} were answered within {soon:g} s"
    return grade, reason


def _gains(figures: Figures, baseline: Figures, scenario: Scenario) -> list[str]:
    """Return what a policy gains against no policy besides success, in words."""
    gains = [_gain_of_load(figures, baseline), _gain_of_time(figures, baseline)]
    if figures.good > baseline.good:
        ours, theirs = format_share(figures.good), format_share(baseline.good)
        if ours != theirs:
            gains.append(f"{ours} were answered within {scenario.soon:g} s, {theirs} without a policy")
    if figures.recovers and figures.recovery is not None and baseline.recovery is None:
        gains.append("requests recovered, which they did not without a policy")
    return [gain for gain in gains if gain is not None]


def _gain_of_load(figures: Figures, baseline: Figures) -> str | None:
    ours, theirs = figures.attempts_per_request, baseline.attempts_per_request
    if figures.incident is not None and baseline.incident is not None:
        ours, theirs = figures.incident["attempts_per_request"], baseline.incident["attempts_per_request"]
    return f"the service gets {1 - ours / theirs:.0%} fewer attempts" if ours <= _LESS * theirs else None


def _gain_of_time(figures: Figures, baseline: Figures) -> str | None:
    ours, theirs = figures.to_fail, baseline.to_fail
    if ours is None or theirs is None or ours > _SOONER * theirs or theirs < 0.1:
        return None
    return f"a request that fails does so after {format_seconds(ours)}, not {format_seconds(theirs)}"
