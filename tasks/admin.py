"""Channels and tasks in the admin. Their pages are in `chains`, which has more to say of them."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts import cells, columns
from console import names
from console.admin import ConsoleAdmin, Table
from console.filters import AgeFilter
from events.models import Event
from events.querysets import EventQuerySet
from tasks.channel_verbs import CHANNEL_VERBS
from tasks.models import Attempt, Channel, Task
from tasks.querysets import TaskQuerySet
from tasks.verbs import TASK_VERBS

names.give(Channel, _("channel"), _("channels"))
names.give(Task, _("task"), _("tasks"))
names.give(Attempt, _("attempt"), _("attempts"))


class ChannelAdmin(ConsoleAdmin):
    verbs = CHANNEL_VERBS
    list_display = ["name", "state", "paused_at", "pause_reason", "created_at", "id"]
    list_filter = [("paused_at", admin.EmptyFieldListFilter)]
    search_fields = ["name"]
    search_help_text = _("A part of its name.")
    sortable = ("created_at",)
    ordering = ["-pk"]
    fieldsets = [
        (None, {"fields": ["name", "description", "paused_at", "pause_reason"]}),
        (_("Times"), {"fields": ["id", "user", "created_at"]}),
    ]

    @admin.display(description=_("state"))
    def state(self, channel: Channel) -> str:
        if channel.paused_at is None:
            return cells.status("open", _("Open"))
        return cells.status("paused", _("Paused"))


class TaskAdmin(ConsoleAdmin):
    verbs = TASK_VERBS
    list_display = [
        "title",
        "status",
        "channel",
        "chain",
        "agent",
        "priority",
        "attempts",
        "created_at",
        "id",
    ]
    sortable = ("created_at",)
    list_filter = [
        "status",
        ("channel", AutocompleteSelectFilter),
        ("agent", AutocompleteSelectFilter),
        "dead_letter",
        AgeFilter,
    ]
    list_select_related = ["channel", "chain", "agent"]
    search_fields = ["title"]
    searched_text = "title"
    search_help_text = _("How the id begins, or a part of the title of one of the latest tasks.")
    ordering = ["-pk"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "title",
                    "description",
                    "status",
                    "channel",
                    ("chain", "sequence"),
                    "job",
                    "agent",
                    "priority",
                ]
            },
        ),
        (_("What it is about"), {"fields": ["type", "payload", "requirement", "execution_mode"]}),
        (
            _("Position in the queue"),
            {"fields": [("blocked", "reserved_for"), "queue_at", ("postponed", "available_at")]},
        ),
        (
            _("Lease"),
            {
                "fields": [
                    "last_holder",
                    ("lease_epoch", "closed_epoch"),
                    ("lease_seconds", "lease_expires_at"),
                    "cancel_asked_at",
                ]
            },
        ),
        (
            _("Outcome"),
            {
                "fields": [
                    ("attempts", "max_attempts"),
                    "losses",
                    "fail_reason",
                    "dead_letter",
                    "result",
                ]
            },
        ),
        (
            _("Times"),
            {"fields": ["id", "user", "created_at", "claimed_at", "finished_at", "updated_at"]},
        ),
    ]

    def heading(self, obj: object) -> str:
        return obj.title if isinstance(obj, Task) else str(obj)

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        return Task.objects.defer("description", "payload", "result")

    def events_about(self, obj: Model) -> EventQuerySet:
        return Event.objects.about_task(obj.pk)

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        heads = [gettext("Epoch"), gettext("Agent"), gettext("Outcome")]
        heads += [gettext("Reason"), gettext("From"), gettext("To")]
        attempts = Attempt.objects.filter(task=obj.pk).order_by("-epoch")[:50]
        rows = [
            [
                held.epoch,
                columns.linked(held.agent_id, "agents_agent"),
                columns.choice(held, "outcome"),
                held.reason,
                cells.moment(held.started_at),
                cells.moment(held.ended_at),
            ]
            for held in attempts
        ]
        return [Table(gettext("Attempts that did not end well"), heads, rows)]
