"""Tokens for tests, made by the verbs."""

from datetime import timedelta

from django.db.models.functions import Now
from django.test import Client

from accounts import recognition, transitions
from accounts.callers import Caller, CallerKind
from accounts.models import ApiToken
from accounts.rights import EVERYTHING
from tests.console.people import make_person

ADMINISTRATOR = Caller(CallerKind.LOCAL, "tests", rights=EVERYTHING)


def issue(name="a token", **fields):
    """A token and its secret."""
    return transitions.issue(name, **fields, by=ADMINISTRATOR, reason="a test")


def of_person(group="Operator", role="", **fields):
    """A token of a person of this group, who is made for it."""
    return issue(user=make_person(group), role=role, **fields)


def of_agent(agent="agent-1", **fields):
    return issue(agent=agent, **fields)


def client_of(secret):
    return Client(headers={"authorization": f"Bearer {secret}"})


def let_expire(token):
    ApiToken.objects.filter(pk=token.pk).update(expires_at=Now() - timedelta(seconds=1))
    recognition.forget()


def let_memory_age(seconds):
    """As if this process had looked up everything that it knows so long ago."""
    memory = recognition._memory
    for digest, (since, found) in list(memory.tokens.items()):
        memory.tokens[digest] = since - seconds, found
    if memory.issued:
        memory.issued = memory.issued[0] - seconds, memory.issued[1]
