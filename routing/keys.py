"""The key of a provider: from the vault first, then from the environment."""

import os
import re
from typing import Protocol

from routing.candidates import Candidate

NOT_IN_NAMES = re.compile("[^A-Z0-9]+")


class KeyMissing(Exception):
    """There is no key that may be used; `word` says why."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Vault(Protocol):
    """Where keys are kept."""

    def read(self, provider: str, *, service: str, model: str, region: str) -> str:
        """The key to use now, which is audited. Raises KeyMissing."""


class NoVault:
    """There is none."""

    def read(self, provider: str, *, service: str, model: str, region: str) -> str:
        raise KeyMissing("not_found")


vault: Vault = NoVault()


def key_for(one: Candidate, service: str) -> str:
    """The key with which to call a candidate. Raises KeyMissing."""
    try:
        return vault.read(one.provider, service=service, model=one.model, region=one.region)
    except KeyMissing as missing:
        if key := os.environ.get(variable(one.provider), "").strip():
            return key
        raise missing from None


def variable(provider: str) -> str:
    """The name of the variable that may hold a provider's key."""
    return f"{NOT_IN_NAMES.sub('_', provider.upper()).strip('_')}_API_KEY"
