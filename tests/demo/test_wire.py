import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.demo.wire import Refused, Unreachable, Wire


@contextmanager
def answering(*answers):
    """A server that gives these answers, one a request: a status, or nothing at all."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status = left.pop(0)
            if status is None:
                self.close_connection = True
                return
            body = b'{"said": %d}' % status
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("trouble", [503, None], ids=["an error", "no answer"])
def test_a_request_is_sent_again_after_trouble(trouble):
    with answering(trouble, trouble, 200) as url:
        wire = Wire(url)

        assert wire.get("/") == {"said": 200}
        assert wire.interruptions == 2
        wire.connection.close()


def test_what_is_refused_is_not_asked_again():
    with answering(409, 200) as url:
        wire = Wire(url)

        with pytest.raises(Refused, match="409") as refusal:
            wire.get("/")

        assert refusal.value.status == 409
        assert wire.interruptions == 0
        wire.connection.close()


def test_patience_ends():
    with pytest.raises(Unreachable, match=r"GET /health: .*refused"):
        Wire("http://127.0.0.1:1", patience=0).get("/health")
