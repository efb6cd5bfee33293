"""Where providers are: which URLs and headers may be called, and with what."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from api.fields import LONGEST_NAME

KEY = "{key}"
MOST = 20
LONGEST = 500
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
VALUE = re.compile(r"[\x20-\x7e]{0,500}", re.ASCII)
OURS = frozenset(
    {"connection", "content-length", "content-type", "host", "transfer-encoding", "accept"}
    | {"accept-encoding", "expect", "te", "upgrade"}
)
"""Headers that are sent anyway, as they have to be, or ask for what nobody here can read."""
SECRET = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)
"""In the name of a header that may hold a secret, which belongs into the vault."""


class Unusable(ValueError):
    """A URL that cannot be called; the message is for people."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a base URL."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def keeps_secrets(self) -> bool:
        """Whether nobody on the way reads what is sent: by TLS, or to this machine."""
        return self.secure or is_here(self.host)


def parsed(url: str) -> Address:
    """The parts of a base URL. Raises Unusable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unusable("This is no URL.") from None
    if parts.scheme not in {"http", "https"}:
        raise Unusable("It must begin with https:// or http://.")
    if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise Unusable("It must have a host, and no user, query or fragment.")
    if not VALUE.fullmatch(url) or " " in url or "\\" in url:
        raise Unusable("It must have no blank, and no letters beyond ASCII.")
    secure = parts.scheme == "https"
    usual = 443 if secure else 80
    return Address(secure, parts.hostname, port or usual, parts.path.rstrip("/"))


def is_read_by_others(url: object) -> bool:
    """Whether it is a URL that can be called, by which a key would not stay secret."""
    try:
        return isinstance(url, str) and not parsed(url).keeps_secrets
    except Unusable:
        return False


def is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(url: str) -> None:
    """Raise ValidationError for a base URL that cannot be called."""
    try:
        parsed(url)
    except Unusable as problem:
        raise ValidationError(str(problem)) from None


def check_regions(value: object) -> None:
    if not isinstance(value, dict) or len(value) > MOST:
        raise ValidationError(_("This must be an object of base URLs by region."))
    for region, url in value.items():
        named = 0 < len(region) <= LONGEST_NAME
        if not named or not isinstance(url, str) or len(url) > LONGEST:
            raise ValidationError(_("This must be an object of base URLs by region."))
        check_address(url)


def check_headers(value: object) -> None:
    """Raise ValidationError for headers that cannot be sent, or that would break the request."""
    if not isinstance(value, dict) or len(value) > MOST:
        raise ValidationError(_("This must be an object of headers."))
    for name, text in value.items():
        fine = isinstance(text, str) and VALUE.fullmatch(text)
        if not TOKEN.fullmatch(name) or name.lower() in OURS or not fine:
            raise ValidationError(_("The header %(name)s cannot be sent.") % {"name": name})
        if SECRET.search(name) and KEY not in text:
            raise ValidationError(_("The header %(name)s must have {key}.") % {"name": name})


def with_key(headers: Mapping[str, str], key: str) -> dict[str, str]:
    """The headers with the key in its place; as a bearer token where none names it."""
    if key and not any(KEY in text for text in headers.values()):
        headers = {**headers, "Authorization": f"Bearer {KEY}"}
    return {name: text.replace(KEY, key) for name, text in headers.items()}


def referring(headers: Mapping[str, str], provider: str, *, needs_key: bool) -> dict[str, str]:
    """The same with a reference to the vault in place of the key."""
    return with_key(headers, f"{{vault:{provider}}}" if needs_key else "")
