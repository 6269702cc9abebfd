"""Test that a program frozen by PyInstaller finds all that it needs of the library, through the hook of the wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import resilience
from resilience.cli import main

pytestmark = pytest.mark.full  # each builds a program, which takes half a minute
PACKAGE = Path(resilience.__file__).parent
ROOT = PACKAGE.parent
PROGRAM = Path(__file__).parents[1] / "data" / "frozen" / "bot.py"


def lay_out(folder: Path) -> None:
    """Write the package as the wheel installs it, with its entry points: a test has no network to build a wheel."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "resilience", ignore=ignored)
    shutil.copytree(ROOT / "policies", folder / "resilience" / "_policies", ignore=ignored)
    for schema in ("policy", "codes"):
        shutil.copy(ROOT / "docs" / "reference" / f"{schema}.schema.json", folder / "resilience" / "_policies")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = folder / f"resilience_middleware-{project['version']}.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.frozen\n")
    hooks = project["entry-points"]["pyinstaller40"]["hook-dirs"]
    about.joinpath("entry_points.txt").write_text(f"[pyinstaller40]\nhook-dirs = {hooks}\n")
    about.joinpath("RECORD").touch()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Freeze the bot, move it away from everything, and return what it prints."""
    pytest.importorskip("PyInstaller")
    site, work = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("freezing")
    lay_out(site)
    subprocess.run([sys.executable, "-c", COMPILE, str(site / "resilience/_policies/compiled")], check=True, cwd=ROOT)
    folders = [word for name in ("distpath", "workpath", "specpath") for word in (f"--{name}", str(work / name))]
    freezing = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", *folders, str(PROGRAM)]
    settings = os.environ | {"PYTHONPATH": str(site), "PYINSTALLER_CONFIG_DIR": str(work / "config")}
    subprocess.run(freezing, check=True, cwd=work, env=settings)
    frozen = shutil.move(work / "distpath" / "bot", tmp_path_factory.mktemp("elsewhere"))
    shutil.rmtree(site)
    bare = {name: value for name, value in os.environ.items() if name in {"SYSTEMROOT", "TMPDIR"}}
    run = subprocess.run([Path(frozen) / "bot"], check=False, capture_output=True, text=True, cwd=work, env=bare)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


COMPILE = """
import sys
from pathlib import Path
from resilience.config.schema.compiled_source import compile_shipped
compile_shipped(Path(sys.argv[1]))
"""


def test_it_is_the_frozen_library(results: dict[str, Any]) -> None:
    """No module comes from the checkout or from an environment."""
    assert results["frozen"]
    assert "elsewhere" in results["home"]


def test_calls_are_protected(results: dict[str, Any]) -> None:
    """A decorated function and a wrapped session are tried again, and no shipped policy is read from YAML."""
    assert results["decorated"] == 2
    assert results["wrapped"] == [200, 2]
    assert not results["read YAML"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("explain", ["explain", "43012", "--json"]),
        ("help", ["--help"]),
        ("scenarios", ["simulate", "--list", "--json"]),
        ("schema", ["schema"]),
    ],
)
def test_commands_say_the_same(
    results: dict[str, Any], capsys: pytest.CaptureFixture[str], name: str, words: list[str]
) -> None:
    """Commands are found, with their texts, tables and files."""
    try:
        code: object = main(words)
    except SystemExit as end:
        code = end.code
    assert results[name] == [code, capsys.readouterr().out]


def test_files_are_checked_and_simulated(results: dict[str, Any]) -> None:
    """The validator of files and the report with its style work; the version is that of the frozen package."""
    assert results["check"] == [0, "1 file checked, no problems found\n"]
    assert results["simulate"] == [0, True]
    assert results["version"] == [0, "resilience 0.frozen\n"]


def test_the_demo_runs(results: dict[str, Any]) -> None:
    """The sandbox, the client and all that they import by name are there."""
    code, output = results["demo"]
    assert code == 0
    assert json.loads(output)["clients"]["resilient"]["duplicates"] == 0
