"""A verb on thousands of rows that match a filter."""

import pytest
from django.contrib import admin
from django.urls import reverse

from events.models import OperatorAction
from tasks.models import Task
from tasks.states import Status
from tests.console.clicking import choose, messages_of
from tests.console.people import browser_of
from tests.factories import make_channel, make_tasks


@pytest.mark.django_db
def test_thousands_of_tasks_are_cancelled_by_a_few_statements(django_assert_max_num_queries):
    channel = make_channel()
    one = make_tasks(2_500, channel=channel)[0]
    operator = browser_of("Operator")
    query = f"?channel__id__exact={channel.pk}"

    with django_assert_max_num_queries(120):
        done = choose(operator, [one], "cancel", across=True, query=query)

    assert messages_of(done) == ["Cancel: 2500 done."]
    assert not Task.objects.exclude(status=Status.CANCELLED).exists()
    assert OperatorAction.objects.count() == 2_500


@pytest.mark.django_db
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_no_list_counts_all_its_rows_for_each_filter(admin_client, model):
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    shown = admin_client.get(url, {"_facets": "1"}).context["cl"]

    assert not shown.add_facets
    assert not shown.is_facets_optional
