"""Bridges of tests."""

from contextlib import closing
from datetime import timedelta

from django.db.models import F

from jobs.corndogs import addresses
from jobs.corndogs.bridge import Bridge
from jobs.corndogs.client import connect
from jobs.models import Submission


def all_are_due():
    """As if an hour had passed here."""
    Submission.objects.update(due_at=F("due_at") - timedelta(hours=1))


def turn(outside, *queues):
    """One turn of a bridge of its own; how many commands it let in."""
    with closing(connect(addresses.parsed(outside.url), outside.key)) as client:
        return Bridge(client, queues).turn()
