"""What all lists and pages of the console share: they are read-only, and verbs change things.

The journal and the operators' audit are here too; their own room lies below this one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts import callers
from accounts.models import User
from console.filters import AgeFilter
from console.lists import ReadOnlyAdmin
from console.timeline import timeline
from console.verbs import LONGEST_REASON, FieldsForm, Verb, VerbResult, carry_out
from events.models import Event, OperatorAction
from events.querysets import EventQuerySet

CONFIRMED = "confirmed"
SHOWN_REFUSALS = 20
Act = Callable[[admin.ModelAdmin, HttpRequest, QuerySet[Model]], HttpResponse]


@dataclass(frozen=True, slots=True)
class Table:
    """A table below an object's fields: its title, the heads of its columns, its rows."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]


class VerbForm(FieldsForm):
    """The reason, and the verb's own fields."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=_("The journal keeps it, with your name."),
    )


class ConsoleAdmin(ReadOnlyAdmin):
    """A list and pages with verbs: each is previewed, needs a reason and is recorded."""

    verbs: Sequence[Verb] = ()
    change_form_template = "console/object.html"

    def events_about(self, obj: Model) -> EventQuerySet:
        """The journal's rows about an object, for its timeline."""
        return Event.objects.none()

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        """The tables between the fields and the timeline."""
        return []

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_verb"
        view = self.admin_site.admin_view(self.verb_view)
        return [path("<path:object_id>/verb/<slug:verb>/", view, name=name), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> Mapping[str, tuple[Act, str, str]]:
        """The verbs that this person may use on several rows."""
        if "_popup" in request.GET:
            return {}
        return {
            verb.name: (_act(verb), verb.name, str(verb.label))
            for verb in self.verbs
            if request.user.has_perm(verb.permission)
        }

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Mapping[str, object] | None = None,
    ) -> HttpResponse:
        context = dict(extra_context or {})
        obj = self.get_object(request, unquote(object_id)) if object_id else None
        if obj is not None and self.has_view_permission(request, obj):
            context |= {
                "verb_links": [
                    {"title": verb.label, "link": self._verb_url(obj, verb), "icon": verb.icon}
                    for verb in self.verbs
                    if request.user.has_perm(verb.permission) and verb.offered_when.fits(obj)
                ],
                "tables": self.tables(request, obj),
                "timeline": timeline(self.events_about(obj), self.opts.model_name or "", obj.pk),
            }
        response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        return response

    def verb_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """A verb for one object, from the button on its page."""
        obj = self.get_object(request, unquote(object_id))
        chosen = next((known for known in self.verbs if known.name == verb), None)
        if obj is None or chosen is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]  # unfold is untyped
        if not request.user.has_perm(chosen.permission):
            raise PermissionDenied
        rows = self.model._default_manager.filter(pk=obj.pk)
        response = self.use(chosen, request, rows, back=self._object_url(obj))
        if isinstance(response, HttpResponseRedirect) and not rows.exists():
            return HttpResponseRedirect(reverse(self._named("changelist")))
        return response

    def use(
        self, verb: Verb, request: HttpRequest, rows: QuerySet[Model], *, back: str
    ) -> HttpResponse:
        """Show what the verb will do and ask for a reason; with the reason, do it."""
        confirmed = CONFIRMED in request.POST
        form = VerbForm(request.POST if confirmed else None, fields=verb.fields)
        if confirmed and form.is_valid() and isinstance(request.user, User):
            caller = callers.of_user(request.user)
            values = {name: form.cleaned_data[name] for name in verb.fields}
            handled = carry_out(verb, rows, caller, form.cleaned_data["reason"], values)
            self._report(request, verb, handled)
            return HttpResponseRedirect(back)
        values = form.cleaned_data if confirmed else {}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": verb.label,
            "count": rows.count(),
            "will": verb.preview(rows, values),
            "form": form,
            "media": self.media + form.media,
            "back": back,
            "confirmed": CONFIRMED,
            "posted": [
                (name, value)
                for name in ("action", "index", "select_across", "_selected_action")
                for value in request.POST.getlist(name)
            ],
        }
        return TemplateResponse(request, "console/verb.html", context)

    def _report(self, request: HttpRequest, verb: Verb, handled: VerbResult) -> None:
        """Show how many rows were changed, and why others were not, up to a limit."""
        if handled.done:
            message = ngettext(
                "%(verb)s: %(count)d done.", "%(verb)s: %(count)d done.", len(handled.done)
            )
            message %= {"verb": verb.label, "count": len(handled.done)}
            self.message_user(request, message, messages.SUCCESS)
        for key, problem in handled.refused[:SHOWN_REFUSALS]:
            self.message_user(request, f"{key}: {problem.message}", messages.WARNING)
        more = len(handled.refused) - SHOWN_REFUSALS
        if more > 0:
            message = ngettext(
                "%(count)d more could not be changed.",
                "%(count)d more could not be changed.",
                more,
            ) % {"count": more}
            self.message_user(request, message, messages.WARNING)
        if not handled.done and not handled.refused:
            self.message_user(request, gettext("There was nothing to do."), messages.INFO)

    def _object_url(self, obj: Model) -> str:
        return reverse(self._named("change"), args=[quote(obj.pk)])

    def _verb_url(self, obj: Model, verb: Verb) -> str:
        return reverse(self._named("verb"), args=[quote(obj.pk), verb.name])

    def _named(self, page: str) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"


def _act(verb: Verb) -> Act:
    """The verb as an action of a list, on the marked rows or on all that match."""

    def act(
        model_admin: admin.ModelAdmin, request: HttpRequest, rows: QuerySet[Model]
    ) -> HttpResponse:
        if not isinstance(model_admin, ConsoleAdmin):
            raise PermissionDenied
        return model_admin.use(verb, request, rows, back=request.get_full_path())

    return act


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["id", "created_at", "type", "agent_id", "task_id", "chain_id", "actor"]
    list_filter = ["source", AgeFilter]
    search_fields = ["agent_id", "task_id", "job_id"]
    searched_keys = ("task_id", "agent_id", "job_id")
    search_help_text = _("The whole id of an agent, a task or a job.")


class KindFilter(admin.SimpleListFilter):
    """The kind of object. The kinds are listed here, because finding them in the table is slow."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [
            ("agent", gettext("Agent")),
            ("artifact", gettext("Artifact")),
            ("chain", gettext("Chain")),
            ("channel", gettext("Channel")),
            ("job", gettext("Job")),
            ("languagemodel", gettext("Language model")),
            ("provider", gettext("Provider")),
            ("routingpolicy", gettext("Routing policy")),
            ("task", gettext("Task")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OperatorAction]
    ) -> QuerySet[OperatorAction]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    list_display = ["id", "created_at", "actor", "verb", "kind", "object_id", "reason", "refused"]
    list_filter = [KindFilter, AgeFilter]
    list_select_related = ["user"]
    search_fields = ["object_id", "actor"]
    searched_keys = ("object_id", "actor")
    search_help_text = _("The whole id of a thing, or who did it.")
