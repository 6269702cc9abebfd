"""A secret that a policy file took from a variable was put to work, and the log line of the next reload showed it."""

import pytest

from resilience import PolicyError
from resilience.config.loading.policy_file import from_mapping

HELD = "4f2d8c1b9a7e6d5c4b3a29181706f5e4d3c2b1a0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${API_SECRET}", "the variable API_SECRET has the name of a secret; a policy file must not contain secrets"),
        ("x-${BITGET_PASSPHRASE:-none}", "the variable BITGET_PASSPHRASE has the name of a secret"),
        ("${PLAIN}", "looks like a secret; a policy file must not contain secrets"),
        (f"${{UNSET:-{HELD}}}", "the value of a variable here looks like a secret"),
    ],
)
def test_it_is_refused(text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its variable's name or by its looks, with a hint, and without being shown."""
    monkeypatch.setenv("API_SECRET", "correct-horse")
    monkeypatch.setenv("PLAIN", HELD)
    monkeypatch.delenv("UNSET", raising=False)
    with pytest.raises(PolicyError) as caught:
        from_mapping({"policies": {"a": {"attempt_header": text}}})
    (problem,) = caught.value.problems
    assert problem.path == "policies.a.attempt_header"
    assert told in problem.message
    assert HELD not in str(caught.value)
    assert "correct-horse" not in str(caught.value)
