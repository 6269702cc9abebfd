"""Tests of the public names: sorted, importable, documented, and cheap to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import resilience
from resilience import testing

ROOT = Path(__file__).parents[1]
DESIGNED = """
    resilient wrap configure Policies Pipeline Policy BreakerStore Category Rule CodeRegistry Classifier Failure
    failure_of Stage current_call Found NOT_FOUND warm_up ResilienceError RejectedError CircuitOpenError
    QuotaExceededError AdmissionRejectedError DeadlineExceededError ApiError PolicyError
"""


def sorted_as_lint_does(names: list[str]) -> list[str]:
    """Sort constants first, then classes, then functions."""
    return sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_the_list_is_sorted_and_complete() -> None:
    """Exactly the names that other people rely on, in order."""
    assert sorted(resilience.__all__) == sorted(DESIGNED.split())
    assert list(resilience.__all__) == sorted_as_lint_does(resilience.__all__)
    assert list(testing.__all__) == sorted_as_lint_does(testing.__all__)


@pytest.mark.parametrize("name", resilience.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    """It can be imported, has a docstring, and one page of the reference has it."""
    assert getattr(resilience, name).__doc__
    assert pages_with(f"resilience.{name}") == 1
    assert name in dir(resilience)


@pytest.mark.parametrize("name", testing.__all__)
def test_testing_is_documented(name: str) -> None:
    """The reference has every test double and assertion."""
    assert pages_with(f"resilience.testing.{name}") == 1


def pages_with(path: str) -> int:
    """Return on how many pages of the reference the docstring of this name is."""
    pages = (ROOT / "docs" / "reference").rglob("*.md")
    return sum(f"\n::: {path}\n" in page.read_text(encoding="utf-8") for page in pages)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """An unknown name raises the error that Python raises for modules."""
    with pytest.raises(AttributeError, match="no attribute 'resilent'"):
        resilience.resilent  # noqa: B018


def test_import_takes_no_third_party_along() -> None:
    """`import resilience` alone imports no third-party library."""
    code = (
        "import sys; before = set(sys.modules); import resilience;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['resilience']"
