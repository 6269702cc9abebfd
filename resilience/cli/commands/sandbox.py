"""Runs the loopback exchange.

A stand-in for the REST API of Bitget (and its WebSocket), Binance, OKX or Bybit, with faults and a ledger of what
really happened. It listens on loopback until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..terminal import show_line

if TYPE_CHECKING:
    from ...sandbox import Sandbox

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--venue", default="bitget", metavar="ID", help="bitget, binance, okx or bybit; default: bitget"
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port; default: a free one")
    parser.add_argument(
        "--host", type=_host, default="127.0.0.1", metavar="H", help="address to listen on; default: 127.0.0.1"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="seed of the faults; default: the fault file's, or 0")
    parser.add_argument(
        "--window", type=_seconds, default=30.0, metavar="TIME", help="how long a timestamp is accepted; default: 30s"
    )
    parser.add_argument(
        "--faults", default="calm", metavar="NAME|FILE", help="calm, ordinary, harsh, or a JSON file; default: calm"
    )
    parser.add_argument("--limits", choices=("real", "off"), default="real", help="rate limits; default: real")
    parser.add_argument("--hedge", action="store_true", help="futures in hedge mode; default: one-way mode")
    parser.add_argument(
        "--pace", type=_pace, default=1.0, metavar="N", help="WebSocket seconds per real second; default: 1"
    )
    parser.add_argument("--json", action="store_true", help="print the first line as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the exchange; 0 after Ctrl-C or SIGTERM, 2 if it cannot start."""
    stop = threading.Event()
    # SIGTERM is how a test or a container stops it. An event, so that the exchange is closed in this thread.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        exchange = _start(args)
    except OSError as error:
        reason = f"{error.filename or f'{args.host}:{args.port}'}: {error.strerror}"
    except (ValueError, OverflowError, RecursionError) as error:
        reason = str(error)
    else:
        with exchange:
            _print_access(exchange, json_line=args.json)
            stop.wait()
        return 0
    show_line(f"resilience sandbox: {reason}", out=sys.stderr)
    return 2


def _start(args: argparse.Namespace) -> Sandbox:
    """Start the exchange.

    Raises:
        OSError: the fault file cannot be read, or the address is not free.
        ValueError: the faults are wrong.
    """
    from ...sandbox import Sandbox

    faults, seed = _read_faults(args.faults)
    return Sandbox(
        args.port,
        venue=args.venue,
        host=args.host,
        seed=seed if args.seed is None else args.seed,
        window=args.window,
        faults=faults,
        limits=args.limits == "real",
        hedge=args.hedge,
        pace=args.pace,
    )


def _print_access(exchange: Sandbox, *, json_line: bool) -> None:
    """Print the addresses and the credentials, which are made up for this exchange."""
    from ...integrations._websockets_extra import MISSING_WEBSOCKETS, websockets_installed

    has_socket = exchange.venue == "bitget"
    access = {
        "rest": exchange.rest,
        "ws": exchange.ws if has_socket and websockets_installed() else None,
        **{name: getattr(exchange, name) for name in ("key", "secret", "passphrase", "policy")},
    }
    if json_line:
        print(json.dumps({**access, "venue": exchange.venue, "urls": exchange.urls}), flush=True)
        return
    missing = MISSING_WEBSOCKETS if has_socket else f"none: the sandbox speaks no WebSocket of {exchange.venue}"
    for name, value in {"venue": exchange.venue, **access}.items():
        print(f"{name:>10}  {missing if value is None else value}", flush=True)


def _read_json(source: str) -> Any:
    try:
        return json.loads(Path(source).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source}: not JSON: {error}") from error


def _read_faults(source: str) -> tuple[Any, int]:
    """Return (faults, seed): the name of a mix, or the rates of a JSON file, as `POST /sandbox/faults` takes them.

    Raises:
        ValueError: the file is not JSON or has another shape.
    """
    # A name that is neither a file nor looks like one is a mix; the exchange checks it.
    if not source.endswith(".json") and not Path(source).is_file():
        return source, 0
    content = _read_json(source)
    if not isinstance(content, dict) or "rates" not in content:
        return content, 0
    seed = content.get("seed", 0)
    if set(content) - {"seed", "rates"} or not isinstance(seed, int) or not isinstance(content["rates"], dict):
        raise ValueError(f'{source}: expected a mapping such as {{"seed": 7, "rates": {{"lose": 0.05}}}}')
    return content["rates"], seed


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return number


def _host(text: str) -> str:
    try:
        text.encode("idna")
    except UnicodeError:  # a socket raises several errors of its own, which do not say what is wrong
        raise argparse.ArgumentTypeError(f"expected an address such as 127.0.0.1, got {text!r}") from None
    return text


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= 10_000:
        raise argparse.ArgumentTypeError(f"expected a number above 0, up to 10000, got {text!r}")
    return pace


def _seconds(text: str) -> float:
    from ..._core.policy.units import parse_duration

    seconds = parse_duration(text)
    if seconds is None or not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"expected a duration such as 500ms, 1s or 30s, up to 1h, got {text!r}")
    return seconds
