"""The command that runs the exchange: what its fault file may say, and what happens to nonsense."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "resilience", "sandbox", "--json", "--faults"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", "[1]", '{"rates": {"lose": 0.1}, "typo": 1}', '{"lose": 2}', '{"rates": 3}', "3"]
)
def test_a_bad_fault_file_is_one_line(text: str, tmp_path: Path) -> None:
    """No traceback, no exchange with other faults than those that were meant."""
    file = tmp_path / "faults.json"
    file.write_text(text)
    done = subprocess.run([*COMMAND, file], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_a_fault_file_brings_its_seed(tmp_path: Path) -> None:
    """The file takes what `POST /sandbox/faults` takes."""
    file = tmp_path / "faults.json"
    file.write_text('{"seed": 5, "rates": {"lose": 0.25}}')
    with subprocess.Popen([*COMMAND, file], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        rest = json.loads(process.stdout.readline())["rest"]
        request = urllib.request.Request(f"{rest}/sandbox/faults", b'{"rates": {"lose": 0.5}}', method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:  # loopback
            result = json.load(answer)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert result == {"seed": 5, "rates": {"lose": 0.5}}


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--faults", "no.json"], "no.json: No such file"), (["--host", "192.0.2.1"], "192.0.2.1:0: ")],
)
def test_what_cannot_be_opened_is_named(words: list[str], message: str) -> None:
    """The error names the missing file, or the address that is not of this machine."""
    command = [sys.executable, "-m", "resilience", "sandbox", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"resilience sandbox: {message}")


def test_a_pace_is_a_number_above_0() -> None:
    """A pace that is not a positive number is one line too."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--pace", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "expected a number above 0, up to 10000, got '0'" in done.stderr


@pytest.mark.parametrize("venue", ["bitget", "binance", "okx", "bybit"])
def test_the_first_line_says_how_to_point_ccxt(venue: str) -> None:
    """It has the venue and the URLs of ccxt's class; only Bitget has a WebSocket."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--venue", venue]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert (line["venue"], line["ws"] is None) == (venue, venue != "bitget")
    assert all(url.startswith(line["rest"]) for url in line["urls"].values())


def test_a_venue_that_is_not_spoken_is_one_line() -> None:
    """The message names those that are."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--venue", "kraken"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "resilience sandbox: venue: expected bitget, binance, okx, bybit, got 'kraken'\n"
