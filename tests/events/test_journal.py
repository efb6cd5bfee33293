"""Every event of a transaction has its actor, reason and request."""

import pytest
from django.db import connection, transaction

from events import journal
from events.context import request_id
from events.models import Event
from events.triggers import insert_event

pytestmark = pytest.mark.django_db


def write_as_a_trigger_does(type_):
    with connection.cursor() as cursor:
        cursor.execute(insert_event(type=f"'{type_}'"))
    return Event.objects.get(type=type_)


@pytest.mark.django_db(transaction=True)
def test_attribution_is_valid_for_one_transaction():
    token = request_id.set("r-1")
    try:
        with transaction.atomic():
            journal.attribute(actor="agent:a", reason="because")
            inside = write_as_a_trigger_does("inside")
    finally:
        request_id.reset(token)
    after = write_as_a_trigger_does("after")

    assert (inside.actor, inside.reason, inside.request_id) == ("agent:a", "because", "r-1")
    assert inside.source == "coordinator"
    assert (after.actor, after.reason, after.request_id) == (
        connection.settings_dict["USER"],
        "",
        "",
    )


def test_the_last_attribution_counts():
    journal.attribute(actor="a", reason="first")
    journal.attribute(actor="b")

    event = write_as_a_trigger_does("t")

    assert (event.actor, event.reason) == ("b", "")


def test_attribution_is_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        journal.attribute(actor="a", reason="b")


def test_actor_and_reason_may_be_any_text():
    words = "'; DROP TABLE events_event; -- %s \N{SNOWMAN}" * 20

    journal.attribute(actor=words, reason=words)

    assert write_as_a_trigger_does("t").reason == words


def test_a_recorded_event_has_the_same_actor():
    journal.attribute(actor="agent:a", reason="because")

    journal.record("agent.setup_waited", agent_id="a", payload={"n": 1})

    event = Event.objects.get()
    assert (event.actor, event.reason, event.source) == ("agent:a", "because", "coordinator")
    assert (event.agent_id, event.payload, event.task_id) == ("a", {"n": 1}, None)
