"""`resilience sandbox`: run the loopback exchange until it is told to stop."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from ..._core.policy.units import parse_duration
from ...integrations._websockets_extra import MISSING_WEBSOCKETS, websockets_installed

__all__ = ["register", "run"]


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "sandbox",
        help="run the loopback exchange",
        description="Runs a stand-in for Bitget's REST API and WebSocket on loopback until Ctrl-C.",
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port (any free one)")
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (127.0.0.1)")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of the faults (the file's, else 0)")
    parser.add_argument("--window", type=_seconds, default=30.0, metavar="TIME", help="how long a stamp counts (30s)")
    parser.add_argument("--faults", default="calm", metavar="NAME|FILE", help="calm, ordinary, harsh, or a JSON file")
    parser.add_argument("--limits", choices=("real", "off"), default="real", help="rate limits (real)")
    parser.add_argument("--hedge", action="store_true", help="futures in hedge mode (one-way)")
    parser.add_argument("--pace", type=_pace, default=1.0, metavar="N", help="sockets' seconds in a real one (1)")
    parser.add_argument("--json", action="store_true", help="print the first line as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the exchange; 0 after Ctrl-C or SIGTERM, 2 when it cannot begin."""
    from ...sandbox import Sandbox

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        faults, seed = _faults(args.faults)
        exchange = Sandbox(
            args.port,
            host=args.host,
            seed=seed if args.seed is None else args.seed,
            window=args.window,
            faults=faults,
            limits=args.limits == "real",
            hedge=args.hedge,
            pace=args.pace,
        )
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        print(f"resilience sandbox: {error}", file=sys.stderr)
        return 2
    with exchange:
        told = {name: getattr(exchange, name) for name in ("rest", "key", "secret", "passphrase", "policy")}
        told = {"rest": told.pop("rest"), "ws": exchange.ws if websockets_installed() else None, **told}
        if args.json:
            print(json.dumps(told), flush=True)
        else:
            for name, value in told.items():
                print(f"{name:>10}  {MISSING_WEBSOCKETS if value is None else value}", flush=True)
        stop.wait()
    return 0


def _faults(given: str) -> tuple[Any, int]:
    """Return a mix's name, or the rates of a JSON file, which may bring a seed as `POST /sandbox/faults` does."""
    if not given.endswith(".json") and not Path(given).is_file():
        return given, 0
    try:
        told = json.loads(Path(given).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{given}: not JSON: {error}") from error
    if not isinstance(told, dict) or "rates" not in told:
        return told, 0
    seed = told.get("seed", 0)
    if set(told) - {"seed", "rates"} or not isinstance(seed, int) or not isinstance(told["rates"], dict):
        raise ValueError(f'{given}: expected {{"seed": 7, "rates": {{"lose": 0.05}}}}')
    return told["rates"], seed


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return number


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= 10_000:
        raise argparse.ArgumentTypeError(f"expected a number above 0 up to 10000, got {text!r}")
    return pace


def _seconds(text: str) -> float:
    seconds = parse_duration(text)
    if seconds is None or not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"expected a duration such as 500ms, 1s or 30s up to 1h, got {text!r}")
    return seconds
