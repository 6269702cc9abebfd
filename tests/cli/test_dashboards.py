"""`resilience dashboards`: what it writes, and what it refuses to replace."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from resilience.cli import main

FILES = ["grafana-dashboard.json", "prometheus-alerts.test.yml", "prometheus-alerts.yml"]


def test_files_are_written_into_a_new_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is made; a second run changes nothing."""
    folder = tmp_path / "new" / "folder"
    for state in ("written", "unchanged"):
        assert main(["dashboards", str(folder), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "files": dict.fromkeys(FILES, state)}
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / FILES[0]).read_text())["title"] == "resilience"


def test_a_file_that_differs_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written then, not even what is missing; with --force it is replaced."""
    own = tmp_path / "prometheus-alerts.yml"
    own.write_text("groups: []\n")
    assert main(["dashboards", str(tmp_path)]) == 2
    assert "prometheus-alerts.yml would be replaced" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [own.name]
    assert own.read_text() == "groups: []\n"
    assert main(["dashboards", str(tmp_path), "--force"]) == 0
    assert f"{own}: replaced" in capsys.readouterr().out
    assert "ResilienceWriteInDoubt" in own.read_text()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "not a folder"), ("file/below", "Not a directory"), ("occupied", "Is a directory"), ("nul\0l", "null")],
)
def test_a_folder_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says which path, and why; no traceback."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "occupied" / FILES[0]).mkdir(parents=True)
    assert main(["dashboards", str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("resilience: ")
    assert reason in printed.err
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_name_is_not_the_folder_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what a script gives whose variable is not set."""
    monkeypatch.chdir(tmp_path)
    assert main(["dashboards", " "]) == 2
    assert "argument DIR: expected a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error is that of the system."""
    tmp_path.chmod(0o500)
    assert main(["dashboards", str(tmp_path)]) == 2
    assert "Permission denied" in capsys.readouterr().err
