"""Makes a process that has configured no policies, for the length of a test."""

from __future__ import annotations

import pytest

from resilience._entry import configured


def unconfigure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the configured policies; the end of the test restores them."""
    monkeypatch.setattr(configured, "_configured", None)
