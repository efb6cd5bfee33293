"""The token of a lease, which a claim gives: for that task alone, until it is claimed anew.

It is made of task and epoch, not stored. What it may do checks that the lease has not ended. A user
who is not active any more ends the tokens of their agents.
"""

import re
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import credentials
from accounts.callers import AgentScope, Caller, CallerKind, LeaseScope
from accounts.recognition import NOBODY, Recognized
from tasks.models import Task

FORM = re.compile(rb"lease_([0-9a-f]{32})_([0-9]{1,18})_([0-9a-f]{64})")


def of(task_id: UUID, epoch: int) -> str:
    return f"lease_{task_id.hex}_{epoch}_{_seal(task_id, epoch)}"


def _seal(task_id: UUID, epoch: int) -> str:
    said = f"{task_id.hex}:{epoch}"
    return salted_hmac("coordinator.lease", said, algorithm="sha256").hexdigest()


def _read(secret: bytes) -> LeaseScope | None:
    """The lease that a secret is the token of; None where it is none of ours."""
    found = FORM.fullmatch(secret)
    if found is None:
        return None
    task_id, epoch = UUID(found[1].decode()), int(found[2])
    if not constant_time_compare(found[3], _seal(task_id, epoch)):
        return None
    return LeaseScope(task_id, epoch)


class LeaseAuthentication(BaseAuthentication):
    """The token of a lease: its caller is the agent that claimed the task, for this task alone."""

    def authenticate(self, request: Request) -> Recognized | None:
        for secret in credentials.offered(request._request):
            lease = _read(secret)
            if lease is None:
                continue
            claimed = Task.objects.filter(pk=lease.task_id, lease_epoch=lease.epoch)
            live = claimed.exclude(agent__user__is_active=False)
            agent_id = live.values_list("last_holder", flat=True).first()
            if agent_id:
                return NOBODY, _caller(agent_id, lease)
        return None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _caller(agent_id: str, lease: LeaseScope) -> Caller:
    return Caller(CallerKind.LEASE, f"agent:{agent_id}", scope=AgentScope(agent_id), lease=lease)
