"""The compiled forms of the shipped files say what their YAML says, and spare a first call YAML and pydantic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resilience.config.codes.code_tables import CodeRegistry, shipped_names
from resilience.config.loading.builtin_policies import builtin
from resilience.config.loading.compiled_files import BUILT_IN, POLICIES, checksums, compiled_content
from resilience.config.loading.policy_file import builtin_layer
from resilience.config.loading.shipped_files import shipped
from resilience.config.schema.compiled_source import compile_shipped

SOURCES = tuple(f"{name}.yaml" for name in BUILT_IN)
PROGRAM = """
import sys
from pathlib import Path
from resilience.config.loading import compiled_files
shipped = compiled_files.shipped
compiled_files.shipped = lambda name: Path(sys.argv[1]) if name == "compiled" else shipped(name)
import resilience
assert "bitget" in resilience.Policies.builtin().policy("bitget").codes

@resilience.resilient("bitget")
def call(error):
    if error is not None:
        raise error

call(None)
try:
    call(RuntimeError("one"))
except RuntimeError as error:
    assert resilience.failure_of(error).category == "retryable"
assert resilience.CodeRegistry.builtin("bitget").rule("43012").category == "user_fixable"
assert not {"yaml", "pydantic", "pydantic_core"} & set(sys.modules)
resilience.Policy(deadline="5s")
assert "pydantic_core" in sys.modules and "yaml" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the compiled forms of all shipped files."""
    made = tmp_path_factory.mktemp("compiled")
    compile_shipped(made)
    return made


@pytest.mark.slow
def test_the_compiled_policies_are_those_of_the_files(folder: Path) -> None:
    """All policies are equal, to the last value."""
    assert compiled_content(POLICIES, SOURCES, folder) == builtin_layer().policy_set.policies


def test_compiled_files_of_this_checkout_are_up_to_date() -> None:
    """Where a build has compiled the files, the settings classes are still those of the build."""
    assert builtin() == builtin_layer().policy_set


@pytest.mark.parametrize("name", sorted(shipped_names()))
def test_a_compiled_table_is_that_of_its_file(folder: Path, name: str) -> None:
    """All rows, the envelope, the texts, the sources, the scopes and the references are equal."""
    content = compiled_content(name, (f"codes/{name}.yaml",), folder)
    table = CodeRegistry.load(shipped(f"codes/{name}.yaml"))
    assert CodeRegistry(name, content.pop("rules"), **content) == table
    assert content == {
        "envelope": table.envelope, "texts": table.texts, "sources": table.sources,
        "prefixes": table.prefixes, "references": table.references,
    }  # fmt: skip


def test_a_file_that_was_changed_counts(folder: Path, tmp_path: Path) -> None:
    """A compiled form that does not belong to the YAML beside it is not used; neither is one that is not there."""
    text = (folder / "http.py").read_text("utf-8")
    (tmp_path / "http.py").write_text(text.replace(str(checksums(("codes/http.yaml",))["codes/http.yaml"]), "1"))
    assert compiled_content("http", ("codes/http.yaml",), folder) is not None
    assert compiled_content("http", ("codes/http.yaml",), tmp_path) is None
    assert compiled_content("ccxt", ("codes/ccxt.yaml",), tmp_path) is None


@pytest.mark.slow
def test_a_first_call_needs_neither_yaml_nor_pydantic(folder: Path) -> None:
    """Nor does the first failure; the first policy made in Python imports pydantic, but not YAML."""
    subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], check=True, capture_output=True)


@pytest.mark.parametrize("damage", ["CHECKSUMS = {", "", "raise OSError", "CHECKSUMS = {}"])
def test_a_damaged_compiled_form_is_not_used(folder: Path, tmp_path: Path, damage: str) -> None:
    """A file that was cut off, or that does not fit the classes, costs time and nothing else."""
    (tmp_path / f"{POLICIES}.py").write_text(damage)
    assert compiled_content(POLICIES, SOURCES, tmp_path) is None
    assert compiled_content(POLICIES, SOURCES, folder) is not None
