"""Channels and tasks in the admin. The page of a task is in `chains`, which knows why it waits."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from console.admin import ConsoleAdmin, Table
from console.filters import AgeFilter
from events.models import Event
from events.querysets import EventQuerySet
from tasks.channel_verbs import CHANNEL_VERBS
from tasks.models import Attempt, Channel, Task
from tasks.querysets import TaskQuerySet
from tasks.verbs import TASK_VERBS


@admin.register(Channel)
class ChannelAdmin(ConsoleAdmin):
    verbs = CHANNEL_VERBS
    list_display = ["name", "is_open", "paused_at", "pause_reason", "created_at"]
    list_filter = [("paused_at", admin.EmptyFieldListFilter)]
    search_fields = ["name__istartswith"]
    ordering = ["-pk"]
    fieldsets = [
        (None, {"fields": ["name", "description", "paused_at", "pause_reason"]}),
        (_("Times"), {"fields": ["id", "user", "created_at"]}),
    ]

    @admin.display(description=_("open"), boolean=True)
    def is_open(self, channel: Channel) -> bool:
        return channel.paused_at is None


class TaskAdmin(ConsoleAdmin):
    verbs = TASK_VERBS
    list_display = [
        "id",
        "title",
        "status",
        "channel",
        "chain",
        "agent",
        "priority",
        "attempts",
        "created_at",
    ]
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

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        return Task.objects.defer("description", "payload", "result")

    def events_about(self, obj: Model) -> EventQuerySet:
        return Event.objects.about_task(obj.pk)

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        heads = [gettext("Epoch"), gettext("Agent"), gettext("Outcome")]
        heads += [gettext("Reason"), gettext("From"), gettext("To")]
        attempts = Attempt.objects.filter(task=obj.pk).order_by("-epoch")[:50]
        rows = [
            [held.epoch, held.agent_id, held.outcome, held.reason, held.started_at, held.ended_at]
            for held in attempts
        ]
        return [Table(gettext("Attempts that did not end well"), heads, rows)]
