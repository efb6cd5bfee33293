"""What monitoring finds wrong: answers that are not ok, are none, or count backwards."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from gate.monitoring import FEWEST, METRICS, PROBES, Monitoring

OK = (200, '{"ok": true}')
COUNTED = "cogo_jobs_queued_total {}\n"


@pytest.fixture
def answers():
    """The status and the body at each path."""
    return dict.fromkeys(PROBES, OK) | {METRICS: (200, COUNTED.format(3))}


@pytest.fixture
def monitoring(answers):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *parts):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Monitoring(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def look(monitoring, times=FEWEST):
    for _ in range(times):
        monitoring.look()


def test_what_is_well_is_ok_once_it_was_asked_often_enough(monitoring):
    look(monitoring, FEWEST - 1)
    assert monitoring.report()["ok"] is False

    look(monitoring, 1)
    assert monitoring.report()["ok"] is True


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/readyz", (503, "")),
        ("/api/metrics/health", (200, '{"ok": false}')),
        ("/api/metrics/summary", (200, "no JSON")),
        ("/api/metrics/summary", (200, "[]")),
        (METRICS, (500, "")),
        (METRICS, (200, COUNTED.format(2))),
        (METRICS, (200, "another 1\n")),
    ],
)
def test_what_is_not_is_a_problem_that_is_named(monitoring, answers, path, answer):
    look(monitoring)
    answers[path] = answer

    look(monitoring, 1)

    report = monitoring.report()
    assert report["ok"] is False
    assert len(report["problems"]) == 1
    assert path in report["problems"][0] or "cogo_jobs_queued_total" in report["problems"][0]
