"""Tasks in the index: the latest, written by the loop."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from chains.models import Chain
from search import finding, work
from search.models import File, Kind, Source
from search.querysets import Scope
from tasks.models import Task
from tests.factories import make_chain, make_channel, make_job, make_task, make_tasks

pytestmark = pytest.mark.django_db


def run(indexer=None):
    done = (indexer or work.TaskIndexer()).run()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return done


def indexed():
    return set(File.objects.filter(source=Source.TASK).values_list("task_id", flat=True))


def test_new_tasks_are_added_once():
    first = make_task(title="Paint the shed", description="Red, with a brush.")
    indexer = work.TaskIndexer()

    assert run(indexer) == 1
    assert run(indexer) == 0
    second = make_task(title="Sweep the floor")
    assert run(indexer) == 1
    assert indexed() == {first.pk, second.pk}
    [hit, *_] = finding.search("red brush", Kind.DOCS, Scope([Source.TASK])).hits
    assert (hit.task_id, hit.path) == (first.pk, f"tasks/{first.pk}")


def test_a_task_that_was_committed_late_is_added():
    """Keys are made before the commit, so one may appear below those that are indexed."""
    late = make_task()
    Task.objects.filter(pk=late.pk).delete()
    make_task()
    run()

    make_task(id=late.pk)

    assert run() == 1
    assert late.pk in indexed()


def test_tasks_of_sweeps_have_no_words():
    make_job(tasks=3)

    assert run() == 0


def test_only_the_latest_are_kept(settings):
    settings.SEARCH_TASKS = 3
    tasks = make_tasks(5)

    run()
    assert indexed() == {task.pk for task in tasks[2:]}
    newest = make_task()
    run()

    assert indexed() == {tasks[3].pk, tasks[4].pk, newest.pk}


def test_none_are_kept_where_none_are_wanted(settings):
    make_task()
    run()
    settings.SEARCH_TASKS = 0

    run()

    assert indexed() == set()


def test_tasks_that_are_gone_go():
    keep, gone = make_task(), make_task()
    run()
    Task.objects.filter(pk=gone.pk).delete()

    run()

    assert indexed() == {keep.pk}


def test_all_are_looked_at_in_turn(monkeypatch):
    monkeypatch.setattr(work, "CHECKED_AT_ONCE", 2)
    tasks = make_tasks(5)
    indexer = work.TaskIndexer()
    run(indexer)
    Task.objects.filter(pk=tasks[4].pk).delete()

    for _ in range(4):
        run(indexer)

    assert indexed() == {task.pk for task in tasks[:4]}


def test_a_turn_is_bounded(monkeypatch):
    monkeypatch.setattr(work, "MOST_AT_ONCE", 2)
    make_tasks(5)
    indexer = work.TaskIndexer()

    assert [run(indexer) for _ in range(4)] == [2, 2, 1, 0]


def test_nothing_is_written_where_tasks_are_made():
    """The hot path pays nothing: the index has neither trigger nor index on tasks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'tasks_task'"
            " AND indexdef LIKE '%tsvector%'"
        )
        assert cursor.fetchall() == []
    make_task()
    assert not File.objects.exists()


def test_long_descriptions_are_cut():
    task = make_task(make_channel(), title="Long", description="word " * 20_000)

    run()

    chunks = File.objects.get(task_id=task.pk).chunks
    assert 1 < chunks.count() <= work.MOST_PIECES


def test_the_beginning_is_a_minute_before_the_latest():
    task = make_task()
    run()

    with connection.cursor() as cursor:
        cursor.execute(work.BEGINNING, {"most": 10})
        [beginning] = cursor.fetchone()

    ago = (task.pk.int >> 80) - (UUID(beginning).int >> 80)
    assert ago == timedelta(minutes=1) // timedelta(milliseconds=1)


def test_the_tasks_of_a_chain_are_found_by_its_name():
    make_chain(name="Quarterly migration", tasks=2)
    make_task(title="Something else")
    run()

    found = finding.search("quarterly", Kind.DOCS, Scope([Source.TASK])).hits

    assert len(found) == 2


def test_a_key_of_a_clock_that_was_ahead_hides_no_task():
    ahead = int((timezone.now() + timedelta(days=1)).timestamp() * 1000)
    make_task(id=UUID(f"{ahead:012x}70008000{0:012x}"))
    run()

    later = make_task()
    run()

    assert later.pk in indexed()


def test_no_title_keeps_out_the_others():
    make_task(title="\u0130" * 40)
    other = make_task(title="Paint the shed")
    run()

    assert other.pk in indexed()


def test_a_chain_is_found_by_its_id_and_by_what_it_says():
    chain = make_chain(name="Shed")
    Chain.objects.filter(pk=chain.pk).update(description="Frobnicate the quokka")
    first, second = make_tasks(2, chain=chain)
    make_tasks(2, chain=make_chain(name="Other"))
    run()

    def found(words):
        hits = finding.search(words, Kind.DOCS, Scope([Source.TASK])).hits
        return [hit.task_id for hit in hits if hit.rank.text]

    assert found("frobnicate quokka") == [first.pk]
    assert found(str(chain.pk))[0] == first.pk
    assert found(str(second.pk))[0] == second.pk
    assert set(found("shed")) == {first.pk, second.pk}
