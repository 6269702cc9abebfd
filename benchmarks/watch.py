"""Lets a real Prometheus watch a bot in trouble, and draws what it has seen.

    python -m benchmarks.watch [--scale N] [--write]

With `--write` the picture of docs/howto/what-to-watch.md is drawn anew. Needs `prometheus` on the PATH.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server

from resilience.telemetry.prometheus import collector

from .incident import Incident
from .incident.scenario import PHASES
from .plot import Chart, Line, picture
from .prometheus_server import PrometheusServer, installed, running_prometheus

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
        RATE.format(label="category", name='resilience_attempts_total{category!="ok"}'),
        (Line("retryable", "amber"), Line("user_fixable", "red")),
    ),
    Chart(
        "breakers: 1 half-open, 2 open",
        "max by (policy) (resilience_breaker_state)",
        (Line("prices", "blue"), Line("orders", "green")),
        top=2,
    ),
    Chart(
        "seconds that the API has asked to wait",
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


def watch(scale: float) -> str:
    """Run the incident and return the picture of it."""
    with ExitStack() as stack:
        incident = stack.enter_context(Incident(scale=scale))
        registry = CollectorRegistry()
        registry.register(collector(incident.policies))
        server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = f"127.0.0.1:{server.server_port}"
        prometheus = stack.enter_context(running_prometheus(target, folder, INTERVAL))
        start = time.time()
        incident.run()
        print("firing:", ", ".join(sorted(prometheus.firing())))
        seconds = time.time() - start
        phases = [(scale * begin, name) for begin, name in _begins()]
        charts = [(chart, *_points(prometheus, chart, start, seconds)) for chart in CHARTS]
        return picture("what-to-watch", TITLE, charts, phases, seconds)


def _begins() -> list[tuple[float, str]]:
    """Return when each phase begins."""
    begins, begin = [], 0.0
    for name, seconds in PHASES:
        begins.append((begin, name))
        begin += seconds
    return begins


def _points(
    prometheus: PrometheusServer, chart: Chart, start: float, seconds: float
) -> tuple[dict[str, list[tuple[float, float]]], list[float]]:
    series = prometheus.history(chart.query, start, start + seconds, INTERVAL)
    band = prometheus.history(chart.band, start, start + seconds, INTERVAL) if chart.band else {}
    return series, [at for points in band.values() for at, _ in points]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=2.0, metavar="N")
    parser.add_argument("--write", action="store_true", help="replace the picture of the docs")
    options = parser.parse_args()
    if not installed():
        sys.exit("Prometheus is not installed: apt-get install prometheus")
    drawn = watch(options.scale)
    if options.write:
        PICTURE.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
