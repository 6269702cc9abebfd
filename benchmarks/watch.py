"""Lets a real Prometheus watch a bot in trouble, and draws what it has seen.

    python -m benchmarks.watch [--seconds N] [--write]

With `--write` the picture of docs/howto/what-to-watch.md is drawn anew. Needs `prometheus` on the PATH.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from .plot import Chart, Line, picture
from .prometheus_server import PrometheusServer, installed, running_prometheus
from .watched_bot import play, running_bot

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "what-to-watch.svg"
INTERVAL = 0.25  # seconds between two scrapes
RATE = "sum by ({label}) (rate({name}[2s]))"
CHARTS = (
    Chart(
        "calls per second",
        RATE.format(label="outcome", name="resilience_calls_total"),
        (Line("ok", "green"), Line("failed", "amber"), Line("rejected", "blue"), Line("unknown", "red")),
    ),
    Chart(
        "failed attempts per second",
        RATE.format(label="category", name='resilience_attempts_total{category!="ok",policy="bitget"}'),
        (Line("retryable", "amber"), Line("user_fixable", "red")),
    ),
    Chart(
        "breaker: 1 half-open, 2 open, 3 isolated",
        'max by (policy) (resilience_breaker_state{policy="bitget"})',
        (Line("bitget", "blue", "breaker"),),
        top=3,
    ),
    Chart(
        "seconds to stay away",
        "max by (host) (resilience_hold_seconds)",
        (Line("*", "amber", "hold"),),
    ),
    Chart(
        "writes in doubt, and their alert",
        "sum by (operation) (resilience_writes_in_doubt)",
        (Line("spot_place_order", "red", "in doubt"),),
        band='count(ALERTS{alertname="ResilienceWriteInDoubt", alertstate="firing"})',
    ),
)
TITLE = "Calls, failed attempts, the breaker, a hold and writes in doubt of a bot in trouble, as Prometheus saw them"


def watch(seconds: float) -> str:
    """Run the incident and return the picture of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bot = stack.enter_context(running_bot(folder, None))
        prometheus = stack.enter_context(running_prometheus(bot.target, folder, INTERVAL))
        phases = play(bot, seconds)
        start = phases[0][0]
        print("firing:", ", ".join(sorted(prometheus.firing())))
        return picture(
            "what-to-watch",
            TITLE,
            [(chart, *_points(prometheus, chart, start, seconds)) for chart in CHARTS],
            [(began - start, phase) for began, phase in phases],
            seconds,
        )


def _points(prometheus: PrometheusServer, chart: Chart, start: float, seconds: float) -> tuple[dict, list]:  # type: ignore[type-arg]
    series = prometheus.history(chart.query, start, start + seconds, INTERVAL)
    band = prometheus.history(chart.band, start, start + seconds, INTERVAL) if chart.band else {}
    return series, [at for points in band.values() for at, _ in points]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=42.0, metavar="N")
    parser.add_argument("--write", action="store_true", help="replace the picture of the docs")
    options = parser.parse_args()
    if not installed():
        sys.exit("Prometheus is not installed: apt-get install prometheus")
    drawn = watch(options.seconds)
    if options.write:
        PICTURE.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
