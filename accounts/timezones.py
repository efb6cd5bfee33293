"""The time zone of the person at the browser: what they chose, else their browser's own.

Both are cookies beside that of the language. `zone.js` keeps the second. What is no zone is
ignored.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from asgiref.sync import iscoroutinefunction
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator, sync_and_async_middleware
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from rest_framework.request import Request
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.headers import UNFOLD_CSP, with_policy
from problems import families

CHOSEN = "timezone"
OF_BROWSER = "browser_timezone"
KEPT_FOR = timedelta(days=365)
AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian")

Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@lru_cache(1)
def known() -> frozenset[str]:
    """The names of all zones."""
    return frozenset(available_timezones())


def zone_of(request: HttpRequest | Request) -> str:
    """The name of the zone in which the person reads times; "" if nobody has said."""
    for cookie in (CHOSEN, OF_BROWSER):
        if (name := request.COOKIES.get(cookie, "")) in known():
            return name
    return ""


@sync_and_async_middleware
def in_zone_of_reader(get_response: Sync | Async) -> Sync | Async:
    """Show the times of a page in its reader's zone; programs read UTC."""
    if iscoroutinefunction(get_response):
        return _async(get_response)
    return _sync(get_response)  # type: ignore[arg-type]  # iscoroutinefunction does not narrow the other branch


def _async(get_response: Async) -> Async:
    async def answer(request: HttpRequest) -> HttpResponseBase:
        with _in_zone(request):
            return await get_response(request)

    return answer


def _sync(get_response: Sync) -> Sync:
    def answer(request: HttpRequest) -> HttpResponseBase:
        with _in_zone(request):
            return get_response(request)

    return answer


def _in_zone(request: HttpRequest) -> AbstractContextManager[object]:
    return nullcontext() if families.is_api(request.path) else of_reader(request)


def of_reader(request: HttpRequest | Request) -> AbstractContextManager[object]:
    """The reader's zone, for sentences; programs have said none."""
    name = zone_of(request)
    return timezone.override(ZoneInfo(name)) if name else nullcontext()


def offered() -> list[tuple[str, object]]:
    """The zones of places, and UTC; other names are older ones for the same."""
    places = sorted(name for name in known() if name.partition("/")[0] in AREAS)
    shown = [(name, name.replace("_", " ")) for name in ("UTC", *places)]
    return [("", _("As the browser has it")), *shown]


class ZoneForm(forms.Form):
    timezone = forms.ChoiceField(
        label=_("Time zone"), required=False, choices=offered, widget=UnfoldAdminSelectWidget
    )


@method_decorator(with_policy(UNFOLD_CSP), name="dispatch")
class Preferences(FormView):
    """What a browser remembers of its person: the time zone."""

    template_name = "accounts/preferences.html"
    form_class = ZoneForm
    success_url = reverse_lazy("preferences")

    def get_initial(self) -> dict[str, object]:
        return {"timezone": self.request.COOKIES.get(CHOSEN, "")}

    def form_valid(self, form: ZoneForm) -> HttpResponse:
        response = super().form_valid(form)
        name = form.cleaned_data["timezone"]
        if name:
            secure = settings.SESSION_COOKIE_SECURE
            response.set_cookie(CHOSEN, name, max_age=KEPT_FOR, secure=secure, samesite="Lax")
        else:
            response.delete_cookie(CHOSEN, samesite="Lax")
        messages.success(self.request, gettext("It is remembered in this browser."))
        return response

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        shown = {"title": _("Preferences"), "now": timezone.now()}
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs) | shown
