"""The key of a provider: from the vault first, then from the environment."""

import os
import re

from routing.candidates import Candidate
from vault.exceptions import VaultProblem
from vault.reading import Selector, read

BY = "routing"
NOT_IN_NAMES = re.compile("[^A-Z0-9]+")
OTHERS = frozenset({"CORNDOGS_API_KEY"})
"""Secrets of the coordinator that are for no provider, whatever administrators call one."""


class KeyMissing(Exception):
    """There is no key that may be used; `word` says what the vault says of it."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def key_for(one: Candidate, service: str) -> str:
    """The key with which to call a candidate; the vault notes that it was read. Raises KeyMissing.

    Whatever is wrong with the key of the vault, the variable stands in for it.
    """
    try:
        wanted = Selector(provider=one.provider, service=service, resource=one.model)
        return read(wanted, by=BY).value
    except VaultProblem as problem:
        name = variable(one.provider)
        if name not in OTHERS and (key := os.environ.get(name, "").strip()):
            return key
        raise KeyMissing(problem.reason) from None


def variable(provider: str) -> str:
    """The name of the variable that may hold a provider's key."""
    return f"{NOT_IN_NAMES.sub('_', provider.upper()).strip('_')}_API_KEY"
