"""Receivers and rules are set in the admin; what is sealed is never read back there."""

import pytest
from django.urls import reverse

from accounts import sealing
from events.models import OperatorAction
from notifications.models import Delivery, DeliveryStatus, Receiver, Rule
from tests.console.people import browser_of
from tests.notifications.receivers import SECRET, make_delivery, make_mail, make_rule, make_webhook

pytestmark = pytest.mark.django_db

URL = "https://hooks.example.org/services/very-hidden?sig=abc"
WEBHOOK = {
    "name": "chat",
    "kind": "webhook",
    "language": "en",
    "enabled": "on",
    "url": URL,
    "secret": SECRET,
    "address": "",
}
MAIL = WEBHOOK | {
    "name": "post",
    "kind": "mail",
    "url": "",
    "secret": "",
    "address": "a@example.org",
}


def add(browser, values, model="receiver"):
    return browser.post(reverse(f"admin:notifications_{model}_add"), values)


def change(browser, row, values):
    path = reverse(f"admin:notifications_{row._meta.model_name}_change", args=[row.pk])
    return browser.post(path, values)


def errors_of(response):
    return dict(response.context["adminform"].form.errors)


@pytest.mark.parametrize(
    ("values", "place"),
    [(WEBHOOK, "https://hooks.example.org:443"), (MAIL, "a@example.org")],
    ids=["webhook", "mail"],
)
def test_a_receiver_is_made_and_what_is_sealed_is_shown_nowhere(values, place):
    browser = browser_of("Admin")

    assert add(browser, values).status_code == 302

    receiver = Receiver.objects.get()
    assert receiver.place == place
    path = reverse("admin:notifications_receiver_change", args=[receiver.pk])
    pages = [browser.get(path), browser.get(reverse("admin:notifications_receiver_changelist"))]
    for page in pages:
        assert page.status_code == 200
        assert b"very-hidden" not in page.content
        assert SECRET.encode() not in page.content
    action = OperatorAction.objects.get()
    assert (action.verb, action.kind) == ("add", "receiver")
    assert "sealed" not in action.after
    assert "very-hidden" not in repr(action.after)


def test_what_is_left_empty_stays_as_it_is():
    browser = browser_of("Admin")
    receiver = make_webhook(URL)
    before = bytes(receiver.sealed)

    response = change(browser, receiver, WEBHOOK | {"name": "new", "url": "", "secret": ""})

    assert response.status_code == 302
    receiver.refresh_from_db()
    assert (receiver.name, bytes(receiver.sealed)) == ("new", before)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": ""}, "url"),
        ({"secret": ""}, "secret"),
        ({"secret": "short"}, "secret"),
        ({"secret": "whsec_this is no base64!"}, "secret"),
        ({"url": "ftp://example.org/x"}, "url"),
        ({"url": "https://user:pass@example.org/x"}, "url"),
        ({"url": "https://example.org/x#y"}, "url"),
        ({"url": "https://example.org/a b"}, "url"),
        ({"url": "https://example.org/\u202e"}, "url"),
        ({"url": "https://[::1"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": f"https://{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.org/"}, "url"),
        ({"kind": "mail"}, "address"),
        ({"kind": "mail", "address": f"{'a' * 300}@example.org"}, "address"),
        ({"kind": "mail", "address": "nobody"}, "address"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "replace").decode(),
)
def test_a_receiver_that_cannot_be_reached_is_refused_by_its_field(wrong, field):
    response = add(browser_of("Admin"), WEBHOOK | wrong)

    assert response.status_code == 200
    assert list(errors_of(response)) == [field]
    assert b"very-hidden" not in response.content
    assert not Receiver.objects.exists()


def test_a_webhook_that_becomes_mail_needs_an_address():
    browser = browser_of("Admin")
    receiver = make_webhook(URL)

    refused = change(browser, receiver, MAIL | {"address": ""})
    assert list(errors_of(refused)) == ["address"]

    assert change(browser, receiver, MAIL).status_code == 302
    receiver.refresh_from_db()
    assert (receiver.kind, receiver.place) == ("mail", "a@example.org")


def test_operators_set_rules_but_no_receivers_and_viewers_set_neither():
    receiver = make_mail()
    rule = {
        "name": "night",
        "receiver": receiver.pk,
        "kinds": ["chain_locked"],
        "severity": "warning",
        "after_seconds": "60",
        "repeat_seconds": "0",
        "tells_end": "on",
        "enabled": "on",
    }
    assert add(browser_of("Operator"), WEBHOOK).status_code == 403
    assert add(browser_of("Viewer"), rule, "rule").status_code == 403

    response = add(browser_of("Operator"), rule, "rule")

    assert response.status_code == 302
    assert Rule.objects.get().kinds == ["chain_locked"]
    assert OperatorAction.objects.get().kind == "rule"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"repeat_seconds": "5"}, "__all__"),
        ({"after_seconds": "-1"}, "after_seconds"),
        ({"after_seconds": "99999999999"}, "after_seconds"),
        ({"kinds": ["nothing"]}, "kinds"),
        ({"severity": "x"}, "severity"),
    ],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_refused(wrong, field):
    rule = {
        "name": "night",
        "receiver": make_mail().pk,
        "kinds": [],
        "severity": "warning",
        "after_seconds": "60",
        "repeat_seconds": "0",
    }
    response = add(browser_of("Operator"), rule | wrong, "rule")

    assert response.status_code == 200
    assert list(errors_of(response)) == [field]


def use(browser, row, verb):
    name = f"admin:notifications_{row._meta.model_name}_verb"
    path = reverse(name, args=[row.pk, verb])
    assert browser.get(path).status_code == 200
    return browser.post(path, {"confirmed": "1", "reason": "to see it"})


def test_a_test_is_sent_and_a_dead_letter_is_sent_again():
    browser = browser_of("Operator")
    receiver = make_mail()
    use(browser, receiver, "test")
    message = Delivery.objects.get()
    assert message.data["text"] == "A test, by user:operator: to see it"

    use(browser, message, "drop")
    message.refresh_from_db()
    assert message.status == DeliveryStatus.DEAD

    use(browser, message, "send_again")
    message.refresh_from_db()
    assert (message.status, message.attempts) == (DeliveryStatus.WAITING, 0)
    assert OperatorAction.objects.count() == 3


def test_a_receiver_is_deleted_with_its_rules_and_messages():
    receiver = make_mail()
    make_rule(receiver)
    make_delivery(receiver)
    browser = browser_of("Admin")

    browser.post(
        reverse("admin:notifications_receiver_delete", args=[receiver.pk]), {"post": "yes"}
    )

    assert not Receiver.objects.exists()
    assert not Delivery.objects.exists()
    gone = OperatorAction.objects.filter(verb="delete").order_by("id")
    assert list(gone.values_list("kind", flat=True)) == ["receiver", "rule"]


def test_a_long_url_is_taken_as_it_is():
    url = f"https://hooks.example.org/{'very-hidden/' * 100}?sig={'a' * 300}"

    assert add(browser_of("Admin"), WEBHOOK | {"url": url}).status_code == 302

    [receiver] = Receiver.objects.all()
    assert sealing.opened(bytes(receiver.sealed))["url"] == url


def test_lists_are_in_words_and_what_has_arrived_has_no_next_attempt():
    make_rule(make_webhook(URL), severity="alarm")
    data = {"type": "attention.began", "text": "3 chains are locked."}
    delivery = make_delivery(make_mail(), key="chain_locked", data=data)
    browser = browser_of("Operator")

    def shown(model):
        return browser.get(reverse(f"admin:notifications_{model}_changelist")).content.decode()

    assert ("Urgent" in shown("rule"), "alarm" in shown("rule")) == (True, False)
    waits = shown("delivery")
    assert ("3 chains are locked." in waits, "chain_locked" in waits) == (True, False)
    ended = {"status": DeliveryStatus.SENT, "ended_at": delivery.due_at}
    Delivery.objects.filter(pk=delivery.pk).update(**ended)
    assert shown("delivery").count("<time ") == waits.count("<time ") - 1
