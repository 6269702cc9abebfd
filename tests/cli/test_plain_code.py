"""A code whose row alone decides is explained without the other tables, as it is explained with them."""

import subprocess
import sys

import pytest

from resilience.cli.error_input import parse_error_input
from resilience.cli.explanation import explain
from resilience.cli.plain_code import FIRST_REGISTRY, explain_plain_code
from resilience.config import CodeRegistry, builtin


def test_as_the_whole_way_explains_it() -> None:
    """Every row that is explained by itself is explained as by all tables and policies."""
    codes = [rule.code for rule in CodeRegistry.builtin(FIRST_REGISTRY)]
    explained = [plain for code in codes if (plain := explain_plain_code(code)) is not None]
    policies = builtin()
    assert len(explained) > len(codes) / 3
    # One in twenty, because the whole way asks every table: a mistake would concern many rows.
    for plain in explained[::20]:
        assert plain == explain(parse_error_input(plain["code"]), policies)


@pytest.mark.parametrize("text", ["429", "00000", "40010", "-1021", "4301", "²²²²", "43012 x", "INSUFFICIENT_BALANCE"])
def test_what_takes_the_whole_way(text: str) -> None:
    """A status, a success, what may be repeated or was perhaps executed, and other text are not explained by a row."""
    assert explain_plain_code(text) is None


def test_nothing_else_is_loaded() -> None:
    """The command imports neither YAML, the classifier, the policies nor the patterns of secrets."""
    heavy = ("yaml", "pydantic_core", "_core.classify.classifier", "_core.policy.policy", "telemetry.redaction")
    script = (
        "import sys; from resilience.cli import main; main(['explain', '43012']);print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "INSUFFICIENT_BALANCE" in done.stdout
    if "resilience.config.codes.code_tables" not in done.stderr.split():  # the tables are compiled
        assert [name for name in heavy if name in done.stderr] == []
