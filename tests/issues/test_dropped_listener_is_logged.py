"""A listener that raises was dropped without a word."""

from __future__ import annotations

import pytest

from resilience import Policies
from resilience.testing import FakeClock


def test_it_is_logged_once_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    """The log names the listener and the class of its error, once, and never what the error says."""
    policies = Policies.from_mapping({"policies": {"p": {}}}, clock=FakeClock())

    def counting(_event: object) -> None:
        raise ValueError("canary")

    policies.subscribe(counting)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            policies.pipeline("p").call(refuse)
    written = capsys.readouterr().err
    assert written.count("resilience.listener_dropped") == 1
    assert "counting" in written
    assert "ValueError" in written
    assert "canary" not in written


def refuse() -> None:
    """Fail."""
    raise ConnectionRefusedError
