"""One bot of `benchmarks.fleet_outbox`: it places its orders, and adopts those of bots that have died.

An order is placed under a key until its row is settled. After a row that has failed it is placed under the next key,
so that a write which was reported as not executed, and was, shows up as a duplicate.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from resilience import Policies, RejectedError, wrap
from resilience.bitget import BitgetClient
from resilience.config.loading.policy_file import load
from resilience.outbox import Outbox, Row
from resilience.venues.server_clock import ServerClock

THREADS = 8
ADOPTERS = 3  # threads that adopt: what is orphaned while one of them waits for a fence is another one's
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}
STOPPED = 0.3  # seconds without a reading, after which the clock takes its process for having been stopped


def say(line: str) -> None:
    """Print a line in one piece: several threads do."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class StillClock:
    """A clock that does not advance while its process is stopped, as on a machine that is suspended.

    Safe across threads.
    """

    def __init__(self, *, wall_too: bool) -> None:
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._stopped_for = 0.0
        self._wall_too = wall_too
        threading.Thread(target=self._read_often, daemon=True).start()

    def _read_often(self) -> None:
        while True:
            self.monotonic()
            time.sleep(STOPPED / 10)

    def monotonic(self) -> float:
        with self._lock:
            now = time.monotonic()
            if now - self._last > STOPPED:
                self._stopped_for += now - self._last
            self._last = now
            return now - self._stopped_for

    def time(self) -> float:
        self.monotonic()
        return time.time() - (self._stopped_for if self._wall_too else 0.0)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def forget_the_epoch() -> None:
    """Make the outbox naive: an owner goes by its own clock, and does not ask whether a row is still its own."""
    from resilience.outbox.postgres import postgres_store as store

    for name in ("CHECK", "TOUCH", "SET_STAMPS", "SET_KEY_MISSING", "SETTLE"):
        statement = re.sub(r"AND owner = %\(me\)s AND epoch = %\(epoch\)s", "", getattr(store, name))
        setattr(store, name, statement.replace("AND state = 'open'", ""))


def send_unrecorded() -> None:
    """Make the outbox naive: what cannot be recorded is sent all the same."""
    from resilience.outbox.outbox_store import HeldWrite
    from resilience.outbox.postgres.postgres_store import PostgresStore

    add, change = PostgresStore.add, PostgresStore._change

    def add_or_not(self: Any, write: Any) -> Any:
        try:
            return add(self, write)
        except OSError:
            return HeldWrite(write.key, write.operation)

    def change_or_not(self: Any, *args: Any, **values: Any) -> None:
        try:
            change(self, *args, **values)
        except OSError:
            pass

    PostgresStore.add, PostgresStore._change = add_or_not, change_or_not  # type: ignore[method-assign]


NAIVE = {"epoch": forget_the_epoch, "record": send_unrecorded}


class Bot:
    """Places the orders of one list of names."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._stop = threading.Event()
        self._names: list[str] = job["names"]
        if job["naive"]:
            NAIVE[job["naive"]]()
        clock = None if job["clock"] == "real" else StillClock(wall_too=job["clock"] == "both")
        policies = Policies(load(job["policy"]), log=False, clock=clock)
        policies.subscribe(self._report_adoption)
        raw = BitgetClient(job["key"], job["secret"], job["passphrase"], base_url=job["rest"])
        if clock is not None:
            raw.clock = ServerClock(clock.time, clock.monotonic)
        self.outbox = self._open(job)
        self._stop_before_sends(raw, job["stop_share"])
        self.client = wrap(raw, "bitget", policies=policies, outbox=self.outbox)

    @staticmethod
    def _stop_before_sends(raw: BitgetClient, share: float) -> None:
        """Stop the whole process before a share of the sends: an attempt is stamped, and has not left."""
        transmit, dice = raw._transmit, random.Random(os.getpid())

        def stop_and_transmit(session: Any, method: str, *args: Any, **kwargs: Any) -> Any:
            if method == "POST" and dice.random() < share:
                say("stopping")
                os.kill(os.getpid(), signal.SIGSTOP)
            return transmit(session, method, *args, **kwargs)

        vars(raw)["_transmit"] = stop_and_transmit

    @staticmethod
    def _open(job: dict[str, Any]) -> Outbox:
        while True:
            try:
                return Outbox(job["url"], lease=job["lease"])
            except OSError:
                time.sleep(0.1)  # the server was killed just now

    @staticmethod
    def _report_adoption(event: Any) -> None:
        if event.name == "write_adopted":
            say(f"adopted {event.key} {str(event.owner).split(':')[1]}")

    def run(self) -> None:
        """Place everything, and settle what others have left, until a line is read that says to end."""
        for _ in range(ADOPTERS):
            threading.Thread(target=self._settle_others, daemon=True).start()
        say("ready")
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self.place, self._names))
        say("placed")
        sys.stdin.readline()
        self._stop.set()
        self.outbox.close()

    def _settle_others(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self.outbox.adopt(self.client, resend=True)
                self.outbox.resume(self.client, resend=True)
            except OSError:
                pass  # the server is gone, or was

    def place(self, name: str) -> None:
        """Place one order until it is done."""
        number = 0
        while True:
            key = f"{name}.{number}"
            try:
                row: Row | None = self.outbox.find(key)
                if row is None:
                    self.client.spot_place_order(**ORDER, clientOid=key)
            except RejectedError:
                time.sleep(0.05)  # nothing was sent, and a call at once would be rejected again
                continue
            except OSError:
                time.sleep(0.05)
                continue
            except Exception:
                continue
            if row is not None and row.state == "done":
                return
            if row is not None and row.state == "failed":
                number += 1
            elif row is not None:
                time.sleep(0.05)  # somebody settles it


if __name__ == "__main__":
    Bot(json.loads(sys.argv[1])).run()
