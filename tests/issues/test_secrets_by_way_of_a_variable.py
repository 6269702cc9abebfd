"""A policy file could take a secret from an environment variable, and the next reload logged it."""

import pytest

from resilience import Policies, PolicyError

SECRET = "3c1b6a4e-8a39-4a1c-9a55-0a6d6a9b8f10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${API_SECRET}", "the variable API_SECRET has the name of a secret; a policy file must not contain secrets"),
        ("x-${BITGET_PASSPHRASE:-none}", "the variable BITGET_PASSPHRASE has the name of a secret"),
        ("${PLAIN}", "looks like a secret; a policy file must not contain secrets"),
        (f"${{UNSET:-{SECRET}}}", "the value of a variable here looks like a secret"),
    ],
)
def test_a_secret_in_a_variable_is_rejected(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is rejected for the variable's name or the value's form; the message does not contain the value."""
    monkeypatch.setenv("API_SECRET", "correct-horse")
    monkeypatch.setenv("PLAIN", SECRET)
    monkeypatch.delenv("UNSET", raising=False)
    with pytest.raises(PolicyError) as caught:
        Policies.from_mapping({"policies": {"a": {"attempt_header": text}}})
    (problem,) = caught.value.problems
    assert problem.path == "policies.a.attempt_header"
    assert message in problem.message
    assert SECRET not in str(caught.value)
    assert "correct-horse" not in str(caught.value)
