"""Provides test doubles and assertions for code that uses this library.

Nothing here sleeps, opens a connection or reads the wall clock. The pytest fixtures `resilience_clock`,
`resilience_events` and `resilience_policies` come with the package and need no import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assertions import Failed, assert_sent, fails_with
    from .event_recording import fresh_policies, recorded_events
    from .expected_events import assert_events
    from .fake_clock import FakeClock, no_waits
    from .scripted_transport import AsyncScriptedTransport, Call, ScriptedTransport
    from .secret_leaks import assert_no_secrets

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

_HOMES = {
    "AsyncScriptedTransport": "scripted_transport",
    "Call": "scripted_transport",
    "Failed": "assertions",
    "FakeClock": "fake_clock",
    "ScriptedTransport": "scripted_transport",
    "assert_events": "expected_events",
    "assert_no_secrets": "secret_leaks",
    "assert_sent": "assertions",
    "fails_with": "assertions",
    "fresh_policies": "event_recording",
    "no_waits": "fake_clock",
    "recorded_events": "event_recording",
}


def __getattr__(name: str) -> Any:
    """Import a name on its first use: pytest loads the plugin, and with it this module, in every run."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
