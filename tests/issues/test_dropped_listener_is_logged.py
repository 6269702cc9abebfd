"""A listener that raises was dropped silently."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from resilience import Policies
from resilience.testing import FakeClock


def test_a_dropped_listener_is_logged_once() -> None:
    """The log line has the listener's name and the class of its error, and not the error's text."""
    policies = Policies.from_mapping({"policies": {"p": {}}}, clock=FakeClock())

    def counting(_event: object) -> None:
        raise ValueError("canary")

    policies.subscribe(counting)
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                policies.pipeline("p").call(refuse)
    lines = [line for line in logs if line["event"] == "resilience.listener_dropped"]
    assert [line["caused_by"] for line in lines] == ["ValueError"]
    assert "counting" in lines[0]["listener"]
    assert "canary" not in repr(logs)


def refuse() -> None:
    """Fail."""
    raise ConnectionRefusedError
