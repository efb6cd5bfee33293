"""A task changes its status only along edges, and each edge has its event."""

from itertools import product

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from events.models import Event
from tasks import states, transitions
from tasks.models import Task
from tasks.statements import assignments
from tasks.states import EDGES, EVENTS, FINISHED, Status
from tests.factories import fresh, make_agent, make_held_task
from tests.tasks.verbs import make_of_status

pytestmark = pytest.mark.django_db


def sound(target):
    """Columns with which a row may have this status, whatever it had before."""
    return {
        "status": target,
        "agent": make_agent("a") if target == Status.IN_PROGRESS else None,
        "finished_at": Now() if target in FINISHED else None,
        "lease_expires_at": None,
        "dead_letter": "exhausted" if target == Status.FAILED else "",
        "reserved_for": None,
    }


@pytest.mark.parametrize(("source", "target"), list(product(Status, Status)))
def test_a_change_along_an_edge_writes_its_event_and_any_other_is_refused(source, target):
    task = make_of_status(source)
    assert task.status == source
    Event.objects.all().delete()
    change = Task.objects.filter(pk=task.pk).update

    if source == target or (source, target) in EVENTS:
        change(**sound(target))
        events = [EVENTS[source, target]] if source != target else []
        assert list(Event.objects.values_list("type", flat=True)) == events
    else:
        refused = pytest.raises(IntegrityError, match=f"{source} cannot become {target}")
        with refused, transaction.atomic():
            change(**sound(target))
        assert not Event.objects.exists()


def test_every_edge_is_in_the_docstring_of_the_states():
    for edge in EDGES:
        assert edge.target in states.__doc__
        assert edge.event.partition(".")[0] == "task"
    assert {target for _, target in EVENTS} == {*Status}


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.event)
def test_an_edge_leaves_a_row_that_the_constraints_allow(edge):
    for source in edge.sources:
        task = make_of_status(source)
        given = {"agent": make_agent("b")} if edge.target == Status.IN_PROGRESS else {}
        given |= {"dead_letter": "exhausted"} if edge.target == Status.FAILED else {}

        Task.objects.filter(pk=task.pk).update(**edge(**given))

        assert fresh(task).status == edge.target


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.event)
def test_an_edge_is_the_same_in_sql(edge):
    source = min(edge.sources)
    given = {"agent": make_agent("b")} if edge.target == Status.IN_PROGRESS else {}
    given |= {"dead_letter": "exhausted"} if edge.target == Status.FAILED else {}
    tasks = [make_of_status(source) for _ in range(2)]

    with transaction.atomic():
        Task.objects.filter(pk=tasks[0].pk).update(**edge(**given))
    with connection.cursor() as cursor:
        text = assignments(edge(**given))
        cursor.execute(f"UPDATE tasks_task SET {text} WHERE id = %s", [tasks[1].pk])  # noqa: S608

    one, other = (Task.objects.filter(pk=task.pk).values(*edge(**given)).get() for task in tasks)
    times = {name for name, value in one.items() if hasattr(value, "year")}
    assert {name: one[name] for name in one.keys() - times} == {
        name: other[name] for name in other.keys() - times
    }
    assert all(other[name] for name in times)


def test_rows_of_one_update_may_take_different_edges():
    asked, plain = make_held_task(), make_held_task()
    transitions.cancel(asked.pk, by="operator")
    columns = states.first_of(
        [(Q(cancel_asked_at__isnull=False), states.CANCEL(fail_reason="asked"))],
        otherwise=states.RETRY(attempts=F("attempts") + 1),
    )

    Task.objects.in_progress().update(**columns)

    assert (fresh(asked).status, fresh(asked).fail_reason) == (Status.CANCELLED, "asked")
    assert (fresh(asked).attempts, fresh(asked).agent_id) == (0, asked.agent_id)
    assert (fresh(plain).status, fresh(plain).attempts, fresh(plain).agent) == ("queued", 1, None)
