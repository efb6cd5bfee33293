"""The key of a provider: from the vault first, then from the environment."""

import os
import re

from django.conf import settings

from api.fields import NOBODY
from routing.candidates import Candidate
from vault.exceptions import KeyOutOfScope, VaultProblem
from vault.models import SecureKey
from vault.reading import Selector, read

BY = "routing"
NOT_IN_NAMES = re.compile("[^A-Z0-9]+")
UNSENDABLE = "unsendable"
OTHERS = frozenset({"CORNDOGS_API_KEY"})
"""Secrets of the coordinator that are for no provider, whatever administrators call one."""
SENDABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)
"""What a header may have."""


class KeyMissing(Exception):
    """There is no key that may be used, or none that can be sent; the message is one word why.

    `for_all`: neither is there another key of the provider, for other services or models.
    """

    def __init__(self, why: str, *, for_all: bool = True) -> None:
        super().__init__(why)
        self.for_all = for_all


def key_for(one: Candidate, service: str) -> str:
    """The key with which to call a candidate; the vault notes that it was read. Raises KeyMissing.

    Whatever is wrong with the key of the vault, the variable stands in for it. White space around a
    key, such as the line end that was pasted with it, is not a part of it.
    """
    wanted = Selector(provider=one.provider, service=service, resource=one.model)
    try:
        key, missing = read(wanted, by=BY).value, KeyMissing(UNSENDABLE)
    except VaultProblem as problem:
        key, missing = "", KeyMissing(problem.reason, for_all=not _has_another(one, problem))
    name = variable(one.provider)
    instead = "" if name in OTHERS else os.environ.get(name, "")
    for found in (key.strip(), instead.strip()):
        if SENDABLE.fullmatch(found):
            return found
    raise missing


def _has_another(one: Candidate, problem: VaultProblem) -> bool:
    """Whether the provider has another key than the one that cannot be used."""
    keys = SecureKey.objects.active_of(one.provider, settings.KEY_VAULT_MODE)
    if problem.reason != KeyOutOfScope.reason:  # that one is for another service
        keys = keys.exclude(pk=problem.subject.key_id or NOBODY)
    return keys.exists()


def variable(provider: str) -> str:
    """The name of the variable that may hold a provider's key."""
    return f"{NOT_IN_NAMES.sub('_', provider.upper()).strip('_')}_API_KEY"
