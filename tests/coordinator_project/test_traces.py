"""Traces: what a task belongs to, and the spans that a collector gets from a coordinator."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from coordinator_project import env
from tasks.models import Task
from tests.coordinator_project.running import eventually, running
from tests.factories import make_channel

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
UNKNOWN = "01234567-89ab-7def-8123-456789abcdef"
SETTINGS = {
    "COORDINATOR_TRACES": "yes",
    "COORDINATOR_PROCESSES": "1",
    "COORDINATOR_GRACE_SECONDS": "1",
    "COORDINATOR_TASK_REAPER_SECONDS": "1",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
}


class Collector:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self):
        self.spans = []
        self.services = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *parts):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request):
        for resource in request.resource_spans:
            named = attributes(resource.resource)
            self.services.add(named["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(of):
    values = ((one.key, one.value) for one in of.attributes)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values}


def seconds(span):
    return (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


@pytest.fixture
def collector():
    one = Collector()
    yield one
    one.close()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/tasks", {"title": "t", "channel": "demo"}),
        ("/api/collab/task.assign", {"type": "x", "executorId": "demo", "payload": {}}),
        ("/api/v1/jobs", {"name": "n", "source_type": "none", "job_command": "true"}),
    ],
)
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (TRACEPARENT, TRACEPARENT),
        ("", ""),
        (TRACEPARENT + "-more", ""),
        (TRACEPARENT.upper(), ""),
        (f"00-{'0' * 32}-{PARENT}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        ("<script>", ""),
    ],
)
def test_a_task_keeps_the_traceparent_of_the_request_that_made_it(client, path, body, given, kept):
    make_channel("demo")

    answer = client.post(path, body, "application/json", headers={"traceparent": given})

    assert answer.status_code < 300, answer.content
    assert [task.trace for task in Task.objects.all()] == [kept]


@pytest.mark.django_db
def test_the_trace_that_a_task_names_itself_is_kept(client):
    make_channel("demo")
    body = [{"title": "a", "channel": "demo", "trace": "mine"}, {"title": "b", "channel": "demo"}]

    answer = client.post(
        "/v1/tasks", body, "application/json", headers={"traceparent": TRACEPARENT}
    )

    assert [task["trace"] for task in answer.json()["tasks"]] == ["mine", TRACEPARENT]


def test_traces_without_opentelemetry_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setenv("COORDINATOR_TRACES", "yes")
    monkeypatch.setattr(env, "TELEMETRY", "no_such_package.at_all")

    with pytest.raises(ImproperlyConfigured, match="requirements-otel"):
        env.traces("COORDINATOR_TRACES")


@pytest.fixture
def worked(used_folder, collector):
    """A coordinator that has stopped, what came of three tasks, and what a collector got."""
    settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with running(used_folder, **settings) as coordinator:
        url = coordinator.ready().url
        with httpx.Client(base_url=url, headers={"traceparent": TRACEPARENT}) as http:
            http.post("/v1/channels", json={"name": "demo"}).raise_for_status()
            for title in ("done", "failed", "left"):
                http.post("/v1/tasks", json={"title": title, "channel": "demo", "max_attempts": 1})
        with httpx.Client(base_url=url) as http:
            done = claimed(http)
            time.sleep(0.3)
            report(http, done, "complete", result={"secret": "s3cret"})
            report(http, claimed(http), "fail", reason="s3cret")
            left = claimed(http, lease_seconds=1)
            http.get("/v1/tasks?token=s3cret&status=nonsense")
            http.get("/health")
            eventually(lambda: len(collector.named("run demo")) == 3, 20)
            http.get(f"/v1/tasks/{UNKNOWN}")
        assert coordinator.end() == 0
        assert "Traceback" not in coordinator.output
    return SimpleNamespace(collector=collector, done=done, left=left)


def claimed(http, **more):
    asked = {"agent_id": "worker", "channel": "demo", "max_tasks": 1, **more}
    return http.post("/v1/tasks/claim", json=asked).raise_for_status().json()["tasks"][0]


def report(http, task, verb, **more):
    body = {"task_id": task["id"], "agent_id": "worker", **more}
    http.post(f"/v1/tasks/{verb}", json=body).raise_for_status()


def test_a_trace_has_the_request_the_wait_and_the_run_of_its_tasks(worked):
    found = worked.collector
    made = found.named("POST /v1/tasks")
    waits, runs = found.named("wait demo"), found.named("run demo")

    assert found.services == {"coordinator"}
    assert {span.trace_id.hex() for span in made} == {TRACE}
    assert {span.parent_span_id.hex() for span in made} == {PARENT}
    assert {span.kind for span in made} == {Span.SPAN_KIND_SERVER}
    for spans in (waits, runs):
        assert {span.trace_id.hex() for span in spans} == {TRACE}
        assert {span.parent_span_id for span in spans} == {span.span_id for span in made}
        assert len(spans) == 3
    assert worked.done["trace"].startswith(f"00-{TRACE}-")
    ended = {attributes(span)["coordinator.task.id"]: span for span in runs}
    done = ended.pop(worked.done["id"])
    assert 0.3 <= seconds(done) < 5
    assert done.status.code == Status.STATUS_CODE_UNSET
    assert attributes(done)["coordinator.task.status"] == "done"
    assert attributes(done)["coordinator.agent.id"] == "worker"
    assert attributes(done)["coordinator.lease_epoch"] == 1
    left = ended.pop(worked.left["id"])
    assert attributes(left)["coordinator.task.reason"] == "lease_expired"
    assert seconds(left) >= 1
    [failed] = ended.values()
    assert {failed.status.code, left.status.code} == {Status.STATUS_CODE_ERROR}
    # A request without a trace begins one of its own, and what was not sent is sent at the end.
    [last] = found.named("GET /v1/tasks/<uuid:task_id>")
    assert not last.parent_span_id
    assert attributes(last)["http.response.status_code"] == 404
    assert not found.named("GET /health")
    assert not any("s3cret" in str(span) for span in found.spans)


def test_a_collector_that_is_not_there_costs_nothing_but_the_spans(used_folder):
    settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with running(used_folder, **settings) as coordinator:
        with httpx.Client(base_url=coordinator.ready().url) as http:
            http.post("/v1/channels", json={"name": "demo"}).raise_for_status()
            http.post("/v1/tasks", json={"title": "t", "channel": "demo"}).raise_for_status()
            report(http, claimed(http), "complete")
        begun = time.monotonic()
        assert coordinator.end() == 0
    assert time.monotonic() - begun < 6
