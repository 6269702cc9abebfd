"""Kills and stops bots that share one outbox in PostgreSQL, and compares what they did with the exchange's ledger.

    python -m benchmarks.fleet_outbox [--orders 2000] [--bots 4] [--drill NAME ...] [--seed 7] [--naive]

A loopback exchange under ordinary faults (window 1 s) and a PostgreSQL server run in processes of their own. The bots
place orders in eight threads each, and adopt the writes of the others. Now and then one is killed with SIGKILL and
started again, or stopped with SIGSTOP for longer than its lease; and a bot stops itself between the stamp and the send
of an order. At least one bot runs at any time, which can adopt. The drills:

    clocks-real   as it is
    clocks-still  the monotonic clock of a bot stands still while it is stopped
    clocks-both   both of its clocks do, so that the exchange says that its stamp has expired
    server        PostgreSQL is killed and started again in the middle

With `--naive` an owner does not ask whether a row is still its own, or sends what it cannot record: what the drill must
be able to notice.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from .postgres_server import PostgresServer

WINDOW, LEASE = 1.0, 1.0
FENCE = WINDOW * (1 + 1 / 10 + 1 / 15)  # W + P + L, as the exchange scales P and L
BOUND = 2 * FENCE + LEASE  # seconds from the end of an owner to the end of its write
STOP_SHARE = 0.04  # of the sends, before which a bot stops itself
DRILLS = {
    "clocks-real": ("real", "epoch"),
    "clocks-still": ("still", "epoch"),
    "clocks-both": ("both", "epoch"),
    "server": ("real", "record"),
}
"""Name → the clock of the bots, and the naive way that the drill must notice."""
COLUMNS = (
    "orders", "kills", "stops", "server_kills", "adopted", "duplicates", "lost", "misreported", "open", "unrecorded",
    "within", "late", "late_by_faults", "slowest", "seconds",
)  # fmt: skip


@dataclass
class _Slot:
    """One bot: the process that runs as it now, and what is known of it.

    Attributes:
        is_ready: it has started, and adopts.
        stopped: it was stopped and does not run.
    """

    job: dict[str, Any]
    process: subprocess.Popen[str]
    placed: threading.Event = field(default_factory=threading.Event)
    reader: threading.Thread | None = None
    is_ready: bool = False
    stopped: bool = False


class _Adoption(NamedTuple):
    """An adoption, by Unix times: when the last owner ended (0 if it runs), and when its write was taken over."""

    ended: float
    at: float


def _end(slot: _Slot) -> None:
    """Kill a bot if it still runs, and close its pipes."""
    slot.process.kill()
    slot.process.wait()
    if slot.reader is not None:
        slot.reader.join()
    for pipe in (slot.process.stdin, slot.process.stdout):
        if pipe is not None:
            pipe.close()


class Fleet:
    """Some bots with one outbox. Used by one thread.

    Attributes:
        counts: how often bots and the server were killed or stopped.
        adoptions: how many writes were adopted.
    """

    def __init__(self, jobs: list[dict[str, Any]], seed: int) -> None:
        self.counts: Counter[str] = Counter(kills=0, stops=0, server_kills=0)
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._ended: dict[int, tuple[float, float]] = {}  # pid → when it was killed or stopped, and when it went on
        self._adopted: dict[str, _Adoption] = {}  # key → its last adoption
        self.adoptions = 0
        self._slots: list[_Slot] = []
        self._slots += [self._start(job) for job in jobs]

    def _start(self, job: dict[str, Any]) -> _Slot:
        command = [sys.executable, "-m", "benchmarks.fleet_outbox_bot", json.dumps(job)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        slot = _Slot(job, process)
        slot.reader = threading.Thread(target=self._read, args=(slot, process), daemon=True)
        slot.reader.start()
        return slot

    def _read(self, slot: _Slot, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            word, *rest = line.split()
            if word == "ready":
                slot.is_ready = True
            elif word == "placed":
                slot.placed.set()
            elif word == "stopping":
                self._note_stop(slot)
                threading.Timer(self._pause(), self._go_on, [slot]).start()
            elif word == "adopted" and len(rest) == 2:
                self._note_adoption(*rest)

    def _note_adoption(self, key: str, pid: str) -> None:
        now = time.time()
        ended, went_on = self._ended.get(int(pid), (0.0, 0.0))
        self.adoptions += 1
        # Of an owner that has gone on for long, the lease ended for another reason.
        self._adopted[key] = _Adoption(ended if now < went_on + LEASE + FENCE else 0.0, now)

    def _pause(self) -> float:
        """Return seconds that are longer than a lease and a fence."""
        return self._dice.uniform(0.7, 1.3) * (2 * LEASE + 2 * WINDOW)

    def _note_stop(self, slot: _Slot) -> None:
        with self._lock:
            self.counts["stops"] += 1
            self._ended[slot.process.pid] = time.time(), inf
            slot.stopped = True
        self._keep_one_running()

    def _keep_one_running(self) -> None:
        """Have the bot go on that was stopped first, if no other could adopt anything."""
        with self._lock:
            stopped = [slot for slot in self._slots if slot.stopped]
            is_running = any(slot.is_ready and not slot.stopped for slot in self._slots)
        if stopped and not is_running:
            self._go_on(min(stopped, key=lambda slot: self._ended[slot.process.pid]))

    def _go_on(self, slot: _Slot) -> None:
        with self._lock:
            if slot.stopped and slot.process.poll() is None:
                slot.stopped = False
                self._ended[slot.process.pid] = self._ended[slot.process.pid][0], time.time()
                slot.process.send_signal(signal.SIGCONT)

    def disturb(self) -> None:
        """Kill a bot and start it again, or stop it for longer than its lease."""
        number = self._dice.randrange(len(self._slots))
        slot = self._slots[number]
        if slot.process.poll() is not None:
            raise RuntimeError("a bot has ended by itself")
        if not slot.is_ready or slot.stopped:
            return
        if self._dice.random() < 0.5:
            with self._lock:
                began = self._ended[slot.process.pid][0] if slot.stopped else time.time()
                self._ended[slot.process.pid] = began, inf
                slot.stopped = False
            _end(slot)
            self.counts["kills"] += 1
            self._slots[number] = self._start(slot.job)
            self._keep_one_running()
        else:
            slot.process.send_signal(signal.SIGSTOP)
            self._note_stop(slot)
            time.sleep(self._pause())  # the stopped process misses so much real time
            self._go_on(slot)

    @property
    def has_placed_all(self) -> bool:
        """Whether every bot has placed every order."""
        return all(slot.placed.is_set() for slot in self._slots)

    def finish(self) -> None:
        """Let the bots end, and wait for them."""
        for slot in self._slots:
            assert slot.process.stdin is not None
            slot.process.stdin.write("\n")
            slot.process.stdin.flush()
        for slot in self._slots:
            slot.process.wait(60)

    def kill(self) -> None:
        """Kill every bot."""
        for slot in self._slots:
            _end(slot)

    def times(self, settled: dict[str, tuple[float, list[float]]]) -> dict[str, Any]:
        """Return how long it took from the end of an owner to the end of each write that was adopted from it.

        Args:
            settled: key → when its row was settled, and its stamps, Unix seconds.
        """
        took = {
            key: (settled[key][0] - adoption.ended, sum(stamp > adoption.at - LEASE / 10 for stamp in settled[key][1]))
            for key, adoption in self._adopted.items()
            if adoption.ended and key in settled
        }
        late = {key: (round(seconds, 2), sends) for key, (seconds, sends) in took.items() if seconds > BOUND}
        for key, (seconds, sends) in sorted(late.items(), key=lambda item: item[1])[-5:]:
            print(f"late: {key} took {seconds} s and {sends} attempts of the adopter", file=sys.stderr)
        return {
            "within": len(took) - len(late),
            "late": sum(sends < 2 for _, sends in late.values()),
            "late_by_faults": sum(sends > 1 for _, sends in late.values()),
            "slowest": round(max((seconds for seconds, _ in took.values()), default=0), 2),
        }


def start_exchange(seed: int) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start the exchange and return its process, and its address and keys."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--window", f"{WINDOW:g}s", "--limits", "off"]
    process = subprocess.Popen(
        [*command, "--seed", str(seed), "--faults", "ordinary"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def run(
    drill: str, orders: int, bots: int, seed: int, *, naive: bool = False, stop_share: float = STOP_SHARE,
    limit: float = 3600.0,
) -> dict[str, Any]:  # fmt: skip
    """Run one drill and return its counts.

    Args:
        drill: one of `DRILLS`.
        orders: how many orders all bots place together.
        bots: how many there are.
        seed: of the faults, the kills and the stops.
        naive: whether the bots do it the naive way.
        stop_share: of the sends, before which a bot stops itself.
        limit: seconds after which the drill fails.
    """
    clock, naive_way = DRILLS[drill]
    server = PostgresServer()
    exchange, access = start_exchange(seed)
    names = [[f"{seed}-{bot}-{number}" for number in range(bot, orders, bots)] for bot in range(bots)]
    common = {name: access[name] for name in ("rest", "key", "secret", "passphrase", "policy")}
    common |= {"url": server.url(), "lease": LEASE, "clock": clock, "stop_share": stop_share}
    common["naive"] = naive_way if naive else ""
    began = time.monotonic()
    fleet = Fleet([{**common, "names": some} for some in names], seed)
    try:
        _disturb_until_placed(fleet, server if drill == "server" else None, seed, began + limit)
        fleet.finish()
        seconds = time.monotonic() - began
        time.sleep(2 * WINDOW)  # delayed requests are delivered by then, or never
        found = compare(server.url(), access["rest"], [name for some in names for name in some], fleet)
        return {**found, **fleet.counts, "adopted": fleet.adoptions, "seconds": round(seconds, 1)}
    finally:
        fleet.kill()
        exchange.terminate()
        exchange.communicate()
        server.close()


def _disturb_until_placed(fleet: Fleet, server: PostgresServer | None, seed: int, until: float) -> None:
    dice = random.Random(seed + 1)
    time.sleep(2.0)  # until the bots place orders
    while not fleet.has_placed_all:
        if time.monotonic() > until:
            raise TimeoutError("the bots have not placed every order in time")
        if server is not None and dice.random() < 0.5:
            server.kill()
            time.sleep(dice.uniform(0.0, 1.5 * LEASE))  # some outages are longer than a lease
            server.start()
            fleet.counts["server_kills"] += 1
        else:
            fleet.disturb()
        time.sleep(dice.uniform(0.2, 1.5))  # the bots place orders in real time between two disturbances


def compare(url: str, rest: str, names: list[str], fleet: Fleet) -> dict[str, Any]:
    """Compare the rows with the ledger. Every order counts once, whatever number of keys it took."""
    import psycopg

    with urlopen(Request(rest + "/sandbox/ledger"), timeout=30) as answer:
        executions = {row["clientOid"]: row["executions"] for row in json.load(answer)["orders"]}
    with psycopg.connect(url) as connection:
        query = "SELECT key, state, extract(epoch FROM changed_at)::float8, stamps FROM resilience_writes"
        rows = connection.execute(query).fetchall()
    states = {key: state for key, state, *_ in rows}
    per_order: Counter[str] = Counter()
    for key, times in executions.items():
        per_order[key.rpartition(".")[0]] += times
    for name in (name for name, times in per_order.items() if times > 1):
        keys = sorted(key for key in {*states, *executions} if key.rpartition(".")[0] == name)
        print(f"{name}: {[(key, states.get(key), executions.get(key, 0)) for key in keys]}", file=sys.stderr)
    return {
        "orders": len(names),
        "duplicates": sum(times > 1 for times in per_order.values()),
        "lost": sum(per_order[name] == 0 for name in names),
        "misreported": sum((state == "done") != (executions.get(key, 0) > 0) for key, state in states.items()),
        "open": sum(state == "open" for state in states.values()),
        "unrecorded": len(set(executions) - set(states)),
        **fleet.times({key: (at, stamps) for key, state, at, stamps in rows if state != "open"}),
    }


def main() -> None:
    """Print the counts as a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=2000, metavar="N", help="orders of all bots together (2000)")
    parser.add_argument("--bots", type=int, default=4, metavar="N", help="bots that run side by side (4)")
    parser.add_argument("--drill", nargs="+", choices=DRILLS, default=list(DRILLS), help="which drills (all)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="seed of faults, kills and stops (7)")
    parser.add_argument("--naive", action="store_true", help="do it the naive way")
    options = parser.parse_args()
    print(f"| drill | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}", sep="\n", flush=True)
    for drill in options.drill:
        counts = run(drill, options.orders, options.bots, options.seed, naive=options.naive)
        print(f"| {drill} | {' | '.join(str(counts[name]) for name in COLUMNS)} |", flush=True)


if __name__ == "__main__":
    main()
