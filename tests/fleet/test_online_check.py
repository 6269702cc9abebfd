"""Tests of `resilience check --online`, which asks the store of a policy file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience.cli import main


def check(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """Return the exit code and the output."""
    code = main(["check", *options, str(path)])
    return code, capsys.readouterr().out


def test_a_store_that_can_be_used(policy_file: Path, client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is reported, and what was left in the store expires."""
    assert check(policy_file, capsys, "--online") == (0, "1 file checked, no problems found\n")
    assert all(client.ttl(key) > 0 for key in client.scan_iter())


def test_a_store_that_forgets(policy_file: Path, client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is named, at the setting; without `--online` nobody asks."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    code, text = check(policy_file, capsys, "--online")
    assert code == 1
    assert "shared.url: redis://127.0.0.1" in text
    assert "maxmemory-policy is allkeys-lru" in text
    assert check(policy_file, capsys)[0] == 0


def test_a_store_that_does_not_answer(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither user nor password is shown."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", "redis://bot:hunter22@127.0.0.1:1")
    code, text = check(policy_file, capsys, "--online")
    assert (code, "redis://127.0.0.1:1 does not answer within 2s" in text, "hunter22" in text) == (1, True, False)


@pytest.mark.parametrize("command", ["hset", "subscribe", "publish"])
def test_a_user_without_a_command(
    policy_file: Path,
    client: Any,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """The command is named."""
    client.acl_setuser(
        "bot", enabled=True, nopass=True, keys=["rs1:*"], channels=["rs1:*"], commands=["+@all", f"-{command}"]
    )
    monkeypatch.setenv("RESILIENCE_SHARED_URL", f"redis://bot:any@127.0.0.1:{server.port}")
    code, text = check(policy_file, capsys, "--online")
    assert code == 1
    assert f"may not run the command {command}" in text


def test_a_file_that_shares_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to ask, and a file with mistakes is reported as without the option."""
    path = tmp_path / "bot.yaml"
    path.write_text("version: 1\n")
    assert check(path, capsys, "--online")[0] == 0
    path.write_text("version: 2\n")
    assert "unknown version 2" in check(path, capsys, "--online")[1]
