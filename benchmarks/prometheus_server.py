"""Runs a real Prometheus that scrapes one program with the shipped alert rules, and asks it questions."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resilience.cli import main as resilience

__all__ = ["PrometheusServer", "installed", "running_prometheus"]

CONFIG = """
global: {{scrape_interval: {interval}, evaluation_interval: {interval}, scrape_timeout: {interval}}}
rule_files: [prometheus-alerts.yml]
scrape_configs:
  - job_name: bot
    static_configs: [{{targets: ["{target}"]}}]
"""
ARGUMENTS = (
    "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.retention.time=1d", "--log.level=warn",
    "--web.listen-address=127.0.0.1:{port}", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
)  # fmt: skip


class PrometheusServer:
    """A Prometheus that runs.

    Attributes:
        url: where it answers.
        rate_interval: what stands for `$__rate_interval` of Grafana.
    """

    def __init__(self, url: str, interval: float) -> None:
        self.url = url
        self.rate_interval = f"{int(interval * 8000)}ms"

    def ask(self, path: str, **parameters: object) -> Any:
        """Return the data of an answer of the API."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as response:
            return json.load(response)["data"]

    def values(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the present value of each series of a query, by its labels."""
        rows = self.ask("query", query=self.filled(query))["result"]
        return {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in rows}

    def history(self, query: str, start: float, end: float, step: float) -> dict[str, list[tuple[float, float]]]:
        """Return the points of each series of a query between two instants, by the values of its labels."""
        rows = self.ask("query_range", query=self.filled(query), start=start, end=end, step=step)["result"]
        return {
            " ".join(row["metric"].values()): [(float(at) - start, float(value)) for at, value in row["values"]]
            for row in rows
        }

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def filled(self, query: str) -> str:
        """Return a query of the dashboard with the values that Grafana would fill in."""
        return re.sub(r"\$__rate_interval", self.rate_interval, query).replace("$job", ".*")


def installed() -> bool:
    """Return whether Prometheus is there."""
    return shutil.which("prometheus") is not None


@contextmanager
def running_prometheus(target: str, folder: Path, interval: float) -> Iterator[PrometheusServer]:
    """Run a Prometheus that scrapes a target, until the block ends. It has scraped once when the block begins.

    Args:
        target: host and port.
        folder: where its files go.
        interval: seconds between two scrapes.
    """
    assert resilience(["dashboards", str(folder)]) == 0
    config = CONFIG.format(interval=f"{int(interval * 1000)}ms", target=target)
    (folder / "prometheus.yml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [argument.format(port=port) for argument in ARGUMENTS]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(["prometheus", *arguments], cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            server = PrometheusServer(f"http://127.0.0.1:{port}", interval)
            _wait_until_scraped(server, process)
            yield server
        finally:
            process.terminate()


def _wait_until_scraped(server: PrometheusServer, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if 1.0 in server.values("up").values():
                return
        except OSError:
            pass  # it does not answer yet
        time.sleep(0.1)
    raise RuntimeError("Prometheus did not start")
