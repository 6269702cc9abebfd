"""A shipped venue has a compiled form, with which wrapping an exchange needs neither YAML nor pydantic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from resilience.config.loading.compiled_files import compiled_content
from resilience.venues.compiled_venues import compile_venues
from resilience.venues.venue_files import read_shipped_venue


def test_the_compiled_form_is_that_of_the_file(tmp_path: Path) -> None:
    """All values are equal."""
    compile_venues(tmp_path)
    for name in ("binance", "bitget", "bybit", "okx"):
        assert compiled_content(f"venue_{name}", (f"venues/{name}.yaml",), tmp_path) == read_shipped_venue(name)


def test_importing_venues_reads_nothing() -> None:
    """YAML and pydantic are loaded where a file is read."""
    code = "import sys, resilience.venues; assert not {'yaml', 'pydantic_core'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
