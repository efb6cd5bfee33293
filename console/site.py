"""The admin site: people enter by permission, and sign in where they do for the dashboard."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from accounts.headers import UNFOLD_CSP, with_policy
from accounts.rights import VIEW, may_enter
from console import kinds
from events.models import OperatorAction

LATEST = 20
"""Operator actions on the home page."""
UNUSABLE = (DataError, ValidationError, OverflowError)
"""Raised where a value of an address or a form reaches the database as it was sent."""


def _forgiving(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The page, or where a value in its address cannot be used, the same without the query."""

    @wraps(view)
    def page(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
            # Lists are read when they are rendered.
            return response.render() if isinstance(response, SimpleTemplateResponse) else response
        except UNUSABLE as unusable:
            if request.method != "GET" or not request.GET:
                raise BadRequest("A value in the request cannot be used.") from unusable
            messages.warning(request, _("A value in the address cannot be used."))
            return HttpResponseRedirect(request.path)

    return page


def page_of(kind: str, object_id: str) -> str:
    """The page of an object that the audit names; "" where there is none of its kind."""
    model = kinds.model_of(kind)
    if model is None:
        return ""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return reverse(name, args=[quote(object_id)])


class ConsoleSite(UnfoldAdminSite):
    site_header = _("Coordinator")
    site_title = _("Coordinator")
    index_title = _("State")
    index_template = "console/home.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and may_enter(request.user)

    def admin_view(
        self, view: Callable[..., HttpResponse], cacheable: bool = False
    ) -> Callable[..., HttpResponse]:
        page: Callable[..., HttpResponse] = super().admin_view(_forgiving(view), cacheable)
        return with_policy(UNFOLD_CSP)(page)

    def each_context(self, request: HttpRequest) -> dict[str, object]:
        """What every page shows; the colours are in `theme.css`, since no style may be inline."""
        context: dict[str, object] = super().each_context(request)
        return context | {"colors": {}}

    def index(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """The state of the coordinator, and what people did last; not a list of models."""
        context = dict(extra_context or {})
        if request.user.has_perm(VIEW):
            latest = OperatorAction.objects.order_by("-pk").defer("before", "after")
            context["actions"] = [
                (action, page_of(action.kind, action.object_id)) for action in latest[:LATEST]
            ]
        response: HttpResponse = super().index(request, context)
        return response

    def login(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        return redirect_to_login(request.GET.get("next", reverse("admin:index")))
