"""Hedges of sync functions in threads cannot be cancelled; the setting goes with the next version."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience import Pipeline, Policies, Policy
from resilience.cli import main

MESSAGE = "hedge.threads: deprecated, 0.3 will not have it"


def test_python_code_gets_a_warning_at_its_own_line() -> None:
    """The warning names the policy, and points at the line that builds the pipeline."""
    with pytest.warns(DeprecationWarning, match=f"p: {MESSAGE}") as caught:
        Pipeline(Policy(name="p", hedge={"delay": "1s", "threads": True}))  # type: ignore[arg-type]
    assert [one.filename for one in caught] == [__file__]
    Pipeline(Policy(name="p", hedge={"delay": "1s"}))  # type: ignore[arg-type]


def test_a_file_gets_a_warning_when_it_is_used() -> None:
    """The policy of a file or mapping is reported like one from Python."""
    policies = Policies.from_mapping({"policies": {"read": {"hedge": {"threads": True}}}})
    with pytest.warns(DeprecationWarning, match=f"read: {MESSAGE}"):
        policies.pipeline("read")


def test_check_reports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`resilience check` says where the setting is."""
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\npolicies:\n  read:\n    hedge: {delay: 1s, threads: true}\n")
    assert main(["check", str(path)]) == 1
    assert "p.yaml:4:33: policies.read.hedge.threads: warning: deprecated" in capsys.readouterr().out
