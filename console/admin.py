"""What all lists and pages of the console share: they are read-only, and verbs change things.

The journal and the operators' audit are here too; their own room lies below this one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet, UUIDField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts import callers, cells, columns
from accounts.models import User
from api.fields import identifier
from console import kinds, names
from console.conditions import Values
from console.filters import AgeFilter
from console.lists import ReadOnlyAdmin
from console.previews import foretell
from console.timeline import timeline
from console.verbs import LONGEST_REASON, MOST, FieldsForm, Verb, VerbResult, carry_out
from events.models import Event, OperatorAction
from events.querysets import EventQuerySet
from events.words import event_name

CONFIRMED = "confirmed"
NEWEST = "newest"
"""Of all rows that match a filter, the newest that the page has counted."""
SEEN = "seen"
"""How the row was when the page said what will happen."""
LOOK = "look"
"""The button that shows what will happen with the values that are chosen."""
SHOWN_REFUSALS = 20
names.give(Event, _("event"), _("events"))
names.give(OperatorAction, _("operator action"), _("operator actions"))
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
                "subtitle": self.heading(obj),
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
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
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
        if NEWEST in request.POST:
            rows = rows.filter(pk__lte=identifier(request.POST[NEWEST]))
        if rows.count() > MOST:
            message = _("A verb is used on %(most)d objects at most, and these are more.")
            self.message_user(request, str(message) % {"most": MOST}, messages.WARNING)
            return HttpResponseRedirect(back)
        chosen: Values = {}
        initial = {}
        if LOOK in request.POST:
            chosen, _wrong = verb.partly_cleaned(request.POST.dict())
            initial = request.POST.dict()
        confirmed = CONFIRMED in request.POST and LOOK not in request.POST
        form = VerbForm(request.POST if confirmed else None, fields=verb.fields, initial=initial)
        form.fields["reason"].required = verb.asks_reason
        if confirmed and form.is_valid() and isinstance(request.user, User):
            caller = callers.of_user(request.user)
            values = {name: form.cleaned_data[name] for name in verb.fields}
            seen = request.POST.get(SEEN, "")
            handled = carry_out(verb, rows, caller, form.cleaned_data["reason"], values, seen)
            self._report(request, verb, handled)
            return HttpResponseRedirect(back)
        foretold = foretell(verb, rows, form.cleaned_data if confirmed else chosen)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{verb.label}: {foretold.target}",
            "verb": verb,
            "count": rows.count(),
            "will": foretold.will,
            "form": form,
            "media": self.media + form.media,
            "back": back,
            "confirmed": CONFIRMED,
            "look": LOOK if verb.fields else "",
            "posted": [*_posted(request), *self._newest(request, rows), (SEEN, foretold.seen)],
        }
        return TemplateResponse(request, "console/verb.html", context)

    def _newest(self, request: HttpRequest, rows: QuerySet[Model]) -> list[tuple[str, object]]:
        """What came since is not changed with what was shown; ids are in the order of time."""
        across = request.POST.get("select_across") == "1"
        if not across or not isinstance(self.model._meta.pk, UUIDField):
            return []
        newest = rows.order_by("-pk").values_list("pk", flat=True)[:1]
        return [(NEWEST, pk) for pk in newest]

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


def _posted(request: HttpRequest) -> list[tuple[str, object]]:
    """What chose the verb and its rows, for the form that confirms it."""
    names = ("action", "index", "select_across", "_selected_action")
    return [(name, value) for name in names for value in request.POST.getlist(name)]


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
    audited = True  # who posts one in an agent's name
    list_display = ["said", "created_at", "agent_id", "task_id", "chain_id", "actor", "reason"]
    sortable = ("created_at",)
    list_filter = ["source", AgeFilter]
    search_fields = ["agent_id", "task_id", "job_id"]
    searched_keys = ("task_id", "agent_id", "job_id")
    search_help_text = _("The whole id of an agent, a task or a job.")

    @admin.display(description=_("What happened"))
    def said(self, event: Event) -> str:
        return event_name(event.type, event.source)

    def heading(self, obj: object) -> str:
        return f"{self.said(obj)} #{obj.pk}" if isinstance(obj, Event) else str(obj)


class KindFilter(admin.SimpleListFilter):
    """The kind of object: those that have verbs, since finding them in the table is slow."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return kinds.all_kinds()

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OperatorAction]
    ) -> QuerySet[OperatorAction]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    list_display = ["said", "created_at", "actor", "of_kind", "on", "reason", "outcome"]
    read_too = ("actor", "message")
    sortable = ("created_at",)
    list_filter = [KindFilter, AgeFilter]
    list_select_related = ["user"]
    search_fields = ["object_id", "actor"]
    searched_keys = ("object_id", "actor")
    search_help_text = _("The whole id of a thing, or who did it.")

    def heading(self, obj: object) -> str:
        if not isinstance(obj, OperatorAction):
            return str(obj)
        what = kinds.verb_label(obj.kind, obj.verb)
        return f"{what}: {kinds.name_of(obj.kind)} {cells.shortened(obj.object_id)}"

    @admin.display(description=_("verb"))
    def said(self, action: OperatorAction) -> str:
        return kinds.verb_label(action.kind, action.verb)

    @admin.display(description=_("kind"))
    def of_kind(self, action: OperatorAction) -> str:
        return kinds.name_of(action.kind)

    @admin.display(description=_("on"))
    def on(self, action: OperatorAction) -> str:
        model = kinds.model_of(action.kind)
        if model is None:
            return cells.long(cells.shortened(action.object_id))
        page = f"{model._meta.app_label}_{model._meta.model_name}"
        return columns.linked(action.object_id, page)

    @admin.display(description=_("outcome"))
    def outcome(self, action: OperatorAction) -> str:
        if action.refused:
            return cells.status("refused", _("Refused"))
        return cells.status("done", _("Done"))
