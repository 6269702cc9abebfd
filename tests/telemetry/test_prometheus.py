"""Tests of the collector for Prometheus: what a scrape over HTTP shows is what has happened."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies
from resilience.telemetry.metric_table import METRICS
from resilience.telemetry.prometheus import MetricsCollector, collector, prometheus_name
from resilience.testing import FakeClock
from tests.telemetry.scripted_run import DURATIONS, EXPECTED, Socket, answering, new_policies, scripted_run

prometheus_client = pytest.importorskip("prometheus_client")
BY_NAME = {prometheus_name(metric): metric for metric in METRICS.values()}


@pytest.fixture
def registry() -> Any:
    """Return a registry of its own, without the metrics of the process."""
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def scrape(registry: Any) -> Iterator[Any]:
    """Return a function that scrapes the registry over HTTP, as text."""
    server, thread = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    yield lambda: urllib.request.urlopen(url, timeout=30).read().decode()
    server.shutdown()
    thread.join()
    server.server_close()


def families_of(text: str) -> dict[str, Any]:
    """Return what a scrape shows, by the names of the metrics."""
    from prometheus_client.parser import text_string_to_metric_families

    return {family.name: family for family in text_string_to_metric_families(text)}


def test_a_scrape_matches_a_scripted_run_exactly(registry: Any, scrape: Any) -> None:
    """Every number of a scrape is what the run has done, and nothing else is in it."""
    policies = new_policies()
    registry.register(collector(policies))
    sockets = scripted_run(policies)
    numbers, durations = {}, dict[Any, Any]()
    for name, family in families_of(scrape()).items():
        metric = BY_NAME[name]
        assert family.documentation == metric.about
        for sample in family.samples:
            key = metric.name, tuple(sample.labels.get(attribute, "") for attribute in metric.attributes)
            if metric.kind != "histogram":
                numbers[key] = sample.value
            elif not sample.name.endswith("_bucket"):
                durations.setdefault(key, []).append(sample.value)
    assert numbers == EXPECTED
    assert {key: tuple(pair) for key, pair in durations.items()} == DURATIONS
    assert sockets


def test_buckets_say_how_long_calls_took(registry: Any, scrape: Any) -> None:
    """A bucket counts the calls that took no longer than its bound, a wait for a retry included."""
    policies = new_policies()
    registry.register(collector(policies))
    fetch = policies.resilient("read", operation="fetch", idempotent=True)
    fetch(answering(ConnectionError(), 1))()
    fetch(answering(1))()
    family = families_of(scrape())["resilience_call_duration_seconds"]
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert (buckets["0.005"], buckets["0.5"], buckets["1.0"], buckets["+Inf"]) == (1, 1, 2, 2)


def _calls_of(exported: MetricsCollector) -> dict[str, float]:
    family = next(family for family in exported.collect() if family.name == "resilience_calls")
    return {s.labels["operation"]: s.value for s in family.samples if s.labels["outcome"] == "ok"}


def test_a_secret_in_a_name_is_redacted() -> None:
    """An operation that was named after a URL with credentials does not show them."""
    policies = new_policies()
    exported = collector(policies)
    policies.resilient("write", operation="https://me:hunter2@api.example.com/x?apiKey=q1w2e3r4t5z6")(answering(1))()
    (name,) = _calls_of(exported)
    assert "hunter2" not in name
    assert "q1w2e3r4t5z6" not in name


def test_a_second_collector_is_refused_by_the_registry(registry: Any) -> None:
    """Two with the same names would make a scrape that Prometheus rejects."""
    registry.register(collector(new_policies()))
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(collector(new_policies()))


def test_after_close_no_call_is_measured() -> None:
    """Counters go on, because they are kept anyway; the histogram stands still."""
    policies = new_policies()
    exported = collector(policies)
    call = policies.resilient("write", operation="x")(answering(1, 2))
    call()
    exported.close()
    call()
    families = {family.name: family for family in exported.collect()}
    counts = [s.value for s in families["resilience_call_duration_seconds"].samples if s.name.endswith("_count")]
    assert (counts, _calls_of(exported)) == ([1], {"x": 2})


def test_an_isolated_policy_is_shown_where_it_has_no_breaker() -> None:
    """The kill switch is state 3 of the policy, whether it has a breaker or not."""
    policies = new_policies()
    exported = collector(policies)
    policies.isolate("write")
    family = next(family for family in exported.collect() if family.name == "resilience_breaker_state")
    assert [(s.labels, s.value) for s in family.samples] == [({"policy": "write", "key": "write"}, 3)]


def test_a_name_that_no_exporter_can_encode_does_not_end_the_scrape(registry: Any, scrape: Any) -> None:
    """Half a character is escaped, and so are line breaks and quotes."""
    policies = new_policies()
    registry.register(collector(policies))
    policies.resilient("write", operation='a\udc80"\n\\b')(answering(1))()
    samples = families_of(scrape())["resilience_calls"].samples
    assert {sample.labels["operation"] for sample in samples} == {'a\\udc80"\n\\b'}


def test_a_counter_keeps_what_has_been_counted_by_what_is_gone() -> None:
    """A second client of a stream goes on where the first one has ended, and does not begin at 0."""
    policies = new_policies()
    exported = collector(policies)

    def reconnects() -> list[float]:
        family = next(family for family in exported.collect() if family.name == "resilience_stream_reconnects")
        return [sample.value for sample in family.samples]

    seen = []
    for client in (Socket("live", 3), Socket("live", 4)):
        policies.register_stream(client)
        seen.append(reconnects())
        del client
        gc.collect()
        seen.append(reconnects())
    assert seen == [[3], [3], [7], [7]]


def test_a_breaker_that_a_reload_takes_away_is_not_open_for_ever(tmp_path: Path) -> None:
    """No call goes through it any more, so nothing would close it: no alert, and the policy is healthy."""
    file, breaker = tmp_path / "policies.yaml", "{consecutive: 1, open_for: 10s}"
    text = "version: 1\npolicies: {p: {retry: off, breaker: %s}}"
    file.write_text(text % breaker)
    policies = Policies.load(file, log=False, clock=FakeClock())
    exported = collector(policies)

    def shown() -> tuple[bool, list[float], float]:
        families = {family.name: family.samples for family in exported.collect()}
        opened = next(s.value for s in families["resilience_breaker_transitions"] if s.labels["to"] == "open")
        states = [sample.value for sample in families.get("resilience_breaker_state", ())]
        return policies.snapshot()["healthy"], states, opened

    call = policies.resilient("p", operation="x", idempotent=True)(answering(ConnectionError(), 1))
    with pytest.raises(ConnectionError):
        call()
    seen = [shown()]
    for setting in ("off", breaker):
        file.write_text(text % setting)
        policies.reload()
        seen.append(shown())
    assert seen == [(False, [2], 1), (True, [], 1), (False, [2], 1)]


def test_quotas_keep_their_names_when_another_one_is_used() -> None:
    """A quota is made at its first use, and those of equal rates are told apart by what they are for."""
    quotas = [{"rate": "10/s", "burst": 10, "operations": [name]} for name in ("a", "b")]
    policies = Policies.from_mapping({"policies": {"p": {"quota": quotas}}}, log=False)
    exported = collector(policies)
    seen = []
    for name in ("a", "b"):
        policies.resilient("p", operation=name)(answering(1))()
        family = next(family for family in exported.collect() if family.name == "resilience_quota_limit")
        seen.append(sorted((s.labels["quota"], s.value) for s in family.samples))
    first, second = ("p 10 per 1s for a", 10), ("p 10 per 1s for b", 10)
    assert seen == [[first], [first, second]]


def test_two_quotas_of_one_policy_have_names_of_their_own() -> None:
    """Quotas without names are exported with their rates, so that no two series are the same."""
    quotas = [{"rate": "10/s", "burst": 10}, {"rate": "600/m", "burst": 100}]
    policies = Policies.from_mapping({"policies": {"p": {"quota": quotas}}}, log=False)
    exported = collector(policies)
    policies.resilient("p")(answering(1))()
    family = next(family for family in exported.collect() if family.name == "resilience_quota_limit")
    assert {s.labels["quota"]: s.value for s in family.samples} == {"p 10 per 1s": 10, "p 100 per 10s": 100}


def test_what_are_no_policies_is_refused() -> None:
    """The error says what is expected."""
    with pytest.raises(TypeError, match="expected Policies, got dict"):
        collector({})


@pytest.mark.slow
def test_a_missing_library_is_named() -> None:
    """Without prometheus_client the error says what to install."""
    script = """if True:
        import sys
        sys.modules["prometheus_client"] = None
        from resilience import Policies
        from resilience.telemetry.prometheus import collector
        try:
            collector(Policies.builtin())
        except ModuleNotFoundError as error:
            assert "resilience-middleware[prometheus]" in str(error), error
        """
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_from_its_parents_counts() -> None:
    """Each process counts for itself; a child begins with what its parent had counted."""
    policies = new_policies()
    exported = collector(policies)
    call = policies.resilient("write", operation="x")(answering(1, 2, 3))
    call()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        call()
        os.write(write, str(_calls_of(exported)["x"]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert (os.read(read, 10), _calls_of(exported)) == (b"2", {"x": 1})
    os.close(read)
    os.close(write)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_finds_nothing_to_improve(registry: Any, scrape: Any) -> None:
    """Names, units and help texts are as Prometheus wants them."""
    policies = new_policies()
    registry.register(collector(policies))
    sockets = scripted_run(policies)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape(), text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert sockets
