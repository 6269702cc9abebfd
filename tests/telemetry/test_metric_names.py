"""The metrics that the docs name exist, and the page on them has them all."""

from __future__ import annotations

import re

from resilience.telemetry.metric_table import METRICS
from resilience.telemetry.prometheus import prometheus_name
from tests.docs.page_program import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "howto" / "what-to-watch.md"
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("", "_bucket", "_sum", "_count")}
NAMES = {prometheus_name(metric) + ending for metric in METRICS.values() for ending in ENDINGS[metric.kind]}


def test_metrics_in_the_docs_exist() -> None:
    """A name that is wrong would be a query without an answer."""
    pages = [PAGE, *(DOCS / "strategies").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(resilience_\w+)", page.read_text(encoding="utf-8"))}
    assert named - NAMES == set()


def test_the_page_lists_every_metric_with_its_attributes() -> None:
    """Kind and attributes are those of the table in the code."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `resilience.")]
    listed = {name: row for row in rows for name in re.findall(r"`(resilience\.[\w.]+)`", row.split("|")[1])}
    assert set(listed) == set(METRICS)
    for name, metric in METRICS.items():
        assert metric.kind in listed[name], name
        assert set(metric.attributes) <= set(re.findall(r"`(\w+)`", listed[name].split("|", 2)[2])), name
