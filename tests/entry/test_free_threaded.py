"""Tests that an interpreter without the GIL is refused at import."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT = """
import sys
sys._is_gil_enabled = lambda: {enabled}
try:
    import resilience
except ImportError as error:
    print("refused:", error)
else:
    print("imported")
"""


@pytest.mark.parametrize(
    ("enabled", "words"), [(True, ["imported"]), (False, ["refused:", "PYTHON_GIL=1", "build with the GIL", "quota"])]
)
def test_only_an_interpreter_whose_gil_is_on_is_accepted(enabled: bool, words: list[str]) -> None:
    """The error says why, and how to start this interpreter instead; a free-threaded build with the GIL on is fine."""
    command = [sys.executable, "-c", IMPORT.format(enabled=enabled)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(word in output for word in words)
