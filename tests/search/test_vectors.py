"""Vectors, with and without pgvector, and who makes them."""

import http.server
import json
import math
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection

from search import embedders, finding, vectors
from search.exceptions import EmbedderFailed
from search.models import Chunk, Kind
from search.querysets import Scope
from search.remote import RemoteEmbedder
from tests.search.trees import look

ASK = """
import django
django.setup()
from search.embedders import HashingEmbedder
print(HashingEmbedder().embed(["claim a task", "Задача"]))
"""


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def embed(*texts):
    return embedders.HashingEmbedder().embed(texts)


def test_kindred_words_are_nearer():
    claim, claims, other = embed("claiming tasks", "claim a task", "delete the database")

    assert cosine(claim, claims) > 0.4 > 0.2 > abs(cosine(claim, other))
    assert all(math.isclose(cosine(one, one), 1, abs_tol=1e-4) for one in (claim, other))


def test_what_has_no_words_has_no_direction():
    assert embed("", "!?", "the of and") == [[0.0] * 256] * 3


def test_vectors_are_the_same_in_every_process(settings):
    # The default hash of Python differs from process to process.
    told = {
        subprocess.run(
            [sys.executable, "-c", ASK],
            env={
                "PYTHONHASHSEED": seed,
                "DJANGO_SETTINGS_MODULE": "coordinator_project.settings",
                "COORDINATOR_DATABASE_URL": "postgres://x@127.0.0.1:1/x",
                "SECRET_KEY": "abcdefgh" * 8,
            },
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert told == {f"{embed('claim a task', 'Задача')}\n"}


@pytest.fixture
def without_pgvector(db):
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION IF EXISTS vector CASCADE")
    vectors.are_there.forget()
    yield
    vectors.are_there.forget()


def test_without_pgvector_words_decide_alone(without_pgvector, tree, monkeypatch):
    monkeypatch.setattr(vectors, "AVAILABLE", "SELECT '0.5' WHERE true")
    tree("a.md", "# Backup\n\nDump it.\n")

    look()
    found = finding.search("backup", Kind.DOCS, Scope())

    assert Chunk.objects.get().embedding is None
    assert (found.embedder, [hit.path for hit in found.hits]) == ("none", ["a.md"])
    assert found.hits[0].rank.vector is None


def test_once_pgvector_is_there_it_is_used(without_pgvector, tree, monkeypatch):
    with monkeypatch.context() as away:
        away.setattr(vectors, "AVAILABLE", "SELECT '0.8' WHERE false")
        tree("a.md", "# Backup\n\nDump it.\n")
        look()

    look()

    found = finding.search("backup", Kind.DOCS, Scope())
    assert found.embedder == "hashing-1"
    assert found.hits[0].rank.vector == 1.0


@pytest.mark.django_db
def test_the_nearest_are_found_by_the_index(tree):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [NAME])
        [row] = cursor.fetchall()

    assert "USING hnsw" in row[0]
    assert vectors.install(256)


NAME = "search_vectors_of_docs_256"


@pytest.mark.django_db
def test_words_that_are_spelled_otherwise_are_near(tree):
    tree("a.md", "# Authentication\n\nWho is let in.\n")
    tree("b.md", "# Partitions\n\nBy month.\n")
    look()

    found = finding.search("authentikation", Kind.DOCS, Scope())

    assert found.hits[0].path == "a.md"


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers as the test says; keeps what it was asked."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization"), asked))
        status, body = self.server.answer(asked)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        pass


@contextmanager
def serving(answer):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.answer, server.asked = answer, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def of(server, **given):
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    return RemoteEmbedder(**{"url": url, "model": "m", "dimensions": 2, "key": "sesame"} | given)


def vectors_of(asked):
    rows = [{"index": n, "embedding": [3.0, 4.0 + n]} for n, _ in enumerate(asked["input"])]
    return 200, {"data": rows[::-1]}


def test_an_embedder_elsewhere_is_asked_over_http():
    with serving(vectors_of) as server:
        found = of(server).embed(["one", "two"])

    assert found == [[0.6, 0.8], [0.514496, 0.857493]]
    assert server.asked == [
        ("/v1/embeddings", "Bearer sesame", {"model": "m", "input": ["one", "two"]})
    ]


def test_many_texts_are_sent_in_parts():
    with serving(vectors_of) as server:
        assert len(of(server).embed(["x"] * 130)) == 130

    assert [len(asked["input"]) for _, _, asked in server.asked] == [64, 64, 2]


WRONG = {
    "an error": (500, {"error": "sesame"}),
    "no JSON": (200, b"<html>"),
    "no vectors": (200, {"data": [{"index": 0}]}),
    "too few": (200, {"data": []}),
    "other dimensions": (200, {"data": [{"index": 0, "embedding": [1.0, 2.0, 3.0]}]}),
    "no numbers": (200, {"data": [{"index": 0, "embedding": [1.0, float("nan")]}]}),
    "a list": (200, []),
    "a number too large": (
        200,
        b'{"data": [{"index": 0, "embedding": [1, 1' + b"0" * 400 + b"]}]}",
    ),
    "much within much": (200, b"[" * 100_000),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_is_refused_without_the_key(kind):
    with serving(lambda asked: WRONG[kind]) as server, pytest.raises(EmbedderFailed) as failed:
        of(server).embed(["one"])

    assert "sesame" not in str(failed.value)


def test_an_embedder_that_does_not_answer_fails():
    with serving(vectors_of) as server:
        embedder = of(server)

    with pytest.raises(EmbedderFailed):
        embedder.embed(["one"])


@pytest.mark.django_db
def test_a_search_goes_on_by_words_where_the_embedder_is_away(tree, settings, monkeypatch):
    tree("a.md", "# Backup\n\nDump it.\n")
    look()
    with serving(vectors_of) as server:
        gone = of(server)
    monkeypatch.setattr(embedders, "current", lambda: gone)

    found = finding.search("backup", Kind.DOCS, Scope())

    assert (found.embedder, found.hits[0].path) == ("none", "a.md")


@pytest.mark.django_db
def test_what_is_far_is_not_found_though_nothing_is_nearer(tree):
    tree("a.md", "# Partitions\n\nBy month.\n")
    look()

    assert finding.search("frobnicate", Kind.DOCS, Scope()).hits == []


def test_a_role_that_may_not_make_the_extension_goes_without(without_pgvector):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE search_tests_plain")
        cursor.execute("SET LOCAL ROLE search_tests_plain")
        installed = vectors.install(256)
        cursor.execute("RESET ROLE")

    assert installed is False
    assert vectors.are_there() is False


@pytest.mark.django_db
def test_an_embedder_that_is_away_is_not_asked_by_every_search(tree, monkeypatch):
    tree("a.md", "# Backup\n\nDump it.\n")
    look()
    with serving(lambda asked: (500, {})) as server:
        away = of(server)
        monkeypatch.setattr(embedders, "current", lambda: away)

        for _ in range(3):
            assert finding.search("backup", Kind.DOCS, Scope()).embedder == "none"

        assert len(server.asked) == 1
        monkeypatch.setattr(finding.is_away, "until", 0.0)
        finding.search("backup", Kind.DOCS, Scope())
        assert len(server.asked) == 2


def test_an_answer_that_trickles_is_not_waited_for(monkeypatch):
    def trickle(self):
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b" ")
            time.sleep(0.1)

    monkeypatch.setattr(Endpoint, "do_POST", trickle)
    started = time.monotonic()
    with serving(None) as server:
        server.handle_error = lambda *args: None  # it is left while it writes
        with pytest.raises(EmbedderFailed):
            of(server, timeout=0.5).embed(["one"])

    assert time.monotonic() - started < 8


def test_an_older_pgvector_is_left_alone(without_pgvector, monkeypatch):
    """Its index ends before it has found what may be shown, and it refuses the setting for that."""
    monkeypatch.setattr(vectors, "AVAILABLE", "SELECT '0.7.4' WHERE true")

    assert vectors.install(256) is False
