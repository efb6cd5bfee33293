"""No page of the console fails on what is in its address or its form: 4xx, or it says so."""

from itertools import cycle
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from agents.models import Agent
from api.throttling import limits
from chains.models import Chain
from events.models import Event, OperatorAction
from jobs.models import Job
from tasks.models import Channel, Task
from tests.console.clicking import messages_of
from tests.emptying import empty
from tests.factories import make_agent, make_artifact, make_chain, make_job, make_task
from tests.notifications.receivers import make_delivery, make_mail
from tests.vault.keys import make_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch, settings):
    """There are more sign-ins here than anybody may try."""
    monkeypatch.setattr(limits, "buckets", {})
    settings.AXES_ENABLED = False


NASTY = [
    "x",
    "a\0b",
    "-1",
    str(2**63),
    "9" * 5_000,
    "1e400",
    "[",
    "\ud800",
    "x" * 20_000,
    "01900000-0000-7000-8000-000000000000",
    "2026-13-45",
]
FEW = ["\0", "["]
LOOKUPS = ["in", "isnull", "regex", "range", "a b"]
PAGING = ["q", "p", "o", "all", "e", "_popup", "_to_field", "_changelist_filters", "_facets"]
ADMINS = admin.site._registry
each_model = pytest.mark.parametrize("model", ADMINS, ids=lambda model: model.__name__)
VERBS = [(model, verb) for model, page in ADMINS.items() for verb in getattr(page, "verbs", ())]


STEERED = [model for model, page in ADMINS.items() if getattr(page, "verbs", ())]


@pytest.fixture(scope="module", autouse=True)
def rows(django_db_setup, django_db_blocker):
    """Made once: what a test does to them is rolled back."""
    with django_db_blocker.unblock():
        make_agent("agent")
        make_chain()
        make_job(tasks=1)
        make_artifact(make_task())
        make_key()
        make_delivery(make_mail())
    yield
    with django_db_blocker.unblock():
        empty()


@pytest.fixture
def browser(admin_client):
    admin_client.raise_request_exception = False
    return admin_client


def url(model, page, *args):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=args)


def encoded(text):
    return quote(text.encode(errors="surrogatepass"), safe="")


def query(**fields):
    pairs = {name: value.encode(errors="surrogatepass") for name, value in fields.items()}
    return urlencode(pairs)


def some_of_each(names):
    """Each name with two values, so that each value has its turn."""
    for place, name in enumerate(names):
        for step in (0, 5):
            yield name, NASTY[(place + step) % len(NASTY)]


def assert_answered(response, what):
    assert response.status_code < 500, (response.status_code, what)
    assert response.status_code in {200, 301, 302, 400, 403, 404, 405}, (response.status_code, what)


def test_a_list_says_that_a_value_of_its_address_cannot_be_used(browser):
    page = browser.get("/admin/tasks/task/?status__exact=%00&q=x", follow=True)

    assert page.redirect_chain == [("/admin/tasks/task/", 302)]
    assert messages_of(page) == ["A value in the address cannot be used."]


def test_a_list_is_asked_for_nothing_that_its_filters_do_not_offer(browser):
    for asked in ("title__regex=(a%2B)%2B$", "payload__x=1", "channel__user__password=x"):
        assert browser.get(f"/admin/tasks/task/?{asked}").status_code == 400, asked


@each_model
def test_lists_with_nonsense_in_their_address(browser, model):
    path = url(model, "changelist")
    specs = browser.get(path).context["cl"].filter_specs
    offered = {name for spec in specs for name in spec.expected_parameters() if name}
    columns = {f"{field.name}__exact" for field in model._meta.concrete_fields}
    looked_up = {f"{column.partition('__')[0]}__{how}" for column in offered for how in LOOKUPS}
    tried = [
        *some_of_each(sorted(offered | set(PAGING))),
        *zip(sorted(columns | looked_up | {"nothing", "a\0b"}), cycle(FEW)),
    ]
    for name, value in tried:
        address = f"{path}?{query(**{name: value})}"
        assert_answered(browser.get(address), address[:200])


@each_model
@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_pages_of_nonsense(browser, model, page):
    known = url(model, page, "KNOWN")
    for text in NASTY if page == "change" else FEW:
        address = known.replace("KNOWN", encoded(text))
        assert_answered(browser.get(address), address[:200])
        assert_answered(browser.post(address, {"post": "yes"}), address[:200])


@pytest.mark.parametrize("model", STEERED, ids=lambda m: m.__name__)
def test_verbs_of_nonsense(browser, model):
    row = model.objects.first()
    for text in NASTY:
        for address in (
            url(model, "verb", "KNOWN", "drain").replace("KNOWN", encoded(text)),
            url(model, "change", row.pk).replace("change/", f"verb/{encoded(text)}/"),
        ):
            assert_answered(browser.get(address), address[:200])


@pytest.mark.parametrize(("model", "verb"), VERBS, ids=lambda v: getattr(v, "name", None))
def test_forms_of_verbs_filled_with_nonsense(browser, model, verb):
    row = model.objects.first()
    path = url(model, "verb", row.pk, verb.name)
    for text in FEW:
        raw = text.encode(errors="surrogatepass")
        for field in ("reason", *verb.fields):
            form = {"confirmed": "yes", "reason": "why"} | {field: raw}
            assert_answered(browser.post(path, form), (path, field, text[:50]))


@pytest.mark.parametrize("model", STEERED, ids=lambda m: m.__name__)
def test_actions_of_lists_filled_with_nonsense(browser, model):
    path = url(model, "changelist")
    verb = ADMINS[model].verbs[0].name
    good = {"action": verb, "index": 0, "select_across": 0, "_selected_action": ["x"]}
    for field, text in some_of_each(good):
        raw = text.encode(errors="surrogatepass")
        form = good | {field: raw, "confirmed": "yes", "reason": "why"}
        assert_answered(browser.post(path, form), (path, field, text[:50]))


@pytest.mark.parametrize("field", ["app_label", "model_name", "field_name", "term", "page"])
def test_suggestions_for_nonsense(browser, field):
    good = {"app_label": "tasks", "model_name": "task", "field_name": "agent", "term": "a"}
    for text in NASTY:
        address = f"/admin/autocomplete/?{query(**good | {field: text})}"
        assert_answered(browser.get(address), address[:200])


def test_links_to_nonsense(browser):
    assert browser.get("/admin/r/1/x/").status_code in {400, 404}
    kinds = [str(ContentType.objects.get_for_model(model).pk) for model in ADMINS]
    for kind in [*kinds, *NASTY]:
        for text in ["x", "\0", "9" * 30, "01900000-0000-7000-8000-000000000000"]:
            address = f"/admin/r/{encoded(kind)}/{encoded(text)}/"
            assert_answered(browser.get(address), address[:200])


@pytest.mark.parametrize(
    "path",
    [
        "/admin/{}/",
        "/admin/tasks/{}/",
        "/admin/{}/task/",
        "/admin/accounts/user/{}/password/",
        "/admin/jsi18n/?{}",
        "/admin/?{}",
        "/admin/login/?next={}",
        "/login?next={}",
        "/password?next={}",
        "/jsi18n/?language={}",
        "/admin/search/?s={}",
        "/static/{}",
        "/i18n/setlang/?next={}",
        "/{}",
    ],
)
def test_other_pages_of_nonsense(browser, path):
    for text in NASTY:
        address = path.format(encoded(text))
        assert_answered(browser.get(address), address[:200])
        form = {"language": text.encode(errors="surrogatepass"), "next": "/"}
        assert_answered(browser.post(address, form), address[:200])


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/login", ["username", "password", "next"]),
        ("/password", ["old_password", "new_password1", "new_password2"]),
        ("/i18n/setlang/", ["language", "next"]),
        ("/admin/accounts/user/add/", ["username", "password1", "groups"]),
        ("/admin/auth/group/add/", ["name", "permissions"]),
    ],
)
def test_forms_filled_with_nonsense(browser, path, fields):
    good = {"username": "u", "password": "p", "password1": "p", "password2": "p", "name": "n"}
    for field, text in some_of_each(fields * 2):
        form = good | {field: text.encode(errors="surrogatepass")}
        assert_answered(browser.post(path, form), (path, field, text[:50]))


def test_forms_of_people_filled_with_nonsense(browser, admin_user):
    path = url(type(admin_user), "change", admin_user.pk)
    page = browser.get(path)
    for field, text in some_of_each(page.context["adminform"].form.fields):
        form = {"username": "admin", field: text.encode(errors="surrogatepass")}
        if field.startswith("date") or field == "last_login":
            form = {f"{field}_0": form[field], f"{field}_1": form[field]}
        assert_answered(browser.post(path, form), (field, text[:50]))
        admin_user.save()


def test_everything_that_is_listed_is_tried_here():
    known = {Agent, Chain, Channel, Event, Job, OperatorAction, Task}

    assert known <= set(ADMINS)
