"""Agents in the admin. `chains` registers the page, since it knows an agent's tasks and chain."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import cells
from agents.models import Agent, Presence
from agents.querysets import AgentQuerySet
from agents.verbs import AGENT_VERBS
from console import names
from console.admin import ConsoleAdmin
from events.models import Event
from events.querysets import EventQuerySet

names.give(Agent, _("agent"), _("agents"))


class PresenceFilter(admin.SimpleListFilter):
    """The agents' presence now, derived as in the engine."""

    title = _("presence")
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [
            (Presence.ONLINE, gettext("Online")),
            (Presence.LOST, gettext("Lost")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Agent]) -> QuerySet[Agent]:
        agents = Agent.objects.all()
        match self.value():
            case Presence.ONLINE:
                return queryset.filter(pk__in=agents.online().values("pk"))
            case Presence.LOST:
                return queryset.filter(pk__in=agents.lost().values("pk"))
        return queryset


class AgentAdmin(ConsoleAdmin):
    verbs = AGENT_VERBS
    list_display = [
        "id",
        "name",
        "presence",
        "activity",
        "takes_work",
        "channels",
        "last_seen_at",
    ]
    list_filter = [PresenceFilter, "draining", "protocol", "activity"]
    search_fields = ["id", "name"]
    search_help_text = _("A part of its id or name.")
    sortable = ("id",)
    ordering = ["id"]
    read_too = ("subscriptions",)
    fieldsets = [
        (None, {"fields": ["id", "name", "presence", "last_seen_at", "announced", "draining"]}),
        (_("Work"), {"fields": ["activity", "channels", "subscriptions_pinned", "capacity"]}),
        (_("What it says"), {"fields": ["protocol", "incarnation", "offers", "meta"]}),
        (_("Times"), {"fields": ["user", "created_at", "updated_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> AgentQuerySet:
        return Agent.objects.with_online()

    def events_about(self, obj: Model) -> EventQuerySet:
        return Event.objects.about_agent(obj.pk)

    def heading(self, obj: object) -> str:
        return (obj.name or obj.id) if isinstance(obj, Agent) else str(obj)

    @admin.display(description=_("presence"))
    def presence(self, agent: Agent) -> str:
        if agent.online:
            return cells.status(Presence.ONLINE, Presence.ONLINE.label)
        if agent.announced == Presence.LOST:
            return cells.status(Presence.LOST, Presence.LOST.label)
        return cells.status(Presence.OFFLINE, Presence.OFFLINE.label)

    @admin.display(description=_("takes work"))
    def takes_work(self, agent: Agent) -> str:
        if agent.draining:
            return cells.status("draining", _("Draining"))
        return cells.status("open", _("Yes"))

    @admin.display(description=_("channels"))
    def channels(self, agent: Agent) -> str:
        return cells.long(", ".join(agent.subscriptions))
