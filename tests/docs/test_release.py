"""What a release must agree on: the version, the changelog, and the security policy."""

from __future__ import annotations

import re
import tomllib
from datetime import date

from tests.docs.page_program import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_changelog_has_the_version_and_its_date() -> None:
    """The newest dated section of the changelog is that of the version; each date is a day, newer ones first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    dated = [re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", heading) for heading in headings]
    versions = [(match[1], date.fromisoformat(match[2])) for match in dated if match]
    assert versions[0][0] == PROJECT["version"]
    assert [day for _, day in versions] == sorted((day for _, day in versions), reverse=True)
    assert [heading for heading, match in zip(headings, dated, strict=True) if not match] in (
        ["0.1.0"],  # which had no date
        ["Unreleased", "0.1.0"],
    )


def test_the_security_policy_names_the_minor_version() -> None:
    """The version that gets fixes is the one that is released."""
    minor = PROJECT["version"].rpartition(".")[0]
    assert f"| {minor} | yes |" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_links_are_true() -> None:
    """No address is invented: the project has none as long as `CONTRIBUTING.md` says so."""
    says_none = "has no `[project.urls]`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert says_none == ("urls" not in PROJECT)
