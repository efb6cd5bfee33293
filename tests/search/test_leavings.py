"""What tasks have left is found once they have ended, by those who may see the task."""

import pytest
from django.db import connection
from django.test import Client

from artifacts import joining, removals
from artifacts.exceptions import StoreAway
from artifacts.models import Artifact, LogBatch, Removal
from search import finding, leavings, work
from search.models import Chunk, File, Kind, Source
from search.querysets import Scope
from tasks.models import Task
from tests.artifacts.calls import Runner
from tests.factories import fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def runner():
    return Runner(Client())


def end(runner):
    me = {**runner.me, "task_id": str(runner.task.pk)}
    answer = runner.client.post("/v1/tasks/complete", me, content_type="application/json")
    assert answer.status_code == 200
    assert fresh(runner.task).status == "done"


def run():
    done = leavings.index_leavings()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return done


def found(words, source):
    return [hit.path for hit in finding.search(words, Kind.DOCS, Scope([source])).hits]


def test_a_log_is_found_once_its_task_has_ended(runner):
    runner.send("compiling", "warning: unused variable frobnicate")
    runner.send("error: missing semicolon", stream="stderr")

    assert run() == 0
    end(runner)
    assert run() == 1
    assert run() == 0
    assert found("frobnicate semicolon", Source.LOG) == [f"tasks/{runner.task.pk}/log"]


def test_text_that_was_left_is_found(runner):
    assert runner.put("report/notes.txt", b"The frobnicator was calibrated.").status_code == 201
    runner.put("image.png", b"\x89PNG frobnicator", kind="image/png")
    runner.put("results.md", b"# Calibrated\n\nfrobnicator", kind="application/octet-stream")
    end(runner)

    run()

    place = f"tasks/{runner.task.pk}/artifacts/1"
    assert set(found("frobnicator calibrated", Source.ARTIFACT)) == {
        f"{place}/report/notes.txt",
        f"{place}/results.md",
    }


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("server.key", b"frobnicator"),
        (".env", b"frobnicator=1"),
        ("a.txt", b"-----BEGIN PRIVATE KEY-----\nfrobnicator"),
        ("b.txt", b"\xff\xfe frobnicator"),
    ],
)
def test_what_may_be_secret_or_is_no_text_is_not_tried_again(runner, path, content):
    runner.put(path, content)
    end(runner)

    assert run() == 0
    assert found("frobnicator", Source.ARTIFACT) == []
    assert File.objects.get().chunks.count() == 0
    assert run() == 0


def test_of_each_task_a_bounded_part_is_taken(runner, monkeypatch):
    monkeypatch.setattr(leavings, "MOST_OF_TASK", 2)
    monkeypatch.setattr(leavings, "AT_ONCE", 1)
    monkeypatch.setattr(leavings, "MOST_BYTES", 20)
    for number in range(4):
        runner.put(f"{number}.txt", b"frobnicator")
    runner.put("large.txt", b"frobnicator " * 10)
    end(runner)

    for _ in range(6):
        run()

    assert File.objects.count() == 2


def test_only_the_end_of_a_log_is_taken(runner, monkeypatch):
    monkeypatch.setattr(leavings, "LOG_CHARACTERS", 30)
    runner.send("alpha " * 100, "omega at the end")
    end(runner)
    run()

    assert found("omega", Source.LOG)
    assert File.objects.get().size == 30


def test_it_goes_with_its_task_and_when_it_is_removed(runner):
    runner.put("a.txt", b"frobnicator")
    runner.send("frobnicator")
    end(runner)
    run()
    assert File.objects.count() == 2

    Artifact.objects.all().delete()
    work.TaskIndexer().run()
    assert [file.source for file in File.objects.exclude(source="task")] == ["log"]
    Task.objects.filter(pk=runner.task.pk).delete()
    assert found("frobnicator", Source.LOG) == []
    work.TaskIndexer().run()
    assert File.objects.count() == 0


def test_a_store_that_is_away_is_waited_for(runner, monkeypatch):
    runner.put("a.txt", b"frobnicator")
    end(runner)

    def away(key):
        raise StoreAway

    with monkeypatch.context() as broken:
        broken.setattr(leavings, "_object", away)
        assert run() == 0
    assert run() == 1


def test_the_end_of_a_log_may_be_in_many_batches(runner, monkeypatch):
    for number in range(5):
        runner.send(f"quokka{number} hello")
    runner.send("and a warning", stream="stderr")
    end(runner)
    run()

    assert found("quokka0", Source.LOG)
    text = "\n".join(Chunk.objects.values_list("content", flat=True))
    assert text.split("\n")[:5] == [f"quokka{number} hello" for number in range(5)]


def test_a_log_that_is_damaged_keeps_out_no_other(runner, monkeypatch):
    other = Runner(Client())
    runner.send("frobnicator")
    other.send("quokka")
    end(runner)
    end(other)
    real, damaged = leavings._object, LogBatch.objects.get(task=runner.task).key

    def one_is_damaged(key):
        return b'{"entries": [{"a' if key == damaged else real(key)

    monkeypatch.setattr(leavings, "_object", one_is_damaged)
    run()

    assert found("quokka", Source.LOG)
    assert run() == 0


def test_a_log_that_is_joined_while_it_is_read_is_found(runner, monkeypatch):
    runner.send("frobnicator")
    runner.send("quokka")
    end(runner)
    real = leavings._object

    def joined(key):
        if not joined.done:
            joined.done = True
            joining.join_all()
            Removal.objects.update(due_at="2000-01-01T00:00:00Z")
            removals.carry_out()
        return real(key)

    joined.done = False
    monkeypatch.setattr(leavings, "_object", joined)
    run()

    assert found("frobnicator", Source.LOG)
    assert found("quokka", Source.LOG)


@pytest.mark.parametrize("model", [Artifact, LogBatch])
def test_what_is_removed_is_not_found_from_that_moment_on(runner, model):
    runner.put("a.txt", b"frobnicator")
    runner.send("frobnicator")
    end(runner)
    run()
    source = Source.ARTIFACT if model is Artifact else Source.LOG
    assert found("frobnicator", source)

    model.objects.all().delete()

    assert found("frobnicator", source) == []


def test_all_that_is_gone_is_taken_out_however_much_a_task_has_left(runner, monkeypatch):
    monkeypatch.setattr(work, "CHECKED_AT_ONCE", 2)
    for number in range(5):
        runner.put(f"{number}.txt", b"frob%d" % number)
    end(runner)
    run()
    work.TaskIndexer().run()
    Artifact.objects.filter(path="4.txt").delete()

    indexer = work.TaskIndexer()
    for _ in range(4):
        indexer.run()

    assert File.objects.filter(source=Source.ARTIFACT).count() == 4
