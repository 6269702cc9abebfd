"""`resilience simulate old/bot.yaml new/bot.yaml` ran only the first file."""

import json
from pathlib import Path

import pytest

from resilience.cli import main

TINY = "clients: 1\nrate: 10/s\ncapacity: 40/s\nlasts: 2s\n"
BOT = "version: 1\npolicies:\n  read: {extends: default, retry: {max_attempts: %s}}\n"


def test_both_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of one name in two folders are distinguished by their paths, and each of them runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    for attempts, folder in enumerate(("old", "new"), 2):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "bot.yaml").write_text(BOT % attempts)
    assert main(["simulate", "old/bot.yaml", "new/bot.yaml", "--scenario", "tiny.yaml", "--no-baseline", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["policies"]
    assert [one["policy"] for one in rows] == ["old/bot.yaml: read", "new/bot.yaml: read"]
    assert [one["file"] for one in rows] == ["old/bot.yaml", "new/bot.yaml"]
