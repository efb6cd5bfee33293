"""The keys of calls: from the vault, from the environment, and where there is none."""

import json
import logging

import pytest
from django.db.models.functions import Now

from routing import calls
from routing.candidates import RouteRequest
from routing.exceptions import CallRefused, NoAnswer
from routing.models import (
    FailoverTotal,
    ProviderHealth,
    RoutingSnapshot,
)
from tests.routing.calling import ask, failing, health, results
from tests.routing.making import MESSAGES, QUICK, SECRET, make_key, make_model
from vault.models import KeyAudit, KeyVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def keyed(serve):
    """A provider that takes SECRET alone, and another that needs no key."""

    def act(exchange, asked):
        good = asked.headers.get("authorization") == f"Bearer {SECRET}"
        exchange.complete() if good else exchange.say(401, b"{}")

    provider = serve(act)
    make_model("kept-here", url=provider.url, needs_key=True, input_usd_per_1k=0)
    make_model("good", url=serve().url, output_usd_per_1k=9)
    return provider


def test_the_key_is_that_of_the_vault(keyed, monkeypatch):
    make_key("kept-here")
    monkeypatch.setenv("KEPT_HERE_API_KEY", "of the environment")

    assert ask().provider == "kept-here"

    assert KeyAudit.objects.filter(event="read", actor="routing", success=True).count() == 1


def test_without_one_there_it_is_that_of_the_environment(keyed, monkeypatch):
    monkeypatch.setenv("KEPT_HERE_API_KEY", SECRET)

    assert ask().provider == "kept-here"


def test_a_secret_of_the_coordinator_itself_goes_to_no_provider(serve, monkeypatch):
    provider = serve()
    make_model("corndogs", url=provider.url, needs_key=True)
    monkeypatch.setenv("CORNDOGS_API_KEY", SECRET)

    with pytest.raises(NoAnswer):
        ask()

    assert provider.count == 0


def test_the_line_end_that_was_pasted_with_a_key_is_not_sent(keyed):
    make_key("kept-here", f" {SECRET}\r\n")

    assert ask().provider == "kept-here"


@pytest.mark.parametrize(
    "value", ["sk-1\nX-Other: 2", "ключ", "sk-\x7f"], ids=["lines", "letters", "DEL"]
)
def test_a_key_that_no_header_can_have_is_none(keyed, monkeypatch, value):
    make_key("kept-here", value)

    assert ask().provider == "good"

    assert results()[0] == ("kept-here", "no_key", "no")
    assert health("kept-here").error_rate == 0
    ProviderHealth.objects.update(parked_until=None)
    monkeypatch.setenv("KEPT_HERE_API_KEY", SECRET)
    assert ask().provider == "kept-here"


def test_without_any_another_provider_is_called_and_it_is_said(keyed):
    reply = ask()
    again = ask()

    assert (reply.provider, reply.failovers, keyed.count) == ("good", 1, 0)
    assert again.failovers == 0  # it is left alone for a minute
    assert health("kept-here").parked_because == "no_key"
    assert FailoverTotal.objects.get().reason == "no_key"
    assert health("kept-here").error_rate == 0


def test_a_key_that_expires_in_the_middle(keyed):
    make_key("kept-here")
    first = ask()
    KeyVersion.objects.update(expires_at=Now())

    second = ask()

    assert (first.provider, second.provider) == ("kept-here", "good")
    assert keyed.count == 1
    assert KeyAudit.objects.filter(event="fail", reason="key_expired").count() == 1


@pytest.mark.parametrize(
    "of_embeddings",
    [{"service": "chat"}, {"service": "", "scopes": ["chat"]}, {"expired": True}],
    ids=["of chat", "for chat", "expired"],
)
def test_a_service_without_a_key_leaves_the_others_of_its_provider_alone(keyed, of_embeddings):
    make_model("kept-here", "e", service="embeddings")
    if of_embeddings.pop("expired", False):
        make_key("kept-here", "old", name="old", service="embeddings")
        KeyVersion.objects.update(expires_at=Now())
    make_key("kept-here", **{"service": "chat"} | of_embeddings)
    request = RouteRequest(service="embeddings", intent="embeddings")

    with pytest.raises(NoAnswer):
        calls.embed_routed(request, ["a"], patience=QUICK)

    assert RoutingSnapshot.objects.first().attempts[0]["result"] == "no_key"
    assert ask().provider == "kept-here"


def test_a_model_without_a_key_does_not_keep_the_others_of_its_provider_from_being_asked(keyed):
    make_model("kept-here", "a", input_usd_per_1k=0, output_usd_per_1k=0)
    make_key("kept-here", resource="m")

    reply = ask()

    assert (reply.provider, reply.model, reply.failovers) == ("kept-here", "m", 1)


def test_a_key_that_is_refused_is_said_in_health(keyed):
    make_key("kept-here", "sk-another-key-of-before")

    assert ask().provider == "good"

    assert health("kept-here").parked_because == "bad_key"


def test_a_key_is_not_sent_without_tls(serve, monkeypatch):
    make_key("far", SECRET)
    make_model("far", url="http://models.example.org/v1", needs_key=True, input_usd_per_1k=0)
    make_model("good", url=serve().url)

    assert ask().provider == "good"

    assert results()[0] == ("far", "bad_address", "no")


def test_the_key_is_sent_as_the_provider_has_it(serve):
    provider = serve()
    headers = {"api-key": "{key}", "X-Project": "p"}
    make_model("own", url=provider.url, needs_key=True, headers=headers)
    make_key("own")

    ask()

    [asked] = provider.asked
    assert (asked.headers["api-key"], asked.headers["x-project"]) == (SECRET, "p")
    assert "authorization" not in asked.headers


def test_no_secret_and_no_message_is_kept_or_logged(keyed, serve, caplog):
    caplog.set_level(logging.DEBUG)
    make_key("kept-here")
    ask()
    keyed.act = failing(500)
    ask()
    keyed.act = failing(400)
    ProviderHealth.objects.update(error_rate=0)

    with pytest.raises(CallRefused) as refused:
        ask()

    kept = json.dumps(list(RoutingSnapshot.objects.values()), default=str)
    kept += json.dumps(list(ProviderHealth.objects.values()), default=str)
    for text in (SECRET, MESSAGES[0]["content"]):
        assert text not in kept
        assert text not in caplog.text
        assert text not in repr(refused.value)
