"""Every page runs with what it says that it needs: the library, the extras that it names, and nothing else."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.docs.page_program import PAGES, ROOT, blocks, missing_frameworks, needs_frameworks, page_id

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
_NEEDS = re.compile(r"^This page needs [^`]*(?:`[\w-]+`[^`]*)*`pip install ([^`]+)`", re.MULTILINE)
_OWN = re.compile(r"resilience-middleware\[([\w,]+)\]")
WITH_PYTHON = [page for page in PAGES if any(block.kind == "python" for block in blocks(page))]


def requirements(page: Path) -> list[str]:
    """Return the requirements of the library, and of what the page says that it needs."""
    match = _NEEDS.search(page.read_text(encoding="utf-8"))
    needed: list[str] = list(PROJECT["dependencies"])
    for word in shlex.split(match[1]) if match else ():
        own = _OWN.fullmatch(word)
        needed += [one for extra in own[1].split(",") for one in packages_of(extra)] if own else [word]
    return needed


def packages_of(extra: str) -> list[str]:
    """Return the packages of an extra, those of the extras that it names among them."""
    packages: list[str] = []
    for one in EXTRAS[extra]:
        own = _OWN.fullmatch(one)
        packages += [name for inner in own[1].split(",") for name in packages_of(inner)] if own else [one]
    return packages


def installed(needed: Iterable[str]) -> dict[str, Distribution]:
    """Return the installed distributions that pip would install for these requirements, by name."""
    found: dict[str, Distribution] = {}
    open_ones = [Requirement(one) for one in needed]
    while open_ones:
        one = open_ones.pop()
        if one.name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        try:
            found[one.name] = distribution(one.name)
        except PackageNotFoundError:
            continue  # a page that imports it fails
        open_ones += [Requirement(text) for text in found[one.name].requires or ()]
    return found


def make_environment(folder: Path, needed: Iterable[str]) -> None:
    """Fill a folder as the site-packages of an environment with these requirements: with links to what is installed."""
    for one in installed(needed).values():
        for name in {path.parts[0] for path in one.files or ()} - {"..", "__pycache__"}:
            target = folder / name
            if not target.exists():
                target.symlink_to(Path(str(one.locate_file(name))))


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=page_id)
def test_a_page_runs_with_what_it_names(page: Path, tmp_path: Path) -> None:
    """Its blocks run in an environment that has nothing but the library and what the page names."""
    if needs_frameworks(page) and missing_frameworks():
        pytest.skip("needs the extra `programs`")
    packages, cwd = tmp_path / "packages", tmp_path / "work"
    packages.mkdir()
    cwd.mkdir()
    make_environment(packages, requirements(page))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}
    environment.pop("RESILIENCE_POLICIES", None)
    # Without `site` the interpreter has its standard library and this path only.
    command = [sys.executable, "-S", "-m", "tests.docs.page_program", str(page)]
    done = subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_what_pages_need_exists() -> None:
    """A page names extras of this library."""
    for page in PAGES:
        for names in _OWN.findall(page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(EXTRAS), page_id(page)


def test_the_table_of_extras_is_complete() -> None:
    """The README lists every extra but those that are for work on the library itself."""
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == sorted(EXTRAS.keys() - {"bench", "dev", "docs", "mutants", "test"})


def test_the_page_on_installing_has_the_table_of_the_readme() -> None:
    """Both list the same extras in the same words."""
    tables = [
        re.findall(r"^\| `\w+` \|.*$", text.replace("](docs/", "]("), re.MULTILINE)
        for text in ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/install.md"))
    ]
    assert tables[0] == tables[1]


def test_the_environment_lacks_the_rest(tmp_path: Path) -> None:
    """The environment of a page that names nothing has no pytest and no httpx."""
    make_environment(tmp_path, PROJECT["dependencies"])
    command = [sys.executable, "-S", "-c", "import requests, yaml, pydantic, pytest"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False, capture_output=True, text=True
    )
    assert "No module named 'pytest'" in done.stderr
