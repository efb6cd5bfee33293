"""People read the journal in the admin, and cannot change it."""

import pytest
from django.urls import reverse

from events.models import Event

pytestmark = pytest.mark.django_db


def test_the_journal_is_listed_and_searched(admin_client):
    Event.objects.create(type="task.claimed", agent_id="a-1")
    Event.objects.create(type="task.failed", agent_id="a-2")

    page = admin_client.get(reverse("admin:events_event_changelist"), {"q": "a-1"})

    assert page.status_code == 200
    assert "Task claimed" in page.content.decode()
    assert "Task failed" not in page.content.decode()


def test_an_event_is_shown_and_not_changed(admin_client):
    event = Event.objects.create(type="task.claimed", reason="because")
    url = reverse("admin:events_event_change", args=[event.pk])

    assert "because" in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"type": "forged"}).status_code == 403
    assert admin_client.get(reverse("admin:events_event_add")).status_code == 403
    assert (
        admin_client.post(reverse("admin:events_event_delete", args=[event.pk])).status_code == 403
    )
