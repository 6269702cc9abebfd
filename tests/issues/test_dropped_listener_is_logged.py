"""A listener that raises was dropped without a word."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from resilience import Policies
from resilience.testing import FakeClock


def test_it_is_logged_once_without_its_text() -> None:
    """The log names the listener and the class of its error, once, and never what the error says."""
    policies = Policies.from_mapping({"policies": {"p": {}}}, clock=FakeClock())

    def counting(_event: object) -> None:
        raise ValueError("canary")

    policies.subscribe(counting)
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                policies.pipeline("p").call(refuse)
    told = [line for line in logs if line["event"] == "resilience.listener_dropped"]
    assert [line["caused_by"] for line in told] == ["ValueError"]
    assert "counting" in told[0]["listener"]
    assert "canary" not in repr(logs)


def refuse() -> None:
    """Fail."""
    raise ConnectionRefusedError
