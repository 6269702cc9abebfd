"""A function decorated by tenacity has one statistics dict, which the threads that call it clear for each other."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import tenacity

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


@pytest.mark.newest_versions
def test_naive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that begins clears the dict while another call adds to it, and that one fails inside the retry engine."""
    cleared, go_on = threading.Event(), threading.Event()

    def monotonic() -> float:
        if threading.current_thread().name == "second":  # tenacity asks for the time right after it has cleared
            cleared.set()
            go_on.wait(60)
        return time.monotonic()

    monkeypatch.setattr(tenacity, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))
    second = threading.Thread(target=lambda: send("second"), name="second")

    def wait(_state: tenacity.RetryCallState) -> float:
        second.start()
        cleared.wait(60)
        return 0.0

    @tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=wait, sleep=lambda _delay: None)
    def send(who: str) -> str:
        if who == "first":
            raise OSError
        return who

    try:
        with pytest.raises(KeyError):
            send("first")
    finally:
        go_on.set()
        second.join(10)


def test_ours() -> None:
    """Sixteen threads retry through one compiled function, and each counts its own attempts."""
    policy = Policy(deadline="600s", retry={"max_attempts": 4, "backoff": {"initial": "1s", "jitter": "none"}})
    local = threading.local()
    ended: list[object] = []

    def attempt() -> int:
        local.tries = getattr(local, "tries", 0) + 1
        if local.tries < 4:
            raise ConnectionRefusedError
        return int(local.tries)

    call = Pipeline(policy, idempotent=True, clock=FakeClock()).compile(attempt)

    def run() -> None:
        try:
            ended.append(call())
        except BaseException as error:
            ended.append(error)

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert ended == [4] * 16
