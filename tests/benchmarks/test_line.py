"""The filled tables are what the engine would have made of them."""

import psycopg
import pytest
from django.db import connection

from agents.models import Agent
from benchmarks import growth, line
from chains.models import Chain
from chains.settle import settle
from tasks.models import Task
from tasks.states import Status
from tests.factories import make_channel

pytestmark = pytest.mark.django_db(transaction=True)

SIZE = growth.Size(queued=400, finished=50)


@pytest.fixture
def db():
    """A connection of its own, as the benchmark has one."""
    given = connection.settings_dict
    with psycopg.connect(
        host=given["HOST"],
        port=given["PORT"],
        user=given["USER"],
        password=given["PASSWORD"],
        dbname=given["NAME"],
        autocommit=True,
    ) as made:
        yield made


@pytest.fixture
def filled(db):
    growth.fill(db, SIZE, make_channel().pk, make_channel().pk)


def test_refilling_leaves_queued_tasks_and_nothing_else(db):
    channel = make_channel()
    line.refill(db, channel.pk, 7)

    line.refill(db, channel.pk, 30)

    assert Task.objects.filter(channel=channel, status=Status.QUEUED).count() == 30
    assert line.done(db) == (0, 0)


def test_the_long_line_is_as_long_as_it_says(filled):
    assert Task.objects.filter(status=Status.QUEUED).count() == 400
    assert Task.objects.filter(status=Status.DONE).count() == 50
    assert Task.objects.filter(chain__isnull=False).count() == 200
    assert Chain.objects.filter(owner__isnull=False).count() == 18
    assert Chain.objects.count() == 20


def test_the_engine_finds_nothing_to_settle_in_the_filled_chains(filled):
    before = list(Task.objects.order_by("pk").values())
    statuses = dict(Chain.objects.values_list("pk", "status"))

    for chain in Chain.objects.all():
        settle(chain)

    assert list(Task.objects.order_by("pk").values()) == before
    assert dict(Chain.objects.values_list("pk", "status")) == statuses


def test_everybody_whom_the_filled_rows_name_exists(filled):
    agents = set(Agent.objects.values_list("pk", flat=True))
    named = set(Task.objects.values_list("agent", "reserved_for", "chain__owner"))

    assert {one for row in named for one in row if one} <= agents
