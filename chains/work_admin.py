"""The pages of channels, tasks and agents in the admin, which show chains too."""

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext

from accounts import cells, columns
from agents.admin import AgentAdmin
from agents.models import Agent
from api import sizes
from chains.agent_verbs import AGENT_VERBS
from chains.channel_verbs import CHANNEL_VERBS
from chains.models import Chain
from chains.task_verbs import TASK_VERBS
from chains.why import why
from console.admin import Table
from tasks.admin import ChannelAdmin, TaskAdmin
from tasks.models import Channel, Task

SHOWN = 50
"""Tasks on an agent's page, of an agent that holds more."""


@admin.register(Channel)
class ChannelPage(ChannelAdmin):
    """A channel, in which chains and tasks are made."""

    verbs = [verb for verb in CHANNEL_VERBS if not verb.alone]


@admin.register(Task)
class TaskPage(TaskAdmin):
    """A task, and why it does not run."""

    verbs = TASK_VERBS

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        task = Task.objects.get(pk=obj.pk)
        heads = [gettext("Why"), gettext("What helps")]
        rows = [[answer.text, answer.remedy] for answer in why(task)]
        return [
            Table(gettext("Why is it not running?"), heads, rows),
            *super().tables(request, obj),
        ]


@admin.register(Agent)
class AgentPage(AgentAdmin):
    """An agent, what it holds and which chain it owns."""

    verbs = AGENT_VERBS

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        held = Task.objects.held_by(str(obj.pk)).order_by("claimed_at")
        owned = Chain.objects.owned_by(str(obj.pk)).select_related("channel")
        heads = [gettext("Title"), gettext("Channel"), gettext("Since")]
        return [
            Table(
                gettext("Tasks in progress"),
                heads,
                [
                    [
                        _link("tasks_task", task, task.title),
                        task.channel,
                        cells.moment(task.claimed_at),
                    ]
                    for task in sizes.without(held, {"title"}).select_related("channel")[:SHOWN]
                ],
            ),
            Table(
                gettext("Chain that it owns"),
                [gettext("Name"), gettext("Channel"), gettext("Status")],
                [
                    [
                        _link("chains_chain", chain, chain.name),
                        chain.channel,
                        columns.choice(chain, "status"),
                    ]
                    for chain in owned
                ],
            ),
        ]


def _link(page: str, obj: Model, text: str) -> str:
    url = reverse(f"admin:{page}_change", args=[quote(obj.pk)])
    return format_html('<a href="{}" class="underline">{}</a>', url, text)
