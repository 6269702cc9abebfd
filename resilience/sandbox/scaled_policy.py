"""The policy that goes with a sandbox: the exchange's own, scaled to the window."""

from __future__ import annotations

__all__ = ["policy_for"]


def policy_for(window: float, processing: float, lag: float, *, limits: bool = True) -> str:
    """Return a policy file for this window: attempts shorter than it, a deadline that fits several fences."""
    attempt = max(0.2, min(8.0, window * 0.4))
    deadline = max(90.0, 6 * (2 * window + processing + lag))
    wait = max(0.02, min(0.5, window / 20))
    quota = "" if limits else "    quota: off\n"
    return f"""# The policy for a sandbox exchange whose stamps are accepted for {window:g} s.
version: 1
policies:
  bitget:
    extends: bitget
    deadline: {deadline * 1000:.0f}ms
    attempt_timeout: {attempt * 1000:.0f}ms
    breaker: {{when_open: wait}}   # a refused order would be a lost one in a drill
    retry: {{max_attempts: 12, backoff: {{initial: {wait * 1000:.0f}ms, max: {max(wait, window) * 1000:.0f}ms}}}}
    reconcile:
      early_checks: 2
      wait: {wait * 1000:.0f}ms
      window: {window * 1000:.0f}ms
      stamp_window: {window * 1000:.0f}ms
      processing: {processing * 1000:.3f}ms
      lag: {lag * 1000:.3f}ms
{quota}"""
