"""`failure_of` takes an error or an answer. Anything else is a mistake of the program, and is said to be one."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import failure_of


@pytest.mark.parametrize("value", [None, "timed out", b"timed out", 429, 4.5, True, ConnectionError])
def test_what_has_lost_its_error_is_refused(value: Any) -> None:
    """`failure_of(str(error))` would explain a text without type, status and causes."""
    with pytest.raises(TypeError, match="pass the exception itself"):
        failure_of(value)


@pytest.mark.parametrize("value", [Exception(), KeyError("x"), KeyboardInterrupt(), {"code": "43012"}, object()])
def test_errors_and_answers_are_taken(value: Any) -> None:
    """Errors of any kind, bodies and responses have a failure."""
    assert failure_of(value).category
