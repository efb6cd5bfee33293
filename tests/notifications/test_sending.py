"""Messages are sent to real receivers: signed, again where they fail, and in the end dead."""

import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts import sealing
from api.body import dumps
from notifications import sending, transitions
from notifications.mail import text
from notifications.models import Delivery, DeliveryStatus, Receiver
from tests.notifications.receivers import (
    is_signed,
    make_delivery,
    make_due,
    make_mail,
    make_webhook,
)

pytestmark = pytest.mark.django_db(transaction=True)


def url_of(server, path="/hook?token=hidden"):
    return server.url.removesuffix("/v1") + path


def answer(status, **headers):
    return lambda exchange, asked: exchange.say(status, b"", **headers)


def test_a_message_arrives_once_and_is_signed(serve):
    server = serve()
    delivery = make_delivery(make_webhook(url_of(server)))

    assert sending.send_due() == 1
    assert sending.send_due() == 0

    [asked] = server.asked
    assert asked.path == "/hook?token=hidden"
    assert asked.body == delivery.data
    assert asked.headers["webhook-id"] == str(delivery.pk)
    assert abs(int(asked.headers["webhook-timestamp"]) - time.time()) < 60
    delivery.refresh_from_db()
    assert is_signed(asked, dumps(delivery.data))
    assert delivery.status == DeliveryStatus.SENT
    assert delivery.ended_at is not None


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (answer(500), "status_500"),
        (answer(404), "status_404"),
        (answer(302, Location="http://127.0.0.1:1/elsewhere"), "status_302"),
        (lambda exchange, asked: exchange.cut(), "connection"),
    ],
    ids=["500", "404", "redirect", "cut"],
)
def test_a_message_that_does_not_arrive_is_sent_again_with_the_same_id(serve, act, error):
    server = serve(act)
    delivery = make_delivery(make_webhook(url_of(server)))
    begun = timezone.now()

    sending.send_due()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.WAITING, error)
    assert begun + timedelta(seconds=3) < delivery.due_at < begun + timedelta(seconds=20)
    assert sending.send_due() == 0  # not due yet
    make_due()
    server.act = answer(200)
    assert sending.send_due() == 1
    assert {asked.headers["webhook-id"] for asked in server.asked} == {str(delivery.pk)}
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 2)


def test_after_the_last_attempt_it_is_a_dead_letter_which_can_be_sent_again(serve):
    server = serve(answer(503))
    delivery = make_delivery(make_webhook(url_of(server)))

    for _ in range(sending.MOST_ATTEMPTS):
        make_due()
        assert sending.send_due() == 1
    make_due()
    assert sending.send_due() == 0
    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.DEAD, "status_503")

    server.act = answer(200)
    transitions.send_again(delivery.pk)
    assert sending.send_due() == 1
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SENT


def test_a_receiver_that_is_gone_gets_no_other_attempt(serve):
    delivery = make_delivery(make_webhook(url_of(serve(answer(410)))))

    sending.send_due()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.DEAD, "status_410")


@pytest.mark.parametrize(
    ("retry_after", "least"),
    [
        ("90", 80),
        ("999999999", 3_500),
        ("9" * 5_000, 3_500),
        (format_datetime(datetime.now(UTC) + timedelta(days=2), usegmt=True), 3_500),
        ("Wed, 21 Oct 2020 07:28:00 GMT", 3),
        ("Wed, 99 Oct 2020 99:28:00", 3),
        ("-5", 3),
        ("", 3),
    ],
    ids=["seconds", "too many", "digits", "a time", "a time gone", "no time", "negative", "empty"],
)
def test_a_receiver_that_is_busy_is_left_alone_as_long_as_it_asks_up_to_a_limit(
    serve, retry_after, least
):
    delivery = make_delivery(make_webhook(url_of(serve(answer(429, Retry_After=retry_after)))))
    begun = timezone.now()

    sending.send_due()

    delivery.refresh_from_db()
    pause = (delivery.due_at - begun).total_seconds()
    assert least <= pause <= 3_700


def test_a_receiver_that_says_nothing_keeps_the_others_waiting_for_one_attempt_at_most(
    serve, monkeypatch
):
    monkeypatch.setattr("notifications.webhooks.ANSWER_WITHIN", 1.0)
    silent = make_delivery(make_webhook(url_of(serve(lambda exchange, asked: exchange.wait(20)))))
    well = make_delivery(make_webhook(url_of(serve())))
    begun = time.monotonic()

    assert sending.send_due() == 2

    assert time.monotonic() - begun < 10
    silent.refresh_from_db()
    well.refresh_from_db()
    assert (silent.status, silent.last_error) == (DeliveryStatus.WAITING, "timeout")
    assert well.status == DeliveryStatus.SENT


@pytest.fixture
def due_for_one(serve):
    """Very much is due for one receiver, for longer than all else."""
    crowded = make_webhook(url_of(serve(lambda exchange, asked: exchange.wait(20))))
    long_ago = timezone.now() - timedelta(hours=1)
    for _ in range(600):
        make_delivery(crowded, due_at=long_ago)
    return crowded


def test_however_much_is_due_for_one_receiver_the_others_get_theirs(
    serve, due_for_one, monkeypatch
):
    monkeypatch.setattr("notifications.webhooks.ANSWER_WITHIN", 1.0)
    monkeypatch.setattr(sending, "GOES_ON", 0.0)
    well = make_delivery(make_webhook(url_of(serve())))

    sending.send_due()

    well.refresh_from_db()
    assert well.status == DeliveryStatus.SENT


def test_who_answers_gets_all_its_messages_while_another_says_nothing(serve, monkeypatch):
    monkeypatch.setattr("notifications.webhooks.ANSWER_WITHIN", 3.0)
    silent = make_delivery(make_webhook(url_of(serve(lambda exchange, asked: exchange.wait(20)))))
    receiver = make_webhook(url_of(serve()))
    for _ in range(10):
        make_delivery(receiver)
    seen = []

    def look():
        time.sleep(2)
        seen.append(Delivery.objects.filter(receiver=receiver, status=DeliveryStatus.SENT).count())
        connection.close()

    watcher = threading.Thread(target=look)
    watcher.start()
    sending.send_due()
    watcher.join()

    assert seen == [10]  # before the silent one was given up
    silent.refresh_from_db()
    assert silent.last_error == "timeout"


def test_what_is_made_while_another_is_waited_for_is_sent_meanwhile(serve, monkeypatch):
    monkeypatch.setattr("notifications.webhooks.ANSWER_WITHIN", 6.0)
    make_delivery(make_webhook(url_of(serve(lambda exchange, asked: exchange.wait(20)))))
    server = serve()
    receiver = make_webhook(url_of(server))
    begun = time.monotonic()

    def make():
        time.sleep(1)
        make_delivery(receiver)
        connection.close()

    maker = threading.Thread(target=make)
    maker.start()
    arrived = []
    server.act = lambda exchange, asked: (
        arrived.append(time.monotonic() - begun),
        exchange.say(204, b""),
    )
    sending.send_due()
    maker.join()

    assert len(arrived) == 1
    assert arrived[0] < 5


def endless(exchange, asked):
    exchange.send_response(200)
    exchange.end_headers()
    while not exchange.server.owner.ended.wait(0.01):
        exchange.wfile.write(b"x" * 1_000)


@pytest.mark.parametrize(
    "act",
    [lambda exchange, asked: exchange.say(200, b"x" * 1_000_000), endless],
    ids=["long", "endless"],
)
def test_what_a_receiver_says_after_it_has_taken_a_message_is_not_read(serve, act):
    server = serve(act)
    delivery = make_delivery(make_webhook(url_of(server)))
    begun = time.monotonic()

    assert sending.send_due() == 1

    assert time.monotonic() - begun < 5
    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.SENT, "")


def test_who_says_without_end_to_go_on_is_not_listened_to(serve):
    def act(exchange, asked):
        while not exchange.server.owner.ended.is_set():
            exchange.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    delivery = make_delivery(make_webhook(url_of(serve(act))))

    sending.send_due()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.WAITING, "answer_too_long")


def test_a_message_that_cannot_be_sent_has_its_attempts_and_others_go_on(serve, mail_box):
    odd = make_delivery(make_mail(), data={"type": "nobody knows", "text": "odd"})
    well = make_delivery(make_webhook(url_of(serve())))

    assert sending.send_due() == 2

    odd.refresh_from_db()
    well.refresh_from_db()
    assert (odd.status, odd.attempts, odd.last_error) == (DeliveryStatus.WAITING, 1, "internal")
    assert well.status == DeliveryStatus.SENT


def test_what_is_picked_by_one_is_not_sent_by_another(serve):
    server = serve()
    receivers = [make_webhook(url_of(server)) for _ in range(4)]
    for receiver in receivers:
        make_delivery(receiver)
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        sending.send_due()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({asked.headers["webhook-id"] for asked in server.asked}) == 4
    assert len(server.asked) == 4


def test_what_was_picked_by_a_process_that_died_is_due_again_after_a_minute(serve, monkeypatch):
    server = serve()
    delivery = make_delivery(make_webhook(url_of(server)))
    assert len(sending._picked(8)) == 1  # and nobody sends it

    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.WAITING
    assert sending.send_due() == 0
    make_due()
    assert sending.send_due() == 1
    assert len(server.asked) == 1


def test_a_verdict_that_comes_after_a_person_dropped_the_message_changes_nothing(serve):
    delivery = make_delivery(make_webhook(url_of(serve())))
    [letter] = sending._picked(8)
    transitions.drop(delivery.pk)

    sending._keep(letter, sending.attempt(letter))

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.DEAD, "dropped")


def test_a_mail_names_what_it_is_about_and_since_when():
    data = {
        "type": "attention.began",
        "text": "27 tasks failed for good.",
        "since": "2026-11-29T11:48:09.193455+01:00",
        "about": [{"id": "1", "title": "nightly\r\nbuild"}, {"id": "2", "title": "배포"}],
        "count": 27,
    }

    lines = text(data).splitlines()

    assert lines[2:5] == ["- nightly build", "- 배포", "- …"]
    assert lines[-1] == "Since 2026-11-29 10:48:09 UTC"
    assert "- …" not in text(data | {"count": 2})


def test_a_message_goes_by_mail(mail_box):
    delivery = make_delivery(
        make_mail(), data={"type": "attention.began", "text": "3 chains\r\nare locked: 작업 ☃"}
    )

    assert sending.send_due() == 1

    [mail] = mail_box.mails
    assert mail["To"] == "operators@example.org"
    assert mail["Subject"].strip() == "[Coordinator] Began: 3 chains are locked: 작업 ☃"
    assert "are locked: 작업 ☃" in mail.get_content()
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SENT


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ("451 try later", DeliveryStatus.WAITING, "smtp_451"),
        ("550 nobody here", DeliveryStatus.DEAD, "smtp_550"),
    ],
)
def test_a_mail_server_that_refuses_is_asked_again_unless_for_good(mail_box, said, status, error):
    mail_box.answer = said
    delivery = make_delivery(make_mail())

    sending.send_due()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (status, error)


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ("450 full", DeliveryStatus.WAITING, "smtp_450"),
        ("550 no such mailbox", DeliveryStatus.DEAD, "smtp_550"),
    ],
)
def test_an_address_that_the_mail_server_does_not_know_gets_no_other_attempt(
    mail_box, said, status, error
):
    mail_box.recipient = said
    delivery = make_delivery(make_mail())

    sending.send_due()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (status, error)


@pytest.mark.parametrize(
    "words",
    [b"2", b"220-and more\r\n", b"x" * 1_000],
    ids=["letter by letter", "line by line", "line without end"],
)
def test_a_mail_server_that_never_ends_is_given_up(settings, monkeypatch, words):
    monkeypatch.setattr("notifications.mail.WITHIN", 2.0)
    delivery = make_delivery(make_mail())
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()

        def speak():
            client, _ = server.accept()
            with client, suppress(OSError):
                while not ended.wait(0.2):
                    client.sendall(words)

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        begun = time.monotonic()
        sending.send_due()
        ended.set()
        speaker.join()

    assert time.monotonic() - begun < 8
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.WAITING, 1)


def test_without_a_mail_server_messages_wait(settings):
    settings.EMAIL_HOST = ""
    delivery = make_delivery(make_mail())

    sending.send_due()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == (DeliveryStatus.WAITING, "no_mail_server")


def test_what_cannot_be_opened_is_a_dead_letter_and_others_go_on(serve, settings):
    lost = make_delivery(make_webhook(url_of(serve())))
    Receiver.objects.update(sealed=b"gAAAAnothing")
    well = make_delivery(make_webhook(url_of(serve())))

    sending.send_due()

    lost.refresh_from_db()
    well.refresh_from_db()
    assert (lost.status, lost.last_error) == (DeliveryStatus.DEAD, "cannot_be_opened")
    assert well.status == DeliveryStatus.SENT


def test_a_changed_encryption_key_seals_receivers_anew(serve, settings):
    receiver = make_webhook(url_of(serve()))
    before = bytes(receiver.sealed)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    out = StringIO()
    call_command("vault_rotate", stdout=out)
    assert "Sealed 1 receivers of notifications anew." in out.getvalue()
    receiver.refresh_from_db()
    assert bytes(receiver.sealed) != before
    assert sealing.reseal_others() == (0, 0)
    make_delivery(receiver)
    sending.send_due()
    assert Delivery.objects.get().status == DeliveryStatus.SENT


def test_neither_url_nor_secret_is_in_any_column_that_is_not_sealed(serve):
    server = serve(answer(500))
    receiver = make_webhook(url_of(server, "/services/T000/very-hidden"))
    make_delivery(receiver)

    sending.send_due()

    for model in (Receiver, Delivery):
        for row in model.objects.values():
            assert "very-hidden" not in repr(row)
            assert "whsec" not in repr(row)
    assert receiver.place == url_of(server, "")
