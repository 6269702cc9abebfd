"""Measures the cost of failing calls, the objects that they keep alive, and the speed of an open breaker's rejections.

python -m benchmarks.failure [--rounds N] [--write]
"""

from __future__ import annotations

import gc

from .failing_calls import OURS, Flaky, Fn, rejecting, retrying, swallow
from .rounds import at_most, parse_options, report, sync_rounds, table, target_table


def leaked_objects(call: Fn, calls: int = 100) -> float:
    """Return the number of objects per call that only the garbage collector can free."""
    for _ in range(10):
        call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(calls):
            call()
        return gc.collect() / calls
    finally:
        gc.enable()


def main() -> None:
    options = parse_options(__doc__, rounds=100)
    makers = dict(retrying())
    recovers = {name: swallow(make(Flaky(always=False))) for name, make in makers.items()}
    gives_up = {name: swallow(make(Flaky(always=True))) for name, make in makers.items()}
    rejects = {name: swallow(call) for name, call in rejecting()}
    for call in rejects.values():
        call()  # the first failure opens the breaker
    left = {name: (leaked_objects(recovers[name]), leaked_objects(gives_up[name])) for name in makers}
    up, down = (sync_rounds(rows, rounds=options.rounds) for rows in (recovers, gives_up))
    rejections = sync_rounds(rejects, rounds=options.rounds)
    report(
        "failure",
        "Failing calls",
        "One call with two attempts and no wait between them; the caller catches the error. Kept: objects per call "
        f"that only the garbage collector frees. {options.rounds} interleaved rounds, the collector off.",
        "## Targets and measured figures\n\n"
        + target_table(
            [
                *(
                    at_most(f"rejection by an open breaker, against {peer}", limit, rejections[OURS].ratio(times))
                    for peer, limit in (("pybreaker", 0.4), ("circuitbreaker", 1.0))
                    if (times := rejections.get(peer)) is not None
                ),
                at_most("objects kept by a failing call", 0, left[OURS][1]),
                at_most("objects kept by a call that recovers", 0, left[OURS][0]),
            ]
        ),
        "## A failing call\n\n"
        + table(
            ("", "recovers, ns", "ours / this", "gives up, ns", "ours / this", "kept, recovers", "kept, gives up"),
            [
                (
                    name,
                    f"{up[name].minimum:,.0f}",
                    f"{up[OURS].ratio(up[name]):.2f}",
                    f"{down[name].minimum:,.0f}",
                    f"{down[OURS].ratio(down[name]):.2f}",
                    f"{left[name][0]:g}",
                    f"{left[name][1]:g}",
                )
                for name in sorted(makers, key=lambda row: down[row].minimum)
            ],
        ),
        "## A rejection by an open breaker\n\n"
        + table(
            ("", "minimum, ns", "median, ns", "ours / this"),
            [
                (name, f"{times.minimum:,.0f}", f"{times.median:,.0f}", f"{rejections[OURS].ratio(times):.2f}")
                for name, times in sorted(rejections.items(), key=lambda item: item[1].minimum)
            ],
        ),
        write=options.write,
        by_version=True,
    )


if __name__ == "__main__":
    main()
