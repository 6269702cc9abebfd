"""Codes that are words, such as `E17`, are looked up in the table in every shape of error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resilience import ApiError, Classifier, CodeRegistry, cli

ROWS = {"rules": {"E17": {"category": "user_fixable", "executed": "no", "names": ["EMPTY"]}}}
TABLE = CodeRegistry.from_mapping("shop", ROWS)


def test_an_api_error_raised_by_the_users_client() -> None:
    """`ApiError("E17")` is classified as a returned body with that code is."""
    failure = Classifier([TABLE]).classify(ApiError("E17", "the account is empty"))
    assert (failure.code, failure.category, failure.known) == ("E17", "user_fixable", True)


@pytest.mark.parametrize("given", ["E17", "EMPTY"])
def test_explain_at_the_prompt(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`resilience explain` finds the code and its name in a table from a file."""
    path = tmp_path / "shop.yaml"
    path.write_text("rules: [{code: E17, names: [EMPTY], category: user_fixable, executed: no}]\n", "utf-8")
    assert cli.main(["explain", given, "--registry", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["category"] == "user_fixable"
