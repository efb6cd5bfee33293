"""Batches and uploads that come at the same moment, each by a thread of its own."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client

from artifacts.models import Artifact, LogBatch, Reservation
from tests.artifacts.calls import Runner, entry, files_in, sha256, swept
from tests.artifacts.test_logs import finish

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 6


def at_once(call, number=AT_ONCE):
    """What so many threads get that call it with their number at the same moment."""
    everybody = Barrier(number)

    def one(place):
        try:
            everybody.wait(20)
            return call(place)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@pytest.fixture
def runner():
    return Runner(Client())


def batch(runner, sequence, *messages):
    body = {**runner.me, "stream": "stdout", "sequence": sequence}
    raw = json.dumps(body | {"entries": [entry(message) for message in messages]})
    return Client().post(f"{runner.path}/logs", raw, "application/json").status_code


def test_the_same_batch_at_once_is_kept_once(runner, folder):
    for sequence in range(1, 6):
        assert set(at_once(lambda _, n=sequence: batch(runner, n, f"{n}"))) == {200}

    assert LogBatch.objects.count() == 5
    assert len(swept(folder)) == 5


def test_of_different_batches_of_one_number_one_is_kept(runner, folder):
    for sequence in range(1, 6):
        found = at_once(lambda place, n=sequence: batch(runner, n, f"{place}"))
        assert sorted(found) == [200, *[409] * (AT_ONCE - 1)]

    assert LogBatch.objects.count() == 5
    assert len(swept(folder)) == 5


def test_an_attempt_that_ends_meanwhile_has_whole_batches_or_none(runner, folder):
    def act(place):
        if place == 0:
            return finish(runner)
        return runner_of(place).send("x", stream=("stdout", "stderr")[place % 2]).status_code

    def runner_of(place):
        return Runner(Client(), runner.task)

    assert set(at_once(act)) <= {None, 200, 409}
    assert len(swept(folder)) == LogBatch.objects.count() <= 2


def put(runner, path, content):
    query = "&".join(f"{name}={value}" for name, value in runner.me.items())
    return (
        Client()
        .put(
            f"{runner.path}/artifacts/{path}?{query}",
            content,
            "text/plain",
            headers={"X-Content-SHA256": sha256(content)},
        )
        .status_code
    )


def test_the_same_file_at_once_is_kept_once(runner, folder):
    found = at_once(lambda _: put(runner, "a", b"content"))

    assert set(found) <= {200, 201}
    assert 201 in found
    assert Artifact.objects.count() == 1
    assert len(swept(folder)) == 1


def test_different_files_at_once_leave_one_whole(runner, folder):
    assert set(at_once(lambda place: put(runner, "a", b"%d" % place * 100_000))) == {201}

    [row] = Artifact.objects.all()
    assert swept(folder) == [row.key]
    assert sha256((folder / row.key).read_bytes()) == row.sha256


def test_the_limit_of_all_artifacts_holds_for_those_that_come_at_once(runner, settings, folder):
    settings.ARTIFACTS_MAX_BYTES, settings.ARTIFACTS_MAX_COUNT = 250_000, 10

    found = at_once(lambda place: put(runner, f"a{place}", b"%d" % place * 100_000))

    # 503 while others were on their way that together would have been too large.
    assert set(found) <= {201, 413, 503}
    assert len(swept(folder)) == found.count(201) == len(files_in(folder)) == 2
    assert not Reservation.objects.exists()
