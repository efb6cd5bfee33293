"""People who sign in."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.console.people import group_of

pytestmark = pytest.mark.django_db


def test_a_user_has_an_id_that_tells_its_age():
    first, second = User.objects.create_user("admin"), User.objects.create_user("another")

    assert first.pk.version == 7
    assert first.pk < second.pk


def test_people_can_sign_in_at_the_admin_when_a_token_is_set(settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"
    User.objects.create_superuser("admin", password="correct horse")
    browser = Client(REMOTE_ADDR="203.0.113.9")

    start = browser.get("/", follow=True)
    assert start.redirect_chain[-1][0].startswith("/login")
    signed_in = browser.post(
        "/login?next=/admin/", {"username": "admin", "password": "correct horse"}, follow=True
    )

    assert signed_in.status_code == 200
    assert browser.get("/v1/events").status_code == 200


def test_users_are_steered_in_the_admin(admin_client):
    assert admin_client.get(reverse("admin:accounts_user_changelist")).status_code == 200


def test_who_is_made_without_a_group_is_said_to_be_shut_out(admin_client):
    given = {"username": "new", "password1": "correct horse 1", "password2": "correct horse 1"}
    viewer = group_of("Viewer")

    alone = admin_client.post(reverse("admin:accounts_user_add"), given, follow=True)
    other = given | {"username": "other", "groups": [viewer.pk]}
    within = admin_client.post(reverse("admin:accounts_user_add"), other, follow=True)

    said = "new may not sign in yet: choose a group."
    assert said in [str(message) for message in alone.context["messages"]]
    assert "sign in" not in " ".join(str(message) for message in within.context["messages"])
