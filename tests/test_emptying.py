import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection

from tests.console.people import make_person
from tests.emptying import KEPT, empty
from tests.factories import make_agent, make_chain, make_job, make_task

pytestmark = pytest.mark.django_db(transaction=True)


def filled():
    """The tables that have a row."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(map("SELECT '{0}' FROM {0}".format, tables)))
        return {name for (name,) in cursor.fetchall()}


def test_after_a_test_that_commits_every_table_is_empty_but_those_that_are_kept():
    make_agent()
    make_task()
    make_chain(tasks=2)
    make_job(tasks=1)
    make_person("Operator")
    kept = Permission.objects.count()
    assert {"tasks_task", "events_event", "accounts_user_groups"} < filled()

    empty()

    assert filled() == KEPT
    assert Permission.objects.count() == kept
