"""The tutorial from nothing to a tuned policy: each of its commands runs as it is written there."""

from __future__ import annotations

import os
import re
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_blocks import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial" / "a-tuned-policy.md"
_FILE_NAME = re.compile(r"# ([\w.-]+\.(?:py|yaml))\n")
_FINDINGS = {5: 1}
"""The exit codes of commands, by number, that are not 0: the first check finds the mistake."""


def commands() -> list[str]:
    """Return every command of the page; commands that are chained with && are separate ones."""
    lines = [line for block in blocks(PAGE) if block.kind == "sh" for line in block.text.splitlines()]
    return [part.strip() for line in lines for part in line.split(" && ")]


def test_there_are_ten_commands_at_most() -> None:
    """Chained commands are counted one by one."""
    assert 0 < len(commands()) <= 10


class Newcomer:
    """Follows the page in an empty folder: writes its files and runs its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = ""
        self.finished: list[str] = []
        self._background: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        """Save a block that begins with a file's name."""
        match = _FILE_NAME.match(text)
        assert match, text
        self.folder.joinpath(match[1]).write_text(text, "utf-8")

    def run(self, command: str) -> None:
        """Run a command in a shell, as a person does; one that ends with & keeps running."""
        self.finished.append(command)
        if "pip install" in command:
            self._install()
            return
        ready = self.folder / "exchange.json"
        shell = ["bash", "-c", "exec " + command.removesuffix(" &")]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
        if command.endswith(" &"):
            self._background.append(subprocess.Popen(shell, cwd=self.folder, env=environment, text=True))
            while not (ready.exists() and ready.read_text("utf-8").endswith("\n")):
                self._still_runs(self._background[-1])
            return
        done = subprocess.run(
            shell, cwd=self.folder, env=environment, check=False, capture_output=True, text=True, timeout=300
        )
        self.output = done.stdout
        assert done.returncode == _FINDINGS.get(len(self.finished), 0), f"{command}\n{done.stdout}\n{done.stderr}"

    def _still_runs(self, process: subprocess.Popen[str]) -> None:
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"it ended with {process.returncode}")

    def expects(self, text: str) -> None:
        """Compare the output with the page, where … matches any text."""
        for line in text.splitlines():
            pattern = ".*".join(map(re.escape, line.split("…")))
            assert re.search(f"(?m)^{pattern}$", self.output), f"{line!r} is not in:\n{self.output}"

    def _install(self) -> None:
        """Replace pip, which would use the internet: add this checkout and its dependencies to the environment."""
        library = next(self.folder.glob(".venv/lib/python*/site-packages"))
        library.joinpath("here.pth").write_text("\n".join([str(ROOT), *site.getsitepackages()]), "utf-8")
        script = self.folder / ".venv" / "bin" / "resilience"
        script.write_text(
            f"#!{self.folder}/.venv/bin/python\nimport sys\nfrom resilience.cli import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)

    def stop(self) -> None:
        """End the commands that still run."""
        for process in self._background:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newcomer]:
    """Give a newcomer in an empty folder, whose `python` is the one that runs the tests."""
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    person = Newcomer(tmp_path)
    yield person
    person.stop()


@pytest.mark.slow
def test_each_command_does_what_the_page_says(newcomer: Newcomer) -> None:
    """Files are written, commands run in order, and they print what the page shows."""
    for block in blocks(PAGE):
        if block.kind in ("python", "yaml"):
            newcomer.write(block.text)
        elif block.kind == "sh":
            for line in block.text.splitlines():
                for command in line.split(" && "):
                    newcomer.run(command.strip())
        else:
            newcomer.expects(block.text)
    assert newcomer.finished == commands()
    report = (newcomer.folder / "report.html").read_text("utf-8")
    assert "<svg" in report
    assert not re.search(r'(?:src|href)="(?:https?:)?//', report)
