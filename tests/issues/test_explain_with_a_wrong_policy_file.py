"""`resilience explain` reported a mistake in a policy file with the exit code of wrong use."""

from pathlib import Path

import pytest

from resilience.cli import main


@pytest.mark.parametrize(("held", "code"), [("version: 1\npolicies:\n  read: {daedline: 3s}\n", 1), ("", 1), (None, 2)])
def test_exit_code(tmp_path: Path, held: str | None, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in a file and an empty file are findings (exit 1); a missing file is wrong use (exit 2)."""
    file = tmp_path / "bot.yaml"
    if held is not None:
        file.write_text(held)
    assert main(["explain", "43012", "--policies", str(file)]) == code
    assert capsys.readouterr().err.startswith(f"{file}:")
