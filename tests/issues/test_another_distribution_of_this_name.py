"""pip installs two distributions that are imported as `resilience`: files of one replaced those of the other unseen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import resilience

PACKAGE = Path(resilience.__file__).parent


def site_with_ours(folder: Path) -> Path:
    """Return a folder of packages that has this one."""
    shutil.copytree(PACKAGE, folder / "resilience", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def install(site: Path, name: str, *files: str) -> None:
    """Install another distribution as pip does."""
    metadata = site / f"{name}-0.0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.1\n")
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (site / file.lower()).parent.mkdir(exist_ok=True)
        (site / file.lower()).write_text("")


def error_of(site: Path, statement: str) -> str:
    """Run a statement with these packages; return the last line of standard error, empty if it runs."""
    program = f"import sys; sys.path.insert(0, {str(site)!r}); {statement}"
    done = subprocess.run([sys.executable, "-I", "-B", "-c", program], capture_output=True, text=True, check=False)
    return (done.stderr.splitlines() or [""])[-1]


def test_the_folder_of_the_package_has_known_files_only() -> None:
    """A new file of ours is declared: with any other the import would look for its distribution."""
    names = {path.name for path in PACKAGE.iterdir()}
    assert names <= resilience._OWN_FILES
    assert resilience._OWN_FILES - names <= {"__pycache__", "_policies"}


@pytest.mark.slow
def test_two_distributions_in_one_folder(tmp_path: Path) -> None:
    """The import names the other one and says what to do; a file that no distribution has installed is nobody's."""
    site = site_with_ours(tmp_path)
    install(site, "unrelated", "unrelated/__init__.py")
    (site / "resilience" / ".DS_Store").write_text("")
    assert error_of(site, "import resilience; resilience.Policy") == ""
    install(site, "Resilience", "Resilience/models.py")
    assert error_of(site, "import resilience").removeprefix("ImportError: ").split(". ") == [
        "two distributions are installed under the name 'resilience': resilience-middleware and Resilience",
        "Files of one may have replaced those of the other",
        "Uninstall both (Resilience and resilience-middleware), then install resilience-middleware again.",
    ]


def test_the_package_is_replaced(tmp_path: Path) -> None:
    """The other one was installed last: what is left of ours says so."""
    site = site_with_ours(tmp_path)
    install(site, "resilience", "resilience/__init__.py")
    assert error_of(site, "import resilience.cli").startswith(
        "ImportError: another distribution has replaced the package 'resilience' of resilience-middleware. Uninstall "
    )
