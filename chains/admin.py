"""Chains in the admin: owner, tasks, and the verbs."""

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Min, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts import cells, columns
from api import sizes
from chains import work_admin  # noqa: F401  (registers the pages of tasks and agents)
from chains.models import Chain
from chains.verbs import CHAIN_VERBS
from console import names
from console.admin import ConsoleAdmin, Table
from console.filters import AgeFilter
from events.models import Event
from events.querysets import EventQuerySet
from tasks.models import Task

SHOWN = 100
"""Steps on a chain's page, of a chain that has more."""
BEFORE = 20
"""Of these, how many are shown before the first that is open."""

names.give(Chain, _("chain"), _("chains"))


@admin.register(Chain)
class ChainAdmin(ConsoleAdmin):
    verbs = CHAIN_VERBS
    list_display = [
        "name",
        "status",
        "channel",
        "owner",
        "progress",
        "on_failure",
        "created_at",
        "id",
    ]
    sortable = ("created_at",)
    list_filter = [
        "status",
        ("channel", AutocompleteSelectFilter),
        ("owner", AutocompleteSelectFilter),
        "on_failure",
        AgeFilter,
    ]
    list_select_related = ["channel", "owner"]
    search_fields = ["name"]
    search_help_text = _("The beginning of an id, or a part of a name")
    searched_text = "name"
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["name", "description", "channel", "status", "owner", "on_failure"]}),
        (None, {"fields": ["progress", "id", "user", "created_at", "updated_at"]}),
    ]
    readonly_fields = ["progress"]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Chain | None:
        chain = super().get_object(request, object_id, from_field)
        return None if chain is None else Chain.objects.with_progress().get(pk=chain.pk)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list, with the progress of just the chains on this page of it."""
        page: ChangeList = super().get_changelist_instance(request)
        shown = Chain.objects.filter(pk__in=[chain.pk for chain in page.result_list])
        related = shown.with_progress().select_related("channel", "owner")
        order = {chain.pk: place for place, chain in enumerate(page.result_list)}
        page.result_list = sorted(related, key=lambda chain: order[chain.pk])
        return page

    @admin.display(description=_("progress"))
    def progress(self, chain: Chain) -> str:
        return f"{chain.finished_tasks} / {chain.all_tasks}"

    def events_about(self, obj: Model) -> EventQuerySet:
        return Event.objects.about_chain(obj.pk)

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        """The tasks around the first open one; a chain may have thousands."""
        all_ = Task.objects.filter(chain=obj.pk).order_by("sequence")
        next_ = all_.open().aggregate(first=Min("sequence"))["first"] or 1
        first = max(next_ - BEFORE, 1)
        some = sizes.without(all_.filter(sequence__gte=first), {"title"})
        shown = [_cells(task) for task in some[:SHOWN]]
        title = gettext("Tasks in order")
        if others := all_.count() - len(shown):
            more = ngettext("%(count)d more is not shown", "%(count)d more are not shown", others)
            title = f"{title} ({more % {'count': others}})"
        heads = [
            gettext("Sequence"),
            gettext("Task"),
            gettext("Status"),
            gettext("Agent"),
            gettext("Attempts"),
            gettext("Finished"),
        ]
        return [Table(title, heads, shown)]


def _cells(task: Task) -> list[object]:
    link = reverse("admin:tasks_task_change", args=[task.pk])
    return [
        task.sequence,
        format_html('<a href="{}">{}</a>', link, task.title),
        columns.choice(task, "status"),
        columns.linked(task.agent_id or task.last_holder, "agents_agent"),
        f"{task.attempts} / {task.max_attempts}",
        cells.moment(task.finished_at),
    ]
