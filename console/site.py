"""The admin site: people enter by permission, and sign in where they do for the dashboard."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from accounts.permissions import VIEW


class ConsoleSite(UnfoldAdminSite):
    site_header = _("Coordinator")
    site_title = _("Coordinator")
    index_title = _("Console")

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.has_perm(VIEW)

    def login(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        return redirect_to_login(request.GET.get("next", reverse("admin:index")))
