"""Each form of each admin is opened, filled as a person would, and saved.

A new admin with a form needs a row here; one without is a list and pages that only show.
"""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import ApiToken, User
from notifications.models import Receiver, Rule
from routing.models import LanguageModel, Provider, RoutingPolicy
from tests.console.people import browser_of, group_of, make_person
from tests.notifications.receivers import make_mail, make_rule
from tests.routing.making import make_model, make_policy
from vault.models import SecureKey

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


def provider():
    return Provider.objects.create(name="of the form", base_url="https://x.example")


MADE = {
    User: lambda: {
        "username": "ann",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "groups": group_of("Viewer").pk,
    },
    Group: lambda: {"name": "Guests"},
    ApiToken: lambda: {"name": "nightly", "role": "user"},
    SecureKey: lambda: {"name": "main", "provider": "openai", "value": "a secret"},
    Provider: lambda: {"name": "openai", "base_url": "https://api.openai.com/v1"},
    LanguageModel: lambda: {
        "provider": provider().pk,
        "name": "gpt",
        "service": "chat",
        "context_limit": "8000",
        "input_usd_per_1k": "0.0005",
        "output_usd_per_1k": "0.0015",
    },
    Receiver: lambda: {"name": "post", "kind": "mail", "address": "a@example.org"},
    Rule: lambda: {"name": "night", "receiver": make_mail().pk},
    RoutingPolicy: lambda: {"name": "cheap", "action": '{"deny": ["openai"]}'},
}
"""What is filled in, and left is as the form comes."""
CHANGED = {
    User: (lambda: make_person("Viewer"), "first_name", "Ann"),
    Group: (lambda: Group.objects.create(name="Guests"), "name", "Visitors"),
    Provider: (provider, "base_url", "https://y.example"),
    LanguageModel: (lambda: make_model("p"), "context_limit", "16000"),
    RoutingPolicy: (make_policy, "description", "for the night"),
    Receiver: (make_mail, "name", "another"),
    Rule: (lambda: make_rule(make_mail()), "after_seconds", "90"),
}
REGISTRY = admin.site._registry
each_admin = pytest.mark.parametrize("model", REGISTRY, ids=lambda model: model.__name__)


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def offers(model, what, user):
    request = RequestFactory().get("/")
    request.user = user
    return getattr(REGISTRY[model], f"has_{what}_permission")(request)


def bare(tag):
    """A tag without the values of its attributes, such as the names of classes."""
    return re.sub('"[^"]*"', "", tag)


def form_on(page):
    """What a browser would send of the form as it comes, by its own HTML."""
    html = page.content.decode()
    form = re.search(r'<form[^>]*id="\w+_form".*?</form>', html, re.DOTALL)[0]
    values = {}
    for tag in re.findall(r"<input[^>]*>", form):
        said = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        empty = "on" if said.get("type") == "checkbox" else ""
        ticked = said.get("type") not in {"checkbox", "radio"} or "checked" in bare(tag)
        if "name" in said and ticked and said.get("type") not in {"submit", "button"}:
            values.setdefault(said["name"], []).append(unescape(said.get("value", empty)))
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S):
        values[name] = [unescape(text).removeprefix("\n")]
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        offered = re.findall(r'<option value="([^"]*)"[^>]*>', options)
        chosen = [
            re.search('value="([^"]*)"', tag)[1]
            for tag in re.findall("<option[^>]*>", options)
            if "selected" in bare(tag)
        ]
        values[name] = chosen or offered[:1]
    return values


def wrong_with(page):
    return page.context and page.context["adminform"].form.errors


@each_admin
def test_a_row_is_made_by_the_form(model, admin_user):
    browser = browser_of("Admin")
    if not offers(model, "add", admin_user):
        assert browser.get(url(model, "add")).status_code == 403
        return
    given = MADE[model]()
    before = set(model.objects.values_list("pk", flat=True))
    page = browser.get(url(model, "add"))
    form = form_on(page)
    assert [name for name in given if f'name="{name}"' not in page.content.decode()] == []

    saved = browser.post(url(model, "add"), form | given)

    assert saved.status_code == 302 or model is ApiToken, wrong_with(saved)
    [row] = model.objects.exclude(pk__in=before)
    if model is ApiToken:  # the page that follows shows the token
        assert 'id="new-token"' in saved.content.decode()
    for field in set(given) - {"password1", "password2", "value", "groups", "action", "address"}:
        found = getattr(row, field)
        assert str(getattr(found, "pk", found)).rstrip("0") == str(given[field]).rstrip("0")


@each_admin
def test_a_row_is_changed_by_its_form(model, admin_user):
    browser = browser_of("Admin")
    if not offers(model, "change", admin_user):
        assert model not in CHANGED
        return
    make, field, value = CHANGED[model]
    row = make()
    form = form_on(browser.get(url(model, "change", row.pk)))
    assert field in form

    saved = browser.post(url(model, "change", row.pk), form | {field: value})

    assert saved.status_code == 302, wrong_with(saved)
    others = [one.attname for one in model._meta.concrete_fields if one.name != field]
    before = {name: getattr(row, name) for name in others if not name.endswith("_at")}
    row.refresh_from_db()
    assert str(getattr(row, field)) == value
    assert {name: getattr(row, name) for name in before} == before


@each_admin
def test_its_list_opens_also_without_rows(model):
    assert browser_of("Admin").get(url(model, "changelist")).status_code == 200
