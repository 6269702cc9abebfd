"""Measures failing calls as users meet them, beside tenacity: an API's codes, HTTP errors, the log on, signatures.

    python -m benchmarks.user_failures [--rounds N] [--write]

All rows of one kind run in turns, and only the processor time of the thread is counted. tenacity has the same duties:
two attempts, no wait, `reraise=True`, and where the log is on its own `before_sleep_log`.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import tenacity
import urllib3

from resilience import Pipeline, Policy

from .failing_calls import SETTINGS, TWO, Fn, swallow
from .rounds import Target, at_most, parse_options, report, sync_rounds, target_table
from .user_first_call import ROWS, milliseconds

Make = Callable[[], Exception]
POLICY: dict[str, Any] = {**SETTINGS, "codes": ["bitget", "http"]}
ROOT = Path(__file__).resolve().parents[1]


NOTES = """## What was tried

Before what errors mean was remembered, the first two rows were at 3.0 and 4.2, that of 429 at 5.2. What is left of a
call that gives up is spread over some 200 small steps, none of which takes more than a tenth: a dozen objects that
record the call, the breaker's count under its lock, the error's note and record. Descriptors that set the slots of
`Failure` one by one took 5 µs, `dataclasses.replace` 15, a copy of the dict takes 1: so it has no slots. A missing
attribute costs an `AttributeError` (2 µs) where a look into the dict takes 0.2: so records are read from the dict of
classes that have a plain one. A window that searched its marks at each failure drops old ones as time goes by. These
and fewer steps took the first two rows from 1.27 and 1.66 to about 1.1 and 1.5, measured in turns on one machine. By
callgrind a call that gives up takes 0.40 million instructions, tenacity's 0.40, one that recovers 0.24 and 0.28: in
time the ratio is larger, because more code has to be in the caches. An answer in a text that differs each time has a
key that never comes back, and is read anew.

With the log on, `logging` itself is a fifth of the line, and the text of it another; the rest is the event and the
search for secrets, which goes through all texts of a line at once. A line took 65 µs and takes 45: one pattern that
ignored case took 12 of them, the check of each name that `logging` makes of `extra` 8, its search for the frame 4.
structlog between the two took as long as all of that.

A decorated function that nobody warmed up loads its policies in its first call. pybreaker imports redis where that is
installed, and redis imports opentelemetry: in this environment more than 150 ms. In an installed wheel without redis
the call takes 44 to 61 ms of processor time, 49 in the middle (CPython 3.13, five processes).

The rows in milliseconds depend on how fast the machine is at that hour. In this one the commit before the last changes
takes 7.2 ms after `wrap` and 293 ms where nothing is warmed up; in a quick hour it took 3.4 and 144."""


class SdkError(Exception):
    """An error of an API's client."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def known_code() -> Exception:
    return SdkError("40725", "service return an error")


def api_body() -> Exception:
    """Return an error with the API's answer in its text, which differs each time, as ccxt raises it."""
    api_body.number += 1  # type: ignore[attr-defined]
    stamp = 1695806875837 + api_body.number  # type: ignore[attr-defined]
    answer = {"code": "40725", "msg": "service return an error", "requestTime": stamp, "data": None}
    return SdkError("", f"bitget {json.dumps(answer)}")


api_body.number = 0  # type: ignore[attr-defined]


def _response(status: int, headers: dict[str, str], body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code, response.url, response._content = status, "https://api.example.com/api/v2/orders", body
    response.headers.update(headers)
    return response


def too_many_requests() -> Exception:
    answer = _response(
        429, {"Retry-After": "0", "Content-Type": "application/json"}, b'{"code":"429","msg":"slow down"}'
    )
    return requests.HTTPError("429 Client Error: Too Many Requests for url", response=answer)


def refused() -> Exception:
    """Return what requests raises where nobody listens: three errors inside each other."""
    pool: Any = urllib3.HTTPConnectionPool("api.example.com", 80)
    reason = urllib3.exceptions.NewConnectionError(pool, "Failed to establish a new connection: [Errno 111] refused")
    reason.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/orders", reason), request=_REQUEST)


_REQUEST = requests.Request("GET", "https://api.example.com/orders").prepare()


class Flaky:
    """Fails every other time, or always, with errors made by a function."""

    def __init__(self, make: Make, *, always: bool) -> None:
        self._make, self._always, self._calls = make, always, 0

    def __call__(self) -> int:
        self._calls += 1
        if self._always or self._calls % 2:
            raise self._make()
        return 1


def ours(fn: Fn, *, log: bool = False) -> Fn:
    return Pipeline(Policy(**POLICY), idempotent=True, log="logging" if log else False).compile(fn)


def theirs(fn: Fn, *, log: bool = False) -> Fn:
    logger = logging.getLogger("tenacity.benchmark")
    options: dict[str, Any] = {"before_sleep": tenacity.before_sleep_log(logger, logging.WARNING)} if log else {}
    stop, wait = tenacity.stop_after_attempt(TWO), tenacity.wait_none()

    def named() -> Any:
        return fn()

    return tenacity.retry(stop=stop, wait=wait, reraise=True, **options)(named)


def compared(make: Make, rounds: int, *, log: bool = False) -> tuple[float, float]:
    """Return ours against tenacity's: for a call that recovers, and for one that gives up."""
    ratios = []
    for always in (False, True):
        rows = {
            "ours": swallow(ours(Flaky(make, always=always), log=log)),
            "theirs": swallow(theirs(Flaky(make, always=always), log=log)),
            "error": lambda always=always: (make(), make() if always else None),
        }
        times = sync_rounds(rows, rounds=rounds, seconds=0.003)
        # What it takes to make the errors is no cost of a retry.
        ratios.append(times["ours"].above(times["error"]).ratio(times["theirs"].above(times["error"])))
    return ratios[0], ratios[1]


def logged_lines(rounds: int) -> float:
    """Return the cost of a failing call with its log line after 512 signed requests, against the one before them."""
    from resilience.telemetry import redaction
    from resilience.telemetry.registered_secrets import RegisteredSecrets

    credentials = ("bg_0123456789abcdef0123456789abcdef", "s3cr3t-" * 9, "passphrase-of-mine")
    few, many = RegisteredSecrets(credentials), RegisteredSecrets(credentials)
    for number in range(512):
        many.add(f"{number:03}k/+Zr8w3Jt0v{number:03}QmT5yU1oPaSdFgHjKlZxCvBnM=", passing=True)
    call = swallow(ours(Flaky(known_code, always=True), log=True))

    def line(secrets: RegisteredSecrets) -> None:
        redaction._registered = secrets  # both take turns
        call()

    times = sync_rounds({"after": lambda: line(many), "before": lambda: line(few)}, rounds=rounds, seconds=0.003)
    return times["after"].ratio(times["before"])


def first_calls() -> dict[str, float]:
    """Return the milliseconds for which the first failing call keeps the loop, by what came before."""
    return {row: milliseconds(row, ROOT) for row in ROWS}


def main() -> None:
    options = parse_options(__doc__, rounds=60)
    rounds = options.rounds
    code, body, limit = (compared(make, rounds) for make in (known_code, api_body, too_many_requests))
    refusal = compared(refused, rounds)
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(handler)
    logged = compared(known_code, rounds, log=True)
    line = logged_lines(rounds)
    targets: list[Target] = [
        at_most("known code, log off, recovers", 0.85, code[0]),
        at_most("known code, log off, gives up", 1.25, code[1]),
        at_most("429 with Retry-After, gives up", 1.6, limit[1]),
        at_most("error of requests, recovers", 0.9, refusal[0]),
        at_most("log on, recovers, tenacity with its own", 1.0, logged[0]),
        at_most("log on, gives up, tenacity with its own", 1.0, logged[1]),
        at_most("a logged call after 512 signatures, against before", 1.2, line),
    ]
    for row, seconds in first_calls().items():
        targets.append(at_most(f"first failing call, ms of standstill: {row}", ROWS[row].limit, seconds))
    report(
        "user_failures",
        "Failing calls where users are",
        f"Ours against tenacity, {rounds} interleaved rounds, processor time, without what it takes to make the error.",
        target_table(targets),
        f"Without a target: the answer in the text of the error, different each time: recovers {body[0]:.2f}, gives up "
        f"{body[1]:.2f}. 429 recovers {limit[0]:.2f}. Error of requests gives up {refusal[1]:.2f}.",
        NOTES,
        write=options.write,
        command="user_failures",
        by_version=True,
    )


if __name__ == "__main__":
    main()
