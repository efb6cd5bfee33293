"""What the menu of a person offers beside signing out."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


def account(request: HttpRequest) -> list[dict[str, object]]:
    """Links to the person's own settings."""
    return [
        {"title": _("Time zone"), "link": reverse("preferences")},
        {"title": _("Change password"), "link": reverse("password")},
    ]
