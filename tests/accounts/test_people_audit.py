"""Who made whom what is in the operators' audit: people, groups and passwords."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from accounts.models import User
from console import kinds
from events import audit as writing
from events.models import OperatorAction
from tests.console.clicking import page_of
from tests.console.people import browser_of, group_of, make_person

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def browser():
    return browser_of("Admin")


def entries():
    rows = OperatorAction.objects.order_by("pk")
    return [(row.verb, row.kind, row.object_id, row.actor) for row in rows]


def test_a_person_is_made_and_changed_and_deleted(browser):
    ann = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD}
    browser.post(reverse("admin:accounts_user_add"), ann | {"groups": group_of("Viewer").pk})
    person = User.objects.get(username="ann")
    form = {"username": "ann", "is_active": "on", "groups": group_of("Operator").pk}
    browser.post(page_of(person), form)
    browser.post(page_of(person, "delete"), {"post": "yes"})

    made, changed, deleted = OperatorAction.objects.order_by("pk")
    assert entries() == [
        (verb, "user", str(person.pk), "user:admin") for verb in ("add", "change", "delete")
    ]
    assert made.after["groups"] == ["Viewer"]
    assert (changed.before["groups"], changed.after["groups"]) == (["Viewer"], ["Operator"])
    assert (deleted.before["username"], deleted.after) == ("ann", {})
    assert PASSWORD not in str(list(OperatorAction.objects.values()))


def test_a_group_is_made_and_changed_and_deleted(browser):
    view, operate = (
        group_of("Admin").permissions.get(codename=name) for name in ("view_console", "operate")
    )
    browser.post(reverse("admin:auth_group_add"), {"name": "x", "permissions": [view.pk]})
    group = Group.objects.get(name="x")
    browser.post(page_of(group), {"name": "y", "permissions": [view.pk, operate.pk]})
    browser.post(page_of(group, "delete"), {"post": "yes"})

    assert [row[:3] for row in entries()] == [
        (verb, "group", str(group.pk)) for verb in ("add", "change", "delete")
    ]
    changed = OperatorAction.objects.get(verb="change")
    assert changed.before == {"name": "x", "permissions": ["view_console"]}
    assert changed.after == {"name": "y", "permissions": ["operate", "view_console"]}


def test_a_password_that_somebody_sets(browser):
    person = make_person("Viewer")
    path = reverse("admin:auth_user_password_change", args=[person.pk])

    browser.post(path, {"password1": PASSWORD, "password2": PASSWORD})

    assert entries() == [("password", "user", str(person.pk), "user:admin")]
    assert PASSWORD not in str(list(OperatorAction.objects.values()))


def test_ones_own_password(client):
    person = make_person("Viewer")
    person.set_password(PASSWORD)
    person.save()
    client.force_login(person)

    new = f"{PASSWORD} again"
    client.post(
        "/password",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    person.refresh_from_db()
    assert person.check_password(new)
    assert entries() == [("password", "user", str(person.pk), "user:viewer")]


@pytest.mark.parametrize("page", ["change", "password", "delete"])
def test_what_cannot_be_audited_does_not_happen(browser, monkeypatch, page):
    person = make_person("Viewer")
    path = page_of(person, page) if page != "password" else ""
    path = path or reverse("admin:auth_user_password_change", args=[person.pk])
    form = {
        "change": {"username": "viewer", "is_active": "on", "groups": group_of("Operator").pk},
        "password": {"password1": PASSWORD, "password2": PASSWORD},
        "delete": {"post": "yes"},
    }[page]

    def lose(*args):
        raise RuntimeError

    monkeypatch.setattr(writing, "write", lose)
    with pytest.raises(RuntimeError):
        browser.post(path, form)

    person.refresh_from_db()
    assert not person.check_password(PASSWORD)
    assert [group.name for group in person.groups.all()] == ["Viewer"]


def test_the_audit_has_words_for_it():
    assert kinds.verb_label("user", "password") == "Password set"
    assert {"user", "group"} <= {kind for kind, _ in kinds.all_kinds()}
