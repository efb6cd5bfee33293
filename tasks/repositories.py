"""The URL of a repository, with its name and password apart: these are kept as a secret."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

CREDENTIAL = "source:credential"
"""The name of that secret, which no variable of an environment can have."""
SSH = frozenset({"ssh", "git+ssh", "ssh+git"})
SHORTEST_TOKEN = 20
"""A name before a password is masked too if it is so long: some servers take a token as name."""
WITHOUT_PROTOCOL = re.compile("[^/@]*:[^/@]*@")


class Repository(NamedTuple):
    """Where it is, and `name:password` or `token` as it stood in its URL; "" if nothing did."""

    url: str
    credential: str = ""


def apart(url: str) -> Repository:
    """Take the credential out of a URL. The name of an account of ssh is none, and stays.

    Raises ValueError, with what is wrong, where it cannot be told.
    """
    if "://" not in url:
        if WITHOUT_PROTOCOL.match(url):
            raise ValueError("must begin with https:// where it has a name and password")
        return Repository(url)
    try:
        parts = urlsplit(url)
        understood = parts.port is None or "@" not in parts.query + parts.fragment
    except ValueError:
        understood = False
    if not understood:
        raise ValueError("cannot be understood; write / ? # [ of a password as %2F %3F %23 %5B")
    credential, at, host = parts.netloc.rpartition("@")
    if not at or (parts.scheme in SSH and parts.password is None):
        return Repository(url)
    return Repository(urlunsplit(parts._replace(netloc=host)), credential)


def hidden_in(credential: str) -> set[str]:
    """What of a credential must not be shown: the password, and a name that may be a token."""
    name, _, password = credential.partition(":")
    tokens = {password, "" if password and len(name) < SHORTEST_TOKEN else name}
    return {text for token in tokens for text in (token, unquote(token)) if text}
