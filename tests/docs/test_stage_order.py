"""The page on the way of a call and the diagram of `resilience describe` show the stages in the same order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resilience import cli

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "how-a-call-travels.md"
NODES = {"breaker": "breaker", "quota1": "quota", "slot": "admission"}
"""The diagram's nodes before an attempt, and the words that the page has for them."""


def test_the_stages_before_an_attempt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaker, quota and admission come in the same order on the page and in the diagram; holds need no setting."""
    policy = "{extends: default, quota: [{rate: 10/s, burst: 10}], admission: {max_concurrent: 5}}"
    file = tmp_path / "all.yaml"
    file.write_text(f"version: 1\npolicies: {{all: {policy}}}\n", encoding="utf-8")
    assert cli.main(["describe", str(file), "--policy", "all", "--format", "mermaid"]) == 0
    nodes = re.findall(r"^ +(\w+)\{", capsys.readouterr().out, re.MULTILINE)
    rows = re.findall(r"^\| ([a-z]+)[^|]*\| before each attempt \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert ["hold", *(NODES[node] for node in nodes if node in NODES)] == list(dict.fromkeys(rows))
