"""Rows for tests of notifications."""

import base64
import hashlib
import hmac
from datetime import timedelta
from itertools import count

from django.utils import timezone

from notifications import transitions
from notifications.models import Delivery, Event, Receiver, Rule

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes it is").decode()
_serial = count(1)


def make_webhook(url, *, secret=SECRET, **fields):
    receiver = Receiver(name=f"webhook {next(_serial)}", **fields)
    transitions.seal_webhook(receiver, url=url, secret=secret)
    receiver.save()
    return receiver


def make_mail(address="operators@example.org", **fields):
    receiver = Receiver(name=f"mail {next(_serial)}", **fields)
    transitions.seal_address(receiver, address)
    receiver.save()
    return receiver


def make_rule(receiver, **fields):
    return Rule.objects.create(name=f"rule {next(_serial)}", receiver=receiver, **fields)


def make_delivery(receiver, **fields):
    data = {"type": Event.BEGAN, "text": "3 chains are locked.", "key": "locked"}
    return Delivery.objects.create(
        **{"receiver": receiver, "event": Event.BEGAN, "key": "locked", "data": data} | fields
    )


def make_due():
    """Let all messages that wait be due now."""
    Delivery.objects.waiting().update(due_at=timezone.now() - timedelta(seconds=1))


def is_signed(asked, raw, secret=SECRET):
    """Whether a request is signed as the Standard Webhooks specification wants it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + raw
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return asked.headers["webhook-signature"] == f"v1,{expected}"
