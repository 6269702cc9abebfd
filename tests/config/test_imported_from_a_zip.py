"""Test that the library works when it is imported from a zip, as from a zipapp or a layer of a cloud function."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import resilience

pytestmark = pytest.mark.full

PACKAGE = Path(resilience.__file__).parent
POLICIES = PACKAGE.parent / "policies"
PROGRAMS = {
    "a first call": "print(resilience.resilient(lambda: 'fine')())",
    "a code table": "assert len(list(resilience.CodeRegistry.builtin('bitget'))) > 1000; print('fine')",
    "an unknown table": """
try:
    resilience.CodeRegistry.builtin('bitgett')
except resilience.PolicyError as error:
    print('fine' if "did you mean 'bitget'" in str(error) else error)""",
    "scenarios": "from resilience.simulate import load_scenario as load; print('fine' if load('outage').title else '')",
    "a mapping": "resilience.Policies.from_mapping({'policies': {'p': {'extends': 'bitget'}}}); print('fine')",
}


@pytest.fixture(scope="module", params=["with compiled forms", "without"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a zip laid out as the wheel is; a checkout without a build has no compiled forms."""
    made = tmp_path_factory.mktemp("zip") / "bot.pyz"
    with zipfile.ZipFile(made, "w") as target:
        for base, under in ((PACKAGE, "resilience"), (POLICIES, "resilience/_policies")):
            for file in base.rglob("*"):
                inside = file.relative_to(base)
                skipped = {"__pycache__", *([] if request.param == "with compiled forms" else ["compiled"])}
                if file.is_file() and skipped.isdisjoint(file.parts):
                    target.write(file, f"{under}/{inside}")
    return made


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_finds_its_files(archive: Path, tmp_path: Path, name: str) -> None:
    """Policies, code tables, scenarios and the style of reports are read from the zip."""
    program = f"import sys; sys.path.insert(0, {str(archive)!r}); import resilience; {PROGRAMS[name].strip()}"
    if "\n" in PROGRAMS[name]:
        program = f"import sys\nsys.path.insert(0, {str(archive)!r})\nimport resilience\n{PROGRAMS[name]}"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (run.stdout.strip(), run.stderr) == ("fine", "")
