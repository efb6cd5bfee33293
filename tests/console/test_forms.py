"""Every form of the admin is opened, filled and saved, by those who may; others are refused."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import ApiToken, User
from accounts.rights import VIEW
from agents.models import Agent
from artifacts.models import Artifact
from chains.models import Chain
from console.admin import ConsoleAdmin
from jobs.models import Job
from notifications.models import Delivery, Receiver, Rule
from routing.models import LanguageModel, Provider, RoutingPolicy
from tasks.models import Channel, Task
from tests.console.clicking import click, page_of
from tests.console.people import browser_of, group_of, make_person
from tests.factories import (
    make_agent,
    make_artifact,
    make_chain,
    make_channel,
    make_job,
    make_task,
)
from tests.notifications.receivers import make_delivery, make_mail
from tests.vault.keys import make_key
from vault.models import SecureKey

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
EDITED = [User, Group]
SET = [Provider, LanguageModel, RoutingPolicy]  # see tests/routing/test_admin.py
TOLD = [Receiver, Rule]  # see tests/notifications/test_admin.py
MADE = {*EDITED, *SET, *TOLD, ApiToken, SecureKey}
SHOWN = [model for model in admin.site._registry if model not in MADE]
VERBS = [
    (model, verb)
    for model, page in admin.site._registry.items()
    if isinstance(page, ConsoleAdmin)
    for verb in page.verbs
]
each_verb = pytest.mark.parametrize(
    ("model", "verb"), VERBS, ids=[f"{model.__name__}-{verb.name}" for model, verb in VERBS]
)


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def fields_of(page):
    """The visible fields of the form on a page, with their values."""
    form = page.context["adminform"].form
    content = page.content.decode()
    shown = [name for _, part in page.context["adminform"].fieldsets for name in part["fields"]]
    for name in form.fields:
        assert f'name="{name}' in content or name == "password", name
    values = {name: form.get_initial_for_field(form[name].field, name) for name in form.fields}
    return shown, {
        name: [row.pk for row in value] if isinstance(value, list) else value
        for name, value in values.items()
        if value not in (None, "", False)
    }


@pytest.fixture
def superuser(admin_client):
    return admin_client


@pytest.fixture
def administrator():
    return browser_of("Admin")


@pytest.fixture(params=["superuser", "administrator"])
def editor(request):
    return request.getfixturevalue(request.param)


def test_only_people_and_groups_are_edited(rf, admin_user):
    request = rf.get("/")
    request.user = admin_user

    added = {m for m, page in admin.site._registry.items() if page.has_add_permission(request)}
    changed = {m for m, page in admin.site._registry.items() if page.has_change_permission(request)}
    deleted = {m for m, page in admin.site._registry.items() if page.has_delete_permission(request)}

    assert changed == deleted == {*EDITED, *SET, *TOLD}
    assert added == MADE


def test_a_person_is_made_with_a_password_and_groups_and_signs_in(editor):
    viewers = group_of("Viewer")
    shown, _ = fields_of(editor.get(url(User, "add")))
    assert shown == ["username", "password1", "password2", "groups"]

    form = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD, "groups": viewers.pk}
    saved = editor.post(url(User, "add"), form)

    ann = User.objects.get(username="ann")
    assert saved.headers["location"] == url(User, "change", ann.pk)
    assert list(ann.groups.all()) == [viewers]
    browser = Client()
    browser.post("/login", {"username": "ann", "password": PASSWORD})
    assert browser.get("/admin/tasks/task/").status_code == 200


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "admin"}, "username"),
        ({"password1": "", "password2": ""}, "password1"),
        ({"password2": "other than that"}, "password2"),
        ({"password1": "12345678", "password2": "12345678"}, "password2"),
        ({"groups": 10**30}, "groups"),
    ],
)
def test_a_person_is_not_made_of_a_wrong_form(superuser, wrong, field):
    good = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD}

    page = superuser.post(url(User, "add"), good | wrong)

    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert not User.objects.filter(username="ann").exists()


def test_a_person_is_changed(editor):
    person = make_person("Viewer", password=PASSWORD)
    shown, values = fields_of(editor.get(url(User, "change", person.pk)))
    assert {"username", "is_active", "groups"} <= set(shown)
    assert "is_staff" not in shown
    operators = group_of("Operator")

    times = {"date_joined_0": "2026-01-31", "date_joined_1": "12:00:00"}
    form = values | times | {"first_name": "Ann", "groups": [operators.pk]}
    saved = editor.post(url(User, "change", person.pk), form)

    assert saved.status_code == 302
    person.refresh_from_db()
    assert (person.first_name, person.is_active) == ("Ann", True)
    assert list(person.groups.all()) == [operators]
    assert person.check_password(PASSWORD)


def test_a_person_gets_another_password(editor):
    person = make_person("Viewer", password="old old old old")
    path = reverse("admin:auth_user_password_change", args=[person.pk])
    assert 'name="password1"' in editor.get(path).content.decode()

    form = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    saved = editor.post(path, form)

    assert saved.headers["location"] == url(User, "change", person.pk)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_a_group_is_made_and_changed(editor):
    view = Permission.objects.get(codename=VIEW.removeprefix("accounts."))
    shown, _ = fields_of(editor.get(url(Group, "add")))
    assert shown == ["name", "permissions"]

    saved = editor.post(url(Group, "add"), {"name": "Guests", "permissions": [view.pk]})
    group = Group.objects.get(name="Guests")
    assert (saved.status_code, list(group.permissions.all())) == (302, [view])

    shown, values = fields_of(editor.get(url(Group, "change", group.pk)))
    del values["seen"]
    assert values == {"name": "Guests", "permissions": [view.pk]}
    editor.post(url(Group, "change", group.pk), {"name": "Visitors", "permissions": []})
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Visitors", 0)


@pytest.mark.parametrize("model", EDITED, ids=lambda model: model.__name__)
def test_people_and_groups_are_deleted(editor, model):
    row = make_person("Viewer") if model is User else Group.objects.create(name="Guests")
    assert editor.get(url(model, "delete", row.pk)).status_code == 200

    editor.post(url(model, "delete", row.pk), {"post": "yes"})

    assert not model.objects.filter(pk=row.pk).exists()


def test_people_change_their_own_password():
    make_person("Viewer", password="old old old old")
    browser = browser_of("Viewer")
    assert 'name="old_password"' in browser.get("/password").content.decode()

    form = {
        "old_password": "old old old old",
        "new_password1": PASSWORD,
        "new_password2": PASSWORD,
    }
    assert browser.post("/password", form, follow=True).status_code == 200

    assert User.objects.get(username="viewer").check_password(PASSWORD)


@pytest.mark.parametrize("group", ["Viewer", "Operator"])
def test_others_edit_nobody(group):
    browser = browser_of(group)
    person = User.objects.get()
    row = group_of("Viewer")
    before = list(User.objects.values()), list(Group.objects.values())
    assert browser.get(url(User, "change", person.pk)).status_code == 200

    for path in (
        url(User, "add"),
        url(User, "change", person.pk),
        url(User, "delete", person.pk),
        reverse("admin:auth_user_password_change", args=[person.pk]),
        url(Group, "add"),
        url(Group, "change", row.pk),
        url(Group, "delete", row.pk),
    ):
        form = {"username": "ann", "name": "x", "password1": PASSWORD, "password2": PASSWORD}
        assert browser.post(path, form | {"post": "yes"}).status_code == 403, path
    assert (list(User.objects.values()), list(Group.objects.values())) == before


def test_an_administrator_makes_nobody_a_superuser(administrator):
    person = make_person("Viewer")
    form = {"username": "viewer", "is_active": "on", "is_superuser": "on"}
    form |= {"date_joined_0": "2026-01-31", "date_joined_1": "12:00:00"}

    administrator.post(url(User, "change", person.pk), form)
    ann = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD, "is_superuser": "on"}
    administrator.post(url(User, "add"), ann)

    assert User.objects.filter(username="ann").exists()
    assert not User.objects.filter(is_superuser=True).exists()


def a(model):
    """A row of the model, as its verbs find it first."""
    makers = {Agent: make_agent, Chain: make_chain, Channel: make_channel, Task: make_task}
    makers |= {Receiver: make_mail, Delivery: lambda: make_delivery(make_mail())}
    if model is Artifact:
        return make_artifact(make_task())
    if model is SecureKey:
        return make_key()
    return make_job(tasks=1) if model is Job else makers[model]()


def values_for(verb):
    answers = {"agent": "agent-of-form", "priority": 7, "on_failure": "stop"}
    answers |= {"value": "a new secret", "expires_at": ""}
    answers |= {"title": "a task", "name": "a chain", "description": "", "execution_mode": ""}
    answers |= {"result": "7", "retriable": "on", "kind": "text", "text": "y", "send_enter": "on"}
    if "channel" in verb.fields:
        answers["channel"] = str(make_channel().pk)
    return {name: answers[name] for name in verb.fields}


@each_verb
def test_the_form_of_a_verb_is_opened_filled_and_carried_out(superuser, model, verb):
    make_agent("agent-of-form")
    row = a(model)
    page = superuser.get(page_of(row, "verb", verb.name))
    content = page.content.decode()
    for name in ["reason", *verb.fields]:
        assert f'name="{name}"' in content

    done = click(superuser, row, verb.name, **values_for(verb))

    is_there = model.objects.filter(pk=row.pk).exists()
    assert done.redirect_chain[-1][0] == (page_of(row) if is_there else url(model, "changelist"))
    assert done.context["messages"]


@each_verb
def test_the_form_of_a_verb_without_its_values_says_what_is_missing(superuser, model, verb):
    row = a(model)

    asked = {name for name, field in verb.fields.items() if field.required}
    for name in asked | ({"reason"} if verb.asks_reason else set()):
        form = {"confirmed": "yes", "reason": "why"} | values_for(verb) | {name: ""}
        page = superuser.post(page_of(row, "verb", verb.name), form)

        assert page.status_code == 200
        assert page.context["form"].errors[name]


@each_verb
def test_a_viewer_does_not_get_the_form_of_a_verb(model, verb):
    row = a(model)
    browser = browser_of("Viewer")

    assert browser.get(page_of(row, "verb", verb.name)).status_code == 403
    assert click(browser, row, verb.name).status_code == 403


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_pages_that_only_show_take_no_form(superuser, model):
    assert superuser.post(url(model, "add"), {}).status_code == 403
