"""Logs whose attempt has ended are put together; nobody who reads them notices."""

from itertools import count
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.db.models.functions import Now

from artifacts import joining, reading, removals
from artifacts.exceptions import StoreAway
from artifacts.files import Files
from artifacts.log_answers import NEXT
from artifacts.models import LogBatch, Removal
from artifacts.reading import Place
from artifacts.threads import in_thread
from tasks import retention
from tests.artifacts.calls import Runner, files_in, messages, refusal, swept
from tests.artifacts.test_logs import again, crash, finish
from tests.artifacts.test_reading import at

pytestmark = pytest.mark.django_db


def write(runner, batches=12):
    """Small batches of both streams, whose lines are in turn."""
    for n in range(batches):
        runner.send(at(f"{n:02}.0"), at(f"{n:02}.2"))
        runner.send(at(f"{n:02}.1"), stream="stderr")


@pytest.fixture
def ended(runner):
    """A task that has ended after two attempts."""
    write(runner)
    again(runner)
    write(runner)
    finish(runner)
    return runner


def rest(runner, cursor, limit=5_000):
    """All that comes after the cursor, by pages."""
    found = []
    while True:
        page = runner.log(cursor=cursor, limit=limit)
        found += messages(page)
        if NEXT not in page.headers:
            return found
        cursor = page[NEXT]


def test_a_log_is_the_same_and_in_few_objects(ended, folder):
    before = {stream: messages(ended.log(stream=stream)) for stream in ("", "stdout", "stderr")}

    assert joining.join_all() == 44

    assert len(before[""]) == 72
    assert len(swept(folder)) == 4 == LogBatch.objects.count()
    assert not Removal.objects.exists()
    assert {stream: messages(ended.log(stream=stream)) for stream in before} == before
    assert sum(LogBatch.objects.values_list("lines", flat=True)) == 72


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_cursor_from_before_goes_on_as_it_would_have(ended, folder, limit):
    cursors, cursor, seen = [], "", []
    while len(seen) < 72:
        page = ended.log(cursor=cursor, limit=limit)
        seen += messages(page)
        cursor = page.headers.get(NEXT, "")
        cursors.append((len(seen), cursor))
    joining.join_all()
    swept(folder)

    for number, cursor in filter(all, cursors):
        assert rest(ended, cursor) == seen[number:]
    assert rest(ended, "", limit) == seen


def test_who_reads_meanwhile_has_each_line_once(ended, folder):
    """Its rows were looked up before, and their objects are gone."""
    expected = messages(ended.log())

    async def read():
        lines, pieces = [], reading.pieces(ended.task.pk, reading.STREAMS, Place())
        async for piece in pieces:
            lines += [line.message for line in piece.lines]
            await in_thread(joining.join_all)
            await in_thread(removals.carry_out)
        return lines

    assert async_to_sync(read)() == expected
    assert len(files_in(folder)) == 4


def test_an_attempt_that_goes_on_is_left_alone(runner, folder):
    write(runner)

    assert joining.join_all() == 0
    assert len(swept(folder)) == 24
    again(runner)
    write(runner, 1)
    assert joining.join_all() == 22
    assert len(swept(folder)) == 4
    assert runner.send("more").status_code == 200


def test_again_it_does_nothing(ended, django_assert_num_queries):
    joining.join_all()

    with django_assert_num_queries(1):
        assert joining.join_all() == 0


def test_what_takes_too_long_is_left_to_the_next_pass(ended, folder, monkeypatch):
    before = messages(ended.log())
    monkeypatch.setattr(joining, "MOST", 3)
    passes, saved, ticks = 0, 0, count(step=8)  # time for one object in each pass
    with monkeypatch.context() as patch:
        patch.setattr(joining, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
        while LogBatch.objects.filter(sequence=1, first=None).exists() and passes < 40:
            saved += joining.join_all()
            passes += 1
            assert messages(ended.log()) == before

    assert (passes, saved) == (16, 32)
    assert len(swept(folder)) == 16


def test_what_is_large_enough_stays_alone(runner, folder, monkeypatch):
    monkeypatch.setattr(joining, "LARGE", 2_500)
    for size in (1_900, 10, 10, 2_400, 10, 10, 10):
        runner.send("x" * size)
    finish(runner)
    before = messages(runner.log())

    joining.join_all()

    found = set(LogBatch.objects.values_list("first", "sequence"))
    assert found == {(1, 1), (2, 3), (None, 4), (5, 7)}
    assert messages(runner.log()) == before
    assert len(swept(folder)) == 4


def test_of_a_crash_before_the_rows_the_log_stays_as_it_was(ended, folder, monkeypatch):
    before = messages(ended.log())
    with monkeypatch.context() as patch:
        patch.setattr(joining, "_replace", crash)
        with pytest.raises(LookupError):
            joining.join_all()

    assert messages(ended.log()) == before
    assert len(files_in(folder)) == 49
    Removal.objects.update(due_at=Now())
    assert len(swept(folder)) == 48
    assert joining.join_all() == 44
    assert messages(ended.log()) == before


def test_a_crash_between_two_objects_of_a_stream_is_made_good(runner, folder, monkeypatch):
    monkeypatch.setattr(joining, "MOST", 4)
    write(runner)
    finish(runner)
    before, real, calls = messages(runner.log()), joining._replace, []

    def once(key, group):
        if calls:
            crash()
        calls.append(key)
        real(key, group)

    with monkeypatch.context() as patch:
        patch.setattr(joining, "_replace", once)
        with pytest.raises(LookupError):
            joining.join_all()
    assert messages(runner.log()) == before

    joining.join_all()

    assert messages(runner.log()) == before
    Removal.objects.update(due_at=Now())
    assert len(swept(folder)) == 6


def test_while_the_store_is_away_nothing_changes(ended, folder, monkeypatch):
    before = messages(ended.log())

    async def away(self, key, parts):
        raise StoreAway

    with monkeypatch.context() as patch:
        patch.setattr(Files, "put", away)
        assert joining.join_all() == 0
    assert LogBatch.objects.count() == 48
    assert messages(ended.log()) == before
    assert joining.join_all() == 44


def test_an_object_that_is_gone_holds_up_no_other_log(ended, folder):
    lost = LogBatch.objects.filter(epoch=1, stream="stdout").order_by("id")[3]
    (folder / lost.key).unlink()

    assert joining.join_all() == 33
    assert joining.join_all() == 0
    assert refusal(ended.log()) == (503, "unavailable")
    assert len(messages(ended.log(stream="stderr"))) == 24


def test_a_task_that_is_deleted_meanwhile_leaves_nothing(ended, folder, monkeypatch):
    kept = Runner(ended.client)
    kept.send("kept")
    real = joining._replace

    def late(key, group):
        retention.delete([ended.task.pk])
        real(key, group)

    monkeypatch.setattr(joining, "_replace", late)

    assert joining.join_all() == 0
    assert len(swept(folder)) == 1
    assert messages(kept.log()) == ["kept"]


def test_what_was_left_out_is_still_said(runner, settings, folder):
    settings.LOG_MAX_BYTES = 2_600
    for _ in range(6):
        runner.send("x")
    finish(runner)
    before = messages(runner.log())

    joining.join_all()

    assert messages(runner.log()) == before == [*["x"] * 4, "… 4 bytes were left out"]
    assert len(swept(folder)) == 1
