"""Makes ten thousand calls per second while the policy file changes, and checks that none fails and all are counted.

    python -m benchmarks.reload [--seconds N] [--rounds N] [--write]

Threads and tasks call at a steady rate. A watched file is written once per second, alternately in place and by rename,
and every third one is invalid. Afterwards the breaker's window and the quota must have counted every call. Then the
cost is measured: of a single reload, and of calls at full speed with and without a reload per second.
"""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

from .reload_bot import RATE, TASKS, THREADS, new_bot
from .rounds import at_least, at_most, parse_options, report, table, target_table


def run_under_load(seconds: int) -> list[tuple[str, Any]]:
    """Return the figures of a run with reloads, each with its name."""
    with new_bot() as bot, bot.policies.watch():
        took = bot.run(seconds, reloads=True)
        for call in (bot.call, bot.call_rare):
            call()
    calls, rare_calls = sum(bot.calls) + 1, sum(bot.rare_calls) + 1
    busy = bot.policies.pipeline("busy").describe()["breaker"]["settled"]
    rare = bot.policies.pipeline("rare").describe()
    burst = bot.policies.policy("rare").quota[0].burst
    counted = busy["succeeded"] + rare["breaker"]["settled"]["succeeded"]
    return [
        ("calls", calls + 1),
        ("calls per second", calls / took),
        ("files that were loaded", bot.reloads["policy_reloaded"]),
        ("files that were rejected", bot.reloads["policy_rejected"]),
        ("calls that failed", len(bot.errors)),
        ("calls that the breakers' windows have not counted", calls + 1 - counted),
        ("sends that the quota has not counted", rare_calls - (burst - rare["quota"][0]["left"])),
        ("longest call of a thread, ms", 1e3 * max(bot.longest)),
    ]


def reload_times(rounds: int) -> list[float]:
    """Return the seconds of single reloads with changes."""
    spent = []
    with new_bot() as bot:
        for _ in range(20):
            bot.call()
        for turn in range(rounds):
            bot.write(3 * turn + 1 + turn % 2)
            before = time.perf_counter()
            bot.policies.reload()
            spent.append(time.perf_counter() - before)
    return spent


def throughput(seconds: float, *, reloads: bool) -> float:
    """Return the calls per second of threads that call as fast as they can."""
    with new_bot() as bot, bot.policies.watch():
        calls, stop = [0] * THREADS, threading.Event()

        def spin(number: int) -> None:
            done = 0
            while not stop.is_set():
                for _ in range(100):
                    bot.call()
                done += 100
            calls[number] = done

        workers = [threading.Thread(target=spin, args=(number,)) for number in range(THREADS)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for turn in range(2, int(seconds) + 2):
            if reloads:
                bot.write(turn)
            time.sleep(1.0)  # one reload per second
        stop.set()
        for worker in workers:
            worker.join()
        return sum(calls) / (time.perf_counter() - began)


def main() -> None:
    options = parse_options(__doc__, seconds=60, rounds=7)
    figures = dict(run_under_load(options.seconds))
    spent = reload_times(40)
    with_them, without = [], []
    for _ in range(options.rounds):
        without.append(throughput(3, reloads=False))
        with_them.append(throughput(3, reloads=True))
    ratio = statistics.median(rate / other for rate, other in zip(with_them, without, strict=True))
    reloads = figures["files that were loaded"] + figures["files that were rejected"]
    rows = [(what, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}") for what, value in figures.items()]
    rows += [
        ("one reload with changes, ms, median", f"{1e3 * statistics.median(spent):.2f}"),
        ("calls per second at full speed, without reloads", f"{statistics.median(without):,.0f}"),
        ("the same with a reload per second", f"{statistics.median(with_them):,.0f}"),
    ]
    report(
        "reload",
        "Calls while the policy file changes",
        f"{THREADS} threads and {TASKS} tasks for {options.seconds} s; a watched file is written once per second, "
        f"every third time invalid; then {options.rounds} interleaved rounds of {THREADS} threads at full speed.",
        target_table(
            [
                at_least("calls per second in the drill", 0.95 * RATE, figures["calls per second"]),
                at_least("reloads per second in the drill", 0.9, reloads / options.seconds),
                at_most("calls that failed", 0, figures["calls that failed"]),
                at_most("calls not counted", 0, abs(figures["calls that the breakers' windows have not counted"])),
                at_most("sends not counted", 0, abs(figures["sends that the quota has not counted"])),
                at_least("throughput with a reload per second, against none", 0.95, ratio),
            ]
        ),
        table(("what", "measured"), rows),
        write=options.write,
    )


if __name__ == "__main__":
    main()
