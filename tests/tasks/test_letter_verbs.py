"""The verb that deletes dead letters for good."""

import pytest

from events.models import OperatorAction
from tasks.models import Task
from tests.console.people import browser_of
from tests.factories import fail_at_once, make_chain, make_task, make_tasks

pytestmark = pytest.mark.django_db


def purge(tasks, who="Operator", **more):
    body = {"ids": [str(task.pk) for task in tasks], "reason": "of no use", **more}
    path = "/console/tasks/purge"
    return browser_of(who).post(path, body, content_type="application/json")


def test_dead_letters_are_deleted_and_the_audit_says_which_they_were():
    tasks = make_tasks(3)
    fail_at_once(Task.objects.all())
    waiting = make_task()

    [will, refuses] = purge([*tasks, waiting], preview=True).json()["will"]
    answer = purge([*tasks, waiting]).json()

    assert "3 failed tasks" in will
    assert "1 task has not failed" in refuses
    assert answer["done"] == 3
    assert [(row["id"], row["code"]) for row in answer["refused"]] == [
        (str(waiting.pk), "conflict")
    ]
    assert list(Task.objects.all()) == [waiting]
    done = OperatorAction.objects.filter(refused="")
    assert {action.before["title"] for action in done} == {task.title for task in tasks}
    assert {str(action.after) for action in done} == {"{}"}


def test_a_chain_goes_on_without_the_task_that_failed():
    chain = make_chain(tasks=2, on_failure="stop")
    first, second = Task.objects.filter(chain=chain).order_by("sequence")
    fail_at_once(Task.objects.filter(pk=first.pk))

    assert purge([first]).json()["done"] == 1
    second.refresh_from_db()
    assert not second.blocked


def test_who_may_only_look_deletes_nothing():
    [task] = make_tasks(1)
    fail_at_once(Task.objects.all())

    assert purge([task], who="Viewer").status_code == 403
    assert Task.objects.filter(pk=task.pk).exists()
