"""Writes the policy file of a sandbox: the policy of its exchange, scaled to the sandbox's window."""

from __future__ import annotations

__all__ = ["policy_for"]


def policy_for(name: str, window: float, processing: float, lag: float, *, limits: bool = True) -> str:
    """Return a policy file for these bounds: attempts are shorter than the window, the deadline fits several fences.

    Args:
        name: the built-in policy that it changes.
        window: seconds for which a timestamp is accepted.
        processing: seconds from the check of the timestamp to acceptance, at most.
        lag: seconds from acceptance to visibility, at most.
        limits: whether the real rate limits apply; without them the policy has no quota.
    """
    # An attempt must end well inside the window; a slow test machine needs at least 0.2 s.
    attempt = max(0.2, min(8.0, window * 0.4))
    # Six fences of 2 W + P + L each, and at least 90 s for a busy machine.
    deadline = max(90.0, 6 * (2 * window + processing + lag))
    # A twentieth of the window between retries: short against a fence, long against one request.
    wait = max(0.02, min(0.5, window / 20))
    quota = "" if limits else "    quota: off\n"
    return f"""# The policy of a sandbox exchange that accepts timestamps for {window:g} s.
version: 1
policies:
  {name}:
    extends: {name}
    deadline: {deadline * 1000:.0f}ms
    attempt_timeout: {attempt * 1000:.0f}ms
    budget: off                  # in a drill, a cancel that is not sent again would count as lost,
    breaker: {{when_open: wait}}   # and so would a rejected order
    retry: {{max_attempts: 12, backoff: {{initial: {wait * 1000:.0f}ms, max: {max(wait, window) * 1000:.0f}ms}}}}
    reconcile:
      early_checks: 2
      wait: {wait * 1000:.0f}ms
      window: {window * 1000:.0f}ms
      stamp_window: {window * 1000:.0f}ms
      processing: {processing * 1000:.3f}ms
      lag: {lag * 1000:.3f}ms
{quota}"""
