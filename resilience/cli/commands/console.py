"""Shows the console beside a demo bot on the sandbox.

It prints the address of a page and the token that the page asks for, and runs until Ctrl-C. The page shows what needs a
person, what is in force and what happened lately. In a bot of your own, resilience.console.serve(policies) does it. It
needs the extra `console`. A token in $RESILIENCE_TOKEN is used in place of a random one, and protects reading too.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from ...console import start_console
from ..terminal import show_line

if TYPE_CHECKING:
    from ...console.web_server import Console

__all__ = ["add_arguments", "run"]

_RANDOM_PORT = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--port", type=_port, default=_RANDOM_PORT, metavar="N", help="port; default: a free one")
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="loopback address; default: 127.0.0.1")
    parser.add_argument("--json", action="store_true", help="print the address and the token as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the bot and the console; 0 after Ctrl-C or SIGTERM, 2 if it cannot start."""
    from ..demo_bot import DemoBot

    token = os.environ.get("RESILIENCE_TOKEN") or None
    try:
        with DemoBot() as bot, start_console(bot.policies, host=args.host, port=args.port, token=token) as console:
            stop = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            _print_access(console, json_line=args.json)
            stop.wait()
        return 0
    except OSError as error:
        reason = f"{error.filename or f'{args.host}:{args.port}'}: {error.strerror}"
    except (ModuleNotFoundError, ValueError) as error:
        reason = str(error)
    show_line(f"resilience console: {reason}", out=sys.stderr)
    return 2


def _print_access(console: Console, *, json_line: bool) -> None:
    if json_line:
        print(json.dumps({"url": console.url, "token": console.token}), flush=True)
        return
    # Not through the functions that remove secrets: the token is what a person needs here.
    print(f"  console  {console.url}", flush=True)
    print(f"    token  {console.token}", flush=True)
    print("The demo bot is running; Ctrl-C ends it.", flush=True)


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return number
