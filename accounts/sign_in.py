"""Who signs in how often: failures are kept by django-axes, for each name at each address.

Names that nobody has are counted like others, and while a name has to wait at an address no
password is checked for it, so nobody learns there whether it exists.
"""

from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

from api import throttling

SCOPE = "sign_in"
SALT = "accounts.sign_in"


def name_in(request: HttpRequest, credentials: Mapping[str, object] | None) -> str:
    """What stands for the name in table and log: people type passwords in its place.

    All spellings of it count together, whether anybody has that name or not.
    """
    name = str((credentials or {}).get("username") or "").casefold()
    return salted_hmac(SALT, name, algorithm="sha256").hexdigest()


def address_of(request: HttpRequest) -> str | None:
    """The address that signs in; None where a proxy says something that is none."""
    return throttling.address_of(request) or None


def line_for(
    username: str, ip_address: str, user_agent: str, path_info: str, request: HttpRequest
) -> str:
    """Who is meant in a line of the log."""
    return f"{ip_address} ({username[:8]})"


def has_to_wait(request: HttpRequest) -> bool:
    """Whether too many passwords were wrong for the name that this request tried to sign in."""
    return bool(getattr(request, "axes_locked_out", False))


def sentence(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return ngettext(
        "There were too many attempts to sign in. Wait %(minutes)d minute, then try again.",
        "There were too many attempts to sign in. Wait %(minutes)d minutes, then try again.",
        minutes,
    ) % {"minutes": minutes}


def pause() -> int:
    """Seconds for which a name has to wait at an address."""
    return int(settings.AXES_COOLOFF_TIME.total_seconds())
