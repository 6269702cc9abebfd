"""Doubles and assertions for tests of code that uses this library: no wait, no network, no guessing.

Nothing here sleeps and nothing here looks at the wall clock. The pytest fixtures `resilience_clock`,
`resilience_events` and `resilience_policies` come with the package; no import is needed for them.
"""

from .assertions import Failed, assert_no_secrets, assert_sent, fails_with
from .event_recording import fresh_policies, recorded_events
from .expected_calls import assert_events
from .fake_clock import FakeClock, no_waits
from .scripted_transport import AsyncScriptedTransport, Call, ScriptedTransport

__all__ = [
    "AsyncScriptedTransport",
    "Call",
    "Failed",
    "FakeClock",
    "ScriptedTransport",
    "assert_events",
    "assert_no_secrets",
    "assert_sent",
    "fails_with",
    "fresh_policies",
    "no_waits",
    "recorded_events",
]
