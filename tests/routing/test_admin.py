"""Providers, models and policies in the admin: each form is opened, filled and saved."""

import pytest

from events.models import OperatorAction
from routing.models import LanguageModel, Provider, ProviderHealth, RoutingPolicy
from tests.console.people import browser_of
from tests.console.test_forms import fields_of, url
from tests.routing.making import make_model, make_policy

pytestmark = pytest.mark.django_db

PROVIDER = {
    "name": "openai",
    "base_url": "https://api.openai.com/v1",
    "enabled": "on",
    "needs_key": "on",
    "headers": '{"X-Project": "p"}',
    "regions": "",
}
POLICY = {
    "name": "cheap",
    "enabled": "on",
    "priority": "10",
    "merge_strategy": "first_match",
    "match_conditions": '{"intent": ["chat"]}',
    "action": '{"deny": ["openai"], "max_error_rate": 0.3}',
}


@pytest.fixture
def administrator():
    return browser_of("Admin")


def model_form(**fields):
    provider = Provider.objects.get_or_create(name="p", defaults={"base_url": "https://x.example"})[
        0
    ]
    return {
        "provider": provider.pk,
        "name": "gpt",
        "service": "chat",
        "enabled": "on",
        "context_limit": "8000",
        "input_usd_per_1k": "0.0005",
        "output_usd_per_1k": "0.0015",
        **fields,
    }


def forms():
    return {Provider: PROVIDER, LanguageModel: model_form(), RoutingPolicy: POLICY}


MODELS = [Provider, LanguageModel, RoutingPolicy]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


@each_model
def test_a_form_is_opened_filled_and_saved(administrator, model):
    shown, _ = fields_of(administrator.get(url(model, "add")))
    form = forms()[model]
    assert set(form) <= set(shown)

    saved = administrator.post(url(model, "add"), form)

    assert saved.status_code == 302, saved.context["adminform"].form.errors
    row = model.objects.get(name=form["name"])
    assert row.enabled
    action = OperatorAction.objects.get()
    assert (action.verb, action.kind, action.object_id) == (
        "add",
        model._meta.model_name,
        str(row.pk),
    )
    assert action.after["name"] == form["name"]


@each_model
def test_a_row_is_changed(administrator, model):
    form = forms()[model]
    administrator.post(url(model, "add"), form)
    row = model.objects.get(name=form["name"])
    assert administrator.get(url(model, "change", row.pk)).status_code == 200
    administrator.get(url(model, "changelist"))

    saved = administrator.post(url(model, "change", row.pk), {**form, "enabled": ""})

    assert saved.status_code == 302
    row.refresh_from_db()
    assert not row.enabled
    action = OperatorAction.objects.first()
    assert (action.verb, action.before["enabled"], action.after["enabled"]) == (
        "change",
        True,
        False,
    )


@each_model
def test_a_row_is_deleted(administrator, model):
    form = forms()[model]
    administrator.post(url(model, "add"), form)
    row = model.objects.get(name=form["name"])
    if model is Provider:
        ProviderHealth.objects.create(provider=row)
    assert administrator.get(url(model, "delete", row.pk)).status_code == 200

    administrator.post(url(model, "delete", row.pk), {"post": "yes"})

    assert not model.objects.filter(pk=row.pk).exists()
    assert OperatorAction.objects.first().verb == "delete"


@pytest.mark.parametrize("group", ["Viewer", "Operator"])
def test_others_look_and_change_nothing(group):
    browser = browser_of(group)
    made = make_model("p")
    rows = {Provider: made.provider, LanguageModel: made, RoutingPolicy: make_policy()}

    for model, row in rows.items():
        assert browser.get(url(model, "change", row.pk)).status_code == 200
        assert browser.post(url(model, "add"), forms()[model]).status_code == 403
        assert browser.post(url(model, "change", row.pk), forms()[model]).status_code == 403
        assert browser.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403


WRONG = [
    (Provider, "name", ""),
    (Provider, "name", "a\0b"),
    (Provider, "base_url", "ftp://x"),
    (Provider, "base_url", "https://user:secret@x"),
    (Provider, "base_url", "https://x/?key=1"),
    (Provider, "base_url", "https://x:99999"),
    (Provider, "base_url", "https:// x"),
    (Provider, "base_url", "https://" + "x" * 500),
    (Provider, "base_url", "http://models.example.org/v1"),
    (Provider, "regions", '{"eu": "https://x", "us": "http://models.example.org"}'),
    (Provider, "headers", "{"),
    (Provider, "headers", "[]"),
    (Provider, "headers", '{"a b": "c"}'),
    (Provider, "headers", '{"X": "a\\nb"}'),
    (Provider, "headers", '{"X": 1}'),
    (Provider, "headers", '{"Host": "x"}'),
    (Provider, "headers", '{"Accept-Encoding": "gzip"}'),
    (Provider, "headers", '{"X-Api-Key": "sk-1"}'),
    (Provider, "headers", '{"X": "\\u0000"}'),
    (Provider, "headers", '{"X": "1", "X": "2"}'),
    (Provider, "regions", '{"eu": 1}'),
    (Provider, "regions", '{"eu": "ftp://x"}'),
    (Provider, "regions", '{"": "https://x"}'),
    (Provider, "regions", f'{{"{"r" * 201}": "https://x"}}'),
    (LanguageModel, "name", ""),
    (LanguageModel, "context_limit", "-1"),
    (LanguageModel, "context_limit", str(2**31)),
    (LanguageModel, "input_usd_per_1k", "-0.1"),
    (LanguageModel, "input_usd_per_1k", "NaN"),
    (LanguageModel, "output_usd_per_1k", "1e30"),
    (LanguageModel, "service", "speech"),
    (LanguageModel, "provider", "0"),
    (RoutingPolicy, "name", ""),
    (RoutingPolicy, "priority", "x"),
    (RoutingPolicy, "match_conditions", '{"x": "y"}'),
    (RoutingPolicy, "match_conditions", "[1]"),
    (RoutingPolicy, "action", '{"denny": []}'),
    (RoutingPolicy, "action", '{"max_error_rate": NaN}'),
    (RoutingPolicy, "action", '{"max_error_rate": 1e999}'),
    (RoutingPolicy, "merge_strategy", "none"),
]


@pytest.mark.parametrize(("model", "field", "value"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_form_is_shown_again(administrator, model, field, value):
    page = administrator.post(url(model, "add"), {**forms()[model], field: value})

    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize(
    ("url_of_it", "needs_key"),
    [("http://127.0.0.1:8000/v1", "on"), ("http://[::1]/v1", "on"), ("http://models.example", "")],
)
def test_what_keeps_no_secret_is_for_this_machine_or_without_a_key(
    administrator, url_of_it, needs_key
):
    form = {**PROVIDER, "base_url": url_of_it, "needs_key": needs_key}

    assert administrator.post(url(Provider, "add"), form).status_code == 302


def test_with_a_provider_its_models_are_in_the_audit_of_its_end(administrator):
    model = make_model("p", "gpt")

    administrator.post(url(Provider, "delete", model.provider_id), {"post": "yes"})

    gone = OperatorAction.objects.order_by("pk").values_list("verb", "kind", "before__name")
    assert list(gone) == [("delete", "provider", "p"), ("delete", "languagemodel", "gpt")]


TEXTS = {
    "deep": "[" * 100_000,
    "deep objects": '{"a": ' * 50_000,
    "a long number": '{"a": ' + "1" * 5_000 + "}",
    "half a pair": '{"\\ud800": "\\udfff"}',
    "a blank": " ",
    "markup": '{"<script>": "</textarea>',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    ("model", "field"),
    [(Provider, "headers"), (Provider, "regions"), (RoutingPolicy, "action")],
    ids=["headers", "regions", "action"],
)
def test_a_text_that_is_hard_to_parse_is_shown_again(administrator, model, field, text):
    page = administrator.post(url(model, "add"), {**forms()[model], field: text, "name": ""})

    assert page.status_code == 200
    assert page.context["adminform"].form[field].value() == text
    assert (field in page.context["adminform"].form.errors) == bool(text.strip())
    assert '{"<script>' not in page.content.decode()


def test_a_name_is_taken_once(administrator):
    administrator.post(url(Provider, "add"), PROVIDER)

    page = administrator.post(url(Provider, "add"), PROVIDER)

    assert "name" in page.context["adminform"].form.errors


def test_a_form_is_no_longer_than_what_is_written_into_it(administrator):
    page = administrator.get(url(RoutingPolicy, "add"))

    rows = [
        field.widget.attrs.get("rows") for field in page.context["adminform"].form.fields.values()
    ]
    assert {2, 4} == set(rows) - {None}


def test_what_is_no_json_is_said_of_the_field(administrator):
    page = administrator.post(url(Provider, "add"), PROVIDER | {"headers": '{"X": '})

    said = page.context["adminform"].form.errors["headers"][0]
    assert said.startswith("This is not JSON: unexpected end of data")


def test_a_policy_begins_before_it_ends(administrator):
    times = {"valid_from_0": "2026-02-01", "valid_from_1": "12:00"}
    times |= {"valid_to_0": "2026-01-01", "valid_to_1": "12:00"}

    page = administrator.post(url(RoutingPolicy, "add"), POLICY | times)

    assert page.status_code == 200
    assert page.context["adminform"].form.errors == {
        "valid_to": ["It must be after the time from which it holds."]
    }
