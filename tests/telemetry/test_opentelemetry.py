"""Tests of metrics and traces for OpenTelemetry, by its SDK and the instrumentations of HTTP clients."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from resilience import Policies
from resilience.telemetry.metric_table import METRICS
from resilience.telemetry.opentelemetry import instrument
from resilience.testing import FakeClock
from tests.telemetry.scripted_run import DURATIONS, EXPECTED, answering, new_policies, scripted_run

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider

HTTP = {"p": {"extends": "http", "retry": {"max_attempts": 3, "backoff": {"initial": "10ms", "max": "10ms"}}}}


class Collected:
    """What an SDK has been given.

    Attributes:
        spans: the provider of the tracer.
        meters: the provider of the meter.
    """

    def __init__(self) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.spans, self.meters = TracerProvider(), MeterProvider([self._reader])
        self.spans.add_span_processor(SimpleSpanProcessor(self._exporter))

    def metrics(self) -> dict[str, dict[tuple[str, ...], Any]]:
        """Return the points of our metrics by the values of their attributes."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        ours = [metric for scope in scopes if scope.scope.name == "resilience" for metric in scope.metrics]
        return {metric.name: dict(_points(metric)) for metric in ours}

    def http_requests(self) -> int:
        """Return how many requests the instrumentations of clients have measured."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        others = [metric for scope in scopes if scope.scope.name != "resilience" for metric in scope.metrics]
        return sum(point.count for metric in others if "duration" in metric.name for point in metric.data.data_points)

    def tree(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return the depth, the name and the attributes of each span that has ended, and forget them."""
        spans = sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
        self._exporter.clear()
        parents = {span.context.span_id: span.parent and span.parent.span_id for span in spans}

        def depth(number: Any) -> int:
            return 0 if parents.get(number) is None else 1 + depth(parents[number])

        return [(depth(span.context.span_id), span.name, _details(span)) for span in spans]


def _points(metric: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for point in metric.data.data_points:
        names = METRICS[metric.name].attributes
        assert set(point.attributes) <= {f"resilience.{name}" for name in names}
        value = point.value if hasattr(point, "value") else (point.count, point.sum)
        yield tuple(point.attributes.get(f"resilience.{name}", "") for name in names), value


def _details(span: Any) -> dict[str, Any]:
    details = {name.removeprefix("resilience."): value for name, value in span.attributes.items()}
    return {**details, "status": span.status.status_code.name, "events": [event.name for event in span.events]}


@pytest.fixture
def collected() -> Collected:
    """Return an SDK of its own."""
    return Collected()


def test_exported_counts_match_a_scripted_run_exactly(collected: Collected) -> None:
    """Every number of a collection is what the run has done, and a second collection counts nothing twice."""
    policies = new_policies()
    undo = instrument(policies, collected.spans, collected.meters)
    sockets = scripted_run(policies)
    for _ in range(2):
        metrics = collected.metrics()
        flat = {(name, names): value for name, points in metrics.items() for names, value in points.items()}
        histograms = {key: value for key, value in flat.items() if METRICS[key[0]].kind == "histogram"}
        assert {key: value for key, value in flat.items() if key not in histograms} == EXPECTED
        assert histograms == DURATIONS
    undo()
    assert sockets


def test_a_call_and_each_attempt_have_a_span(collected: Collected) -> None:
    """The attempts are children of the call; what was decided are events of the call."""
    policies = new_policies()
    instrument(policies, collected.spans, collected.meters)
    policies.resilient("read", operation="fetch", idempotent=True)(answering(ConnectionError("secret"), 1))()
    common = {"policy": "read", "operation": "fetch"}
    events = ["resilience.attempt_failed", "resilience.call_recovered"]
    failed = {"http.request.resend_count": 0, "error.type": "ConnectionError", "status": "ERROR", "events": []}
    assert collected.tree() == [
        (0, "fetch", {**common, "outcome": "ok", "attempts": 2, "status": "UNSET", "events": events}),
        (1, "fetch attempt", {**common, **failed}),
        (1, "fetch attempt", {**common, "http.request.resend_count": 1, "status": "UNSET", "events": []}),
    ]


@pytest.mark.parametrize(
    ("outcome", "answer", "attributes"),
    [
        ("failed", ValueError("x"), {"error.type": "ValueError", "category": "fatal", "executed": "maybe"}),
        ("cancelled", KeyboardInterrupt(), {"error.type": "KeyboardInterrupt"}),
    ],
)
def test_a_span_says_how_its_call_has_ended(
    collected: Collected, outcome: str, answer: BaseException, attributes: dict[str, Any]
) -> None:
    """It has the outcome of the metric, and the class of the error without its text."""
    policies = new_policies()
    instrument(policies, collected.spans, collected.meters)
    with pytest.raises(type(answer)):
        policies.resilient("read", operation="fetch", idempotent=True)(answering(answer))()
    _, _, details = collected.tree()[0]
    assert (details["outcome"], details["status"]) == (outcome, "ERROR")
    assert {name: details[name] for name in attributes} == attributes


def test_an_exception_that_steers_the_program_is_no_failure(collected: Collected) -> None:
    """Its spans have no error and no outcome, as the metrics count no call."""
    policies = new_policies()
    instrument(policies, collected.spans, collected.meters)
    with pytest.raises(StopIteration):
        policies.resilient("read", operation="fetch", idempotent=True)(answering(StopIteration()))()
    ends = [(details["status"], details.get("outcome"), "error.type" in details) for _, _, details in collected.tree()]
    assert ends == [("UNSET", None, False)] * 2
    assert set(collected.metrics()["resilience.calls"].values()) == {0}


def test_an_unknown_write_and_a_rejected_call_differ(collected: Collected) -> None:
    """The outcome `unknown` is a write to look up; a rejected call has no attempt."""
    policies = new_policies()
    instrument(policies, collected.spans, collected.meters)
    place = policies.resilient("write", operation="order")(answering(TimeoutError()))
    with pytest.raises(TimeoutError):
        place()
    policies.isolate("write")
    with pytest.raises(Exception, match="isolated"):
        place()
    ends = [(name, details.get("outcome"), details.get("attempts")) for _, name, details in collected.tree()]
    assert ends == [("order", "unknown", 1), ("order attempt", None, None), ("order", "rejected", 0)]


def test_after_undo_nothing_is_exported(collected: Collected) -> None:
    """Calls make no spans, and a collection has no values of these policies; they can be instrumented again."""
    policies = new_policies()
    call = policies.resilient("read", operation="fetch", idempotent=True)(answering(1, 2, 3))
    undo = instrument(policies, collected.spans, collected.meters)
    with pytest.raises(RuntimeError, match="instrumented already"):
        instrument(policies, collected.spans, collected.meters)
    call()
    undo()
    undo()  # harmless
    collected.tree()
    call()
    assert collected.tree() == []
    assert "resilience.calls" not in collected.metrics()
    instrument(policies, collected.spans, collected.meters)
    call()
    assert len(collected.tree()) == 2
    assert collected.metrics()["resilience.calls"]["read", "fetch", "ok"] == 3
    assert collected.metrics()["resilience.call.duration"]["read", "fetch", "ok"][0] == 2  # not that in between


def test_after_a_wrong_provider_it_can_be_done_right(collected: Collected) -> None:
    """A mistake instruments nothing, so the next attempt is not refused."""
    policies = new_policies()
    with pytest.raises(AttributeError):
        instrument(policies, collected)  # not a provider
    instrument(policies, collected.spans, collected.meters)()


def test_a_task_that_outlives_its_call_does_not_write_to_its_span(
    collected: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    """What it decides later belongs to no call; OpenTelemetry would warn of each event of a span that has ended."""
    policies = new_policies()
    instrument(policies, collected.spans, collected.meters)
    tasks = []

    async def isolate_later() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        policies.isolate("write")

    async def work() -> None:
        tasks.append(asyncio.create_task(isolate_later()))

    async def main() -> None:
        await policies.resilient("read", operation="fetch", idempotent=True)(work)()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert [details["events"] for _, _, details in collected.tree()] == [[], []]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.slow
def test_the_global_provider_may_be_set_later() -> None:
    """Policies that are instrumented before and after that are exported together."""
    script = """if True:
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from resilience.telemetry.opentelemetry import instrument
        from tests.telemetry.scripted_run import answering, new_policies
        both, reader = [new_policies(), new_policies()], InMemoryMetricReader()
        instrument(both[0])
        metrics.set_meter_provider(MeterProvider([reader]))
        instrument(both[1])
        for policies in both:
            policies.resilient("read", operation="fetch", idempotent=True)(answering(1))()
        (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
        calls = next(metric for metric in scope.metrics if metric.name == "resilience.calls")
        assert sum(point.value for point in calls.data.data_points) == 2
        """
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("broken", ["on_start", "on_end"])
def test_a_broken_span_processor_does_not_break_a_write(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The order is sent once and its answer is returned; one line for each lost span says so, without the text."""
    processor = SpanProcessor()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(processor, broken, fail)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    policies = new_policies()
    instrument(policies, provider, NoOpMeterProvider())
    assert policies.resilient("write", operation="order")(answering("executed"))() == "executed"
    lost = "a span is lost: a part of OpenTelemetry has raised RuntimeError"
    assert [record.message for record in caplog.records if record.name == "resilience.call"] == [lost, lost]


def test_metrics_alone_make_no_spans(collected: Collected) -> None:
    """With a provider that does nothing, calls are not compiled for traces."""
    policies = new_policies()
    instrument(policies, NoOpTracerProvider(), collected.meters)
    policies.resilient("read", operation="fetch", idempotent=True)(answering(1))()
    assert collected.tree() == []
    assert collected.metrics()["resilience.calls"]["read", "fetch", "ok"] == 1


def test_two_sets_of_policies_are_exported_together(collected: Collected) -> None:
    """One provider has one instrument of each name, which adds them up."""
    both = [new_policies(), new_policies()]
    for policies in both:
        instrument(policies, collected.spans, collected.meters)
        policies.resilient("read", operation="fetch", idempotent=True)(answering(1))()
    assert collected.metrics()["resilience.calls"]["read", "fetch", "ok"] == 2
    assert collected.metrics()["resilience.call.duration"]["read", "fetch", "ok"] == (2, 0.0)


class Service(NamedTuple):
    """A server whose answers alternate between 503 and 200."""

    url: str


@pytest.fixture
def service() -> Iterator[Service]:
    """Return a server on loopback."""
    answers = [503, 200] * 20

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Service(f"http://127.0.0.1:{server.server_port}/orders/1?apiKey=q1w2e3r4t5z6")
        server.shutdown()
        thread.join()


@pytest.fixture
def http_clients(collected: Collected) -> Iterator[None]:
    """Instrument requests, httpx and aiohttp, as a program does at its start."""
    requests = pytest.importorskip("opentelemetry.instrumentation.requests").RequestsInstrumentor()
    httpx = pytest.importorskip("opentelemetry.instrumentation.httpx").HTTPXClientInstrumentor()
    aiohttp = pytest.importorskip("opentelemetry.instrumentation.aiohttp_client").AioHttpClientInstrumentor()
    instrumentors = (requests, httpx, aiohttp)
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=collected.spans, meter_provider=collected.meters)
    yield
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


def by_requests(policies: Policies, url: str) -> None:
    """Send a GET by requests."""
    import requests

    with policies.wrap(requests.Session(), "p") as session:
        assert session.get(url).status_code == 200


def by_httpx(policies: Policies, url: str) -> None:
    """Send a GET by httpx."""
    import httpx

    with policies.wrap(httpx.Client(), "p") as client:
        assert client.get(url).status_code == 200


async def _httpx(policies: Policies, url: str) -> None:
    import httpx

    async with policies.wrap(httpx.AsyncClient(), "p") as client:
        assert (await client.get(url)).status_code == 200


def by_async_httpx(policies: Policies, url: str) -> None:
    """Send a GET by httpx in asyncio."""
    asyncio.run(_httpx(policies, url))


def by_trio(policies: Policies, url: str) -> None:
    """Send a GET by httpx in trio."""
    pytest.importorskip("trio").run(_httpx, policies, url)


def by_aiohttp(policies: Policies, url: str) -> None:
    """Send a GET by aiohttp."""
    import aiohttp

    async def run() -> None:
        async with policies.wrap(aiohttp.ClientSession(), "p") as session, session.get(url) as response:
            assert response.status == 200

    asyncio.run(run())


@pytest.mark.parametrize("get", [by_requests, by_httpx, by_async_httpx, by_trio, by_aiohttp])
@pytest.mark.usefixtures("http_clients")
def test_an_instrumented_client_is_inside_its_attempt(collected: Collected, service: Service, get: Any) -> None:
    """The client's own span is a child of the attempt's, and each request is counted once by each of both."""
    policies = Policies.from_mapping({"policies": HTTP}, log=False)
    instrument(policies, collected.spans, collected.meters)
    get(policies, service.url)
    tree = collected.tree()
    assert [(depth, name) for depth, name, _ in tree] == [
        (0, "get"), (1, "get attempt"), (2, "GET"), (1, "get attempt"), (2, "GET"),
    ]  # fmt: skip
    ours = [details for depth, _, details in tree if depth < 2]
    assert [details.get("http.request.resend_count") for details in ours] == [None, 0, 1]
    assert [details.get("error.type") for details in ours] == [None, "503", None]
    assert "q1w2e3r4t5z6" not in str(ours)
    assert sum(collected.metrics()["resilience.attempts"].values()) == collected.http_requests() == 2


def test_spans_of_concurrent_calls_are_not_mixed_up(collected: Collected) -> None:
    """Each attempt is a child of its own call, whatever else runs in the loop."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": "off"}}}, log=False, clock=FakeClock())
    instrument(policies, collected.spans, collected.meters)

    async def main() -> None:
        async def work() -> None:
            await asyncio.sleep(0)

        calls = [policies.resilient("p", operation=f"call {number}", idempotent=True)(work) for number in range(5)]
        await asyncio.gather(*(call() for call in calls))

    asyncio.run(main())
    spans = [(depth, name) for depth, name, _ in collected.tree()]
    assert sorted(spans) == sorted([(0, f"call {n}") for n in range(5)] + [(1, f"call {n} attempt") for n in range(5)])


@pytest.mark.slow
def test_a_missing_library_is_named() -> None:
    """Without OpenTelemetry's API the error says what to install."""
    script = """if True:
        import sys
        sys.modules["opentelemetry"] = None
        from resilience import Policies
        from resilience.telemetry.opentelemetry import instrument
        try:
            instrument(Policies.builtin())
        except ModuleNotFoundError as error:
            assert "resilience-middleware[otel]" in str(error), error
        """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_are_no_policies_is_refused() -> None:
    """The error says what is expected."""
    with pytest.raises(TypeError, match="expected Policies, got type"):
        instrument(Policies)
