"""Policies loaded by a relative path were lost when the process changed its working directory."""

from pathlib import Path

import pytest

from resilience import Policies
from resilience.testing import FakeClock

FILE = "version: 1\npolicies:\n  read: {extends: default, deadline: %ss, codes: [http, ./mine.yaml]}\n"
TABLE = "rules:\n  - {code: '77', category: retryable, executed: 'no', remedy: Wait}\n"


def test_the_same_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload after `chdir` reads the file that was loaded, and its tables."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(TABLE)
    Path("bot.yaml").write_text(FILE % 20)
    policies = Policies.load("bot.yaml", clock=FakeClock())
    (tmp_path / "bot.yaml").write_text(FILE % 25)
    (elsewhere / "bot.yaml").write_text("version: 1\n")
    monkeypatch.chdir(elsewhere)
    assert [str(one) for one in policies.reload()] == ["read.deadline: 20 → 25"]
    assert all(Path(file).parent == tmp_path for file in policies.files)
